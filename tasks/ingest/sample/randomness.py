"""Random numbers that are the same on every machine and under every version of NumPy.

NEP 19 lets the streams of `Generator`'s methods change between versions; only the words of a bit generator stay.
So everything here is made from `PCG64.random_raw` by integer arithmetic and single IEEE 754 operations.
"""

import numpy as np

Array = np.ndarray
"""float32: [n, 1, 1] where it is a trait, [n, 48, 48] where it is a picture."""


class Stream:
    """A stream of random numbers, decided by its seed alone."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        """Return float32 [*shape], evenly spread over [low, high)."""
        words = self._words(shape)
        return (low + (high - low) * ((words >> np.uint64(11)) * 2.0**-53)).astype(np.float32)

    def bell(self, mean: float, spread: float, *shape: int) -> Array:
        """Return float32 [*shape], nearly normal: a sum of four uniform numbers, never beyond 3.5 `spread`."""
        words, lane = self._words(shape), np.uint64(0xFFFF)
        total = (words & lane) + (words >> np.uint64(16) & lane) + (words >> np.uint64(32) & lane)
        total += words >> np.uint64(48)
        # Four numbers from 0 to 65,535: mean 131,070, standard deviation 65,536 / sqrt(3).
        return (mean + spread / 37837.0 * (total - 131070.0)).astype(np.float32)

    def chance(self, share: float, *shape: int) -> Array:
        """Return float32 [*shape]: 1 with probability `share`, else 0."""
        return (self.uniform(0, 1, *shape) < share).astype(np.float32)

    def permutation(self, n: int) -> np.ndarray:
        """Return 0 to n - 1 in random order, int64 [n]."""
        return np.argsort(self._words((n,)), kind="stable")

    def _words(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._bits.random_raw(int(np.prod(shape))).reshape(shape)
