"""Faces that somebody put right: a folder by label, as `ingest` takes it."""

from hashlib import sha256
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from model.labels import LABELS
from serve.detector import Box
from tasks.common.errors import UserError
from tasks.common.files import replacing


class Corrections:
    """Keeps faces under the label that somebody gave them; of one face, the last label counts."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.turn = Lock()
        """Had by the one that writes: of two labels at once, each would remove the other's file."""

    def keep(self, picture: np.ndarray, box: Box, label: str) -> Path:
        """Write a face, cut out of a picture, uint8 [h, w, 3], as a grey PNG.

        Raises:
            UserError: corrections are not kept here, the label is none, or the box is not on the picture.
        """
        if self.folder is None:
            raise UserError("corrections are not kept here; start the page with --corrections FOLDER")
        if label not in LABELS:
            raise UserError(f"label: found {label!r}, expected {', '.join(LABELS)}")
        height, width = picture.shape[:2]
        # It may reach over the rim, as far as faces do: what is cut is as large as the box, however small the picture.
        fits = box.width <= 2 * width and box.height <= 2 * height
        face = box.cut(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)) if fits else np.empty(0)
        if not face.size:
            raise UserError(f"box: found {tuple(box)} on {width}x{height} pixels, expected one inside")
        name = f"{sha256(np.ascontiguousarray(face).data).hexdigest()[:24]}.png"
        _, content = cv2.imencode(".png", face)
        with self.turn:
            with replacing(self.folder / label / name) as beside:
                beside.write_bytes(content.tobytes())
            for other in LABELS:
                if other != label:
                    (self.folder / other / name).unlink(missing_ok=True)
        return self.folder / label / name
