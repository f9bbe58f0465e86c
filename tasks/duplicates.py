"""Which faces are copies of one another: exact ones by their bytes, near ones by perceptual hash and correlation."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LOW: Final = 8
"""Side of the block of low frequencies that is hashed: 8 x 8 gives 64 bits."""

BATCH: Final = 4096
"""Faces worked on at once, which bounds the memory."""

PAIRS: Final = 1 << 21
"""Pairs of hashes compared at once, likewise."""


@dataclass(frozen=True)
class Copies:
    """The copies among n faces.

    Attributes:
        first: int64 [n], position of the first face with the same pixels (its own where it is the first).
        near: int64 [k, 2], pairs of such first positions whose faces are near copies but not equal.
    """

    first: np.ndarray
    near: np.ndarray

    def links(self) -> np.ndarray:
        """Return the positions of two faces that are exact or near copies of one another, int64 [k, 2]."""
        return np.concatenate([np.stack([np.arange(len(self.first)), self.first], axis=1), self.near])

    def groups(self) -> np.ndarray:
        """Return `linked` of the links: exact and near copies together."""
        return linked(len(self.first), self.links())

    def exact_in(self, among: np.ndarray) -> np.ndarray:
        """Return bool [n]: the face's pixels are those of a face in `among`, bool [n]; itself counts."""
        return self._held(among)[self.first]

    def near_in(self, among: np.ndarray) -> np.ndarray:
        """Return bool [n]: the face is a near copy of a face in `among`, bool [n]."""
        held = self._held(among)
        near = np.zeros(len(self.first), bool)
        for one, other in (self.near.T, self.near.T[::-1]):
            near[one[held[other]]] = True
        return near[self.first]

    def _held(self, among: np.ndarray) -> np.ndarray:
        held = np.zeros(len(self.first), bool)
        held[self.first[among]] = True
        return held


def linked(n: int, links: np.ndarray) -> np.ndarray:
    """Return groups, int64 [n], equal for what a chain of links joins, numbered from 0.

    Args:
        n: how many things there are.
        links: int64 [k, 2], pairs of their positions.
    """
    graph = coo_array((np.ones(len(links), bool), tuple(links.T)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def find_copies(pixels: np.ndarray, near_distance: int, near_correlation: float) -> Copies:
    """Find all exact and near copies among faces.

    Two different faces are near copies when their perceptual hashes differ in at most `near_distance` bits and their
    pixels correlate by at least `near_correlation`: the hash finds, the correlation tells the same photograph, cropped
    or marked otherwise, from another face in the same pose.

    Args:
        pixels: uint8 [n, side, side].
        near_distance: 0 to 64; the time grows steeply with it.
        near_correlation: -1 to 1; a face of one flat colour correlates with nothing.
    """
    seen: dict[bytes, int] = {}
    digests = (blake2b(np.ascontiguousarray(face).data, digest_size=16).digest() for face in pixels)
    first = np.fromiter((seen.setdefault(digest, i) for i, digest in enumerate(digests)), np.int64, len(pixels))
    unique = np.unique(first)
    near = unique[close_pairs(perceptual_hashes(pixels)[unique], near_distance)]
    return Copies(first, near[_correlations(pixels, near) >= near_correlation])


def perceptual_hashes(pixels: np.ndarray) -> np.ndarray:
    """Return a 64-bit perceptual hash a face, uint64 [n] of uint8 [n, side, side] (pHash; Zauner 2010).

    A bit says whether one of the 8 x 8 lowest frequencies of the cosine transform is above their median, so that
    half of the bits are set and two hashes differ in an even number of them.
    """
    hashes = np.empty(len(pixels), np.uint64)
    for start in range(0, len(pixels), BATCH):
        batch = pixels[start : start + BATCH].astype(np.float32)
        low = dctn(batch, axes=(1, 2), overwrite_x=True)[:, :LOW, :LOW].reshape(len(batch), LOW * LOW)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[start : start + BATCH] = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    return hashes


def close_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Return every pair of hashes, uint64 [n], that differ in at most `distance` bits: int64 [k, 2], ascending.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): of `distance` // 2 + 1 bands, two close hashes differ in at
    most one bit in at least one, so that only those are compared.
    """
    edges = np.linspace(0, 64, distance // 2 + 2).astype(int).tolist()
    found = np.empty(0, np.int64)  # each pair as one number: many faces of one film make millions of them
    for low, high in itertools.pairwise(edges):
        band = hashes >> np.uint64(low) & np.uint64(2 ** (high - low) - 1)
        order = np.argsort(band, kind="stable")
        band = band[order]
        news = [found]
        for flip in (0, *(2**bit for bit in range(high - low))):
            wanted = band ^ np.uint64(flip)
            start = np.searchsorted(band, wanted, "left")
            count = np.searchsorted(band, wanted, "right") - start
            # Every entry beside each of the `count` entries from `start` on.
            for part in _parts(count):
                one = np.repeat(order[part], count[part])
                before = np.cumsum(count[part]) - count[part]
                other = order[np.arange(len(one)) + np.repeat(start[part] - before, count[part])]
                close = (one < other) & (np.bitwise_count(hashes[one] ^ hashes[other]) <= distance)
                news.append(one[close] * len(hashes) + other[close])
        found = np.unique(np.concatenate(news))
    return np.stack(np.divmod(found, max(len(hashes), 1)), axis=1)


def _parts(count: np.ndarray) -> Iterator[slice]:
    """Yield the parts of entries, each with so many candidates, that are compared at once: `PAIRS`, or one entry's."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + PAIRS, "right")))
        yield slice(start, stop)
        start = stop


def _correlations(pixels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of the pixels of each pair, float32 [k]; 0 where a face is flat."""
    flat = pixels.reshape(len(pixels), -1)
    result = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        one, other = (flat[side].astype(np.float32) for side in batch.T)
        one -= one.mean(axis=1, keepdims=True)
        other -= other.mean(axis=1, keepdims=True)
        scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
        result[start : start + BATCH] = (one * other).sum(axis=1) / np.maximum(scale, 1)
    return result
