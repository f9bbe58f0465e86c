"""The networks that look, by version, and a place for each look: few at a time, whoever asks."""

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, perf_counter
from typing import Final

import cv2
import numpy as np

from serve.detector import open_detector
from serve.frames import decode_picture
from serve.looking import Seen, Watcher
from serve.predictor import Predictor, champion, open_predictor
from serve.tracking import Tracker
from serve.web.limits import PIXELS, SIDE
from serve.web.metrics import Metrics
from tasks.common.errors import UserError
from tasks.registry.champion import UnknownVersionError, champion_of
from tasks.registry.places import registry

FRESH: Final = 5.0
"""Seconds after which the registry is asked again who is champion."""


class Eyes:
    """Looks at pictures for everybody."""

    def __init__(
        self, model: Path | None, detector: str, min_face: int, metrics: Metrics, *, float32: bool = False
    ) -> None:
        """Open the network and the detector.

        Raises:
            UserError: they can't be used.
        """
        self._detector, self._min_face, self.metrics, self._float32 = detector, min_face, metrics, float32
        self._fixed = open_predictor(model) if model else None
        self._known: dict[str, Predictor] = {}
        self._champion, self._asked, self._away = "", float("-inf"), False
        self._asking, self._opening = threading.Lock(), threading.Lock()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="look")
        self._own = threading.local()
        open_detector(detector, min_face)
        self.version = self.predictor(None).version
        """What looks where nobody asks for another; as it was at the start."""

    def versions(self) -> tuple[str, list[str]]:
        """Return the champion's name, empty where a file looks, and all versions that can be asked for.

        While the registry is away, those are the ones that are open.
        """
        if self._fixed:
            return "", [self._fixed.version]
        try:
            store = registry()
            found = champion_of(store)
            names = {name.split("/")[1] for name in store.names("versions/") if name.endswith("/manifest.json")}
        except (UserError, OSError):
            found = None
        return (found.version, sorted(names)) if found else (self._champion, sorted(self._known))

    def predictor(self, version: str | None) -> Predictor:
        """Return the network of a version, or the champion of now.

        Raises:
            UnknownVersionError: there is no such version.
            UserError: there is no champion, or the network is not whole.
        """
        if self._fixed:
            if version not in (None, self._fixed.version):
                raise UnknownVersionError(f"version {version!r}: this server has {self._fixed.version} alone")
            return self._fixed
        return self._opened(version or self._champion_of_now())

    def _opened(self, version: str) -> Predictor:
        if version not in self._known:
            with self._opening:  # so that none is opened twice; those that are known wait for nobody
                if version not in self._known:
                    self._known[version] = champion(version=version, float32=self._float32)
        return self._known[version]

    def _champion_of_now(self) -> str:
        """Return the champion; while one asks the registry, the others go on with the champion that is known."""
        if monotonic() - self._asked <= FRESH or not self._asking.acquire(blocking=False):
            return self._champion
        try:
            self._champion, self._away = self._told_by_registry(), False
        except (UserError, OSError) as error:
            if not self._champion:
                raise
            self._note_away(error)
        finally:
            self._asked = monotonic()
            self._asking.release()
        return self._champion

    def _told_by_registry(self) -> str:
        found = champion_of(registry())
        if found is None:
            raise UserError("there is no champion yet; `make promote` makes one, or start with --model model.onnx")
        return self._opened(found.version).version

    def _note_away(self, error: Exception) -> None:
        self.metrics.stale.inc()
        if not self._away:  # once: a registry may be away for days
            logging.getLogger(__name__).warning(
                "%s goes on looking, the registry names no other: %s", self._champion, error
            )
        self._away = True

    async def look(
        self, content: bytes, kind: str, version: str | None, tracker: Tracker, time: float
    ) -> tuple[str, list[Seen]]:
        """Look at an encoded picture.

        Args:
            content: of a jpg, png, bmp or webp.
            kind: `picture` or `frame`, for the metrics.
            version: of the registry; None for its champion.
            tracker: of the one who asks.
            time: of the picture, in seconds.

        Returns:
            The version that looked, and the faces, in pixels of the picture as it came.

        Raises:
            UnknownVersionError: there is no such version.
            UserError: it is no picture, or too large.
        """
        start = perf_counter()
        loop = asyncio.get_running_loop()
        try:
            name, seen = await loop.run_in_executor(self._pool, self._look, content, version, tracker, time)
        except UserError:
            self.metrics.refused.inc()
            raise
        self.metrics.looks.labels(kind).inc()
        self.metrics.seconds.observe(perf_counter() - start)
        for face in seen:
            self.metrics.faces.labels(face.label).inc()
        return name, seen

    def _look(self, content: bytes, version: str | None, tracker: Tracker, time: float) -> tuple[str, list[Seen]]:
        if not hasattr(self._own, "detector"):  # OpenCV's are not for several threads at once
            self._own.detector = open_detector(self._detector, self._min_face)
        predictor, picture = self.predictor(version), decode_picture(content, "picture", PIXELS)
        shrunk, scale = _shrunk(picture)
        seen = Watcher(predictor, self._own.detector, tracker).look(shrunk, time)
        return predictor.version, [face.scaled(scale) for face in seen]


def _shrunk(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a picture whose shorter side is at most `SIDE`, and how many times smaller it is."""
    scale = min(picture.shape[:2]) / SIDE
    if scale <= 1:
        return picture, 1.0
    size = round(picture.shape[1] / scale), round(picture.shape[0] / scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), scale
