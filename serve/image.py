"""What is seen in pictures: `python -m serve.image FILE… [--out FOLDER]`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from serve.drawing import draw
from serve.frames import read_picture
from serve.looking import Seen, Watcher
from serve.options import add_looking, check_outputs, watcher
from serve.records import records
from serve.tracking import Tracker
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import replacing


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serve.image", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the pictures with what is seen drawn on them")
    add_looking(parser)
    options = parser.parse_args()
    drawn = [options.out / f"{path.stem}.png" for path in options.files] if options.out else []
    check_outputs(options.files, [*drawn, options.json, options.csv])
    eyes, refused = watcher(options), list[Path]()
    # Each picture's faces are others than those before, and have numbers of their own.
    looking = Watcher(eyes.predictor, eyes.detector, Tracker(0.0, patience=-1.0))
    with records(options.json, options.csv) as written:
        for number, path, picture in _readable(options.files, refused):
            faces = looking.look(picture, 0.0)
            written.write(0.0, number, faces, looking.predictor.version)
            say(f"{path}: {_told(faces)}")
            if options.out:
                write_picture(drawn[number], draw(picture, faces))
    if refused:
        sys.exit(1)


def _readable(files: list[Path], refused: list[Path]) -> Iterator[tuple[int, Path, np.ndarray]]:
    """Yield number, path and content of each picture; those that are none are told of, and put among the refused."""
    for number, path in enumerate(files):
        try:
            picture = read_picture(path)
        except UserError as error:  # of many pictures, the others can be seen all the same
            sys.stderr.write(f"error: {error}\n")
            refused.append(path)
        else:
            yield number, path, picture


def _told(faces: list[Seen]) -> str:
    if not faces:
        return "no face found; a smaller --min-face or another --detector may find one"
    return "; ".join(f"{face.label} {face.confidence:.0%} at {face.box.left},{face.box.top}" for face in faces)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 [h, w, 3], as PNG.

    Raises:
        UserError: it can't be written.
    """
    got, content = cv2.imencode(".png", picture)
    if not got:
        raise UserError(f"{path}: the picture can't be encoded")
    with replacing(path) as beside:
        beside.write_bytes(content.tobytes())


if __name__ == "__main__":
    main()
