"""What the commands for pictures, video and camera take alike."""

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

from serve.detector import open_detector
from serve.looking import Watcher
from serve.predictor import open_predictor
from serve.tracking import Tracker
from tasks.common.errors import UserError


def add_eyes(parser: argparse.ArgumentParser) -> None:
    """Add what decides which network looks, and what finds the faces."""
    parser.add_argument("--model", type=Path, metavar="FILE", help="a model.onnx; by default the registry's champion")
    parser.add_argument(
        "--float32", action="store_true", help="the champion as it was judged, not in 8-bit integers, which are quicker"
    )
    parser.add_argument("--detector", default="haar", metavar="NAME", help="haar, or the file of a YuNet")
    parser.add_argument("--min-face", type=int, default=48, metavar="PIXELS", help="smaller faces are left out (48)")


def add_looking(parser: argparse.ArgumentParser) -> None:
    """Add what decides how faces are found and judged."""
    add_eyes(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a JSON line for every face of every frame")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table of the same")


def add_moving(parser: argparse.ArgumentParser) -> None:
    """Add what belongs to things that move."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the video with what is seen drawn on it (.mp4)")
    parser.add_argument("--timeline", type=Path, metavar="FILE", help="write a chart of the emotions over time (.png)")
    parser.add_argument(
        "--settle", type=float, default=0.4, metavar="SECONDS", help="in which a change shows to two thirds; 0: at once"
    )


def check_outputs(sources: Iterable[Path], outputs: Iterable[Path | None]) -> None:
    """Check that nothing is written onto what is looked at, no two outputs go into one file, and all can be written.

    Raises:
        UserError: that is not so.
    """
    taken = {source.resolve() for source in sources}
    for output in outputs:
        if output is None:
            continue
        if output.resolve() in taken:
            raise UserError(f"{output}: would be written over a file that is looked at, or written twice; name another")
        taken.add(output.resolve())
        if output.exists() and not output.is_file():  # a device would be replaced by what is written
            raise UserError(f"{output}: is a folder or a device, expected a file to be written; name another")
        check_folder(output.parent, output)


def check_folder(folder: Path, output: Path) -> None:
    """Make the folder where it is missing, and check that files can be written there; `output` is for the sentence.

    Raises:
        UserError: they can't be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"{folder} is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise UserError(f"{output}: can't be written ({reason}); name another place") from error


def watcher(options: argparse.Namespace) -> Watcher:
    """Return what looks at frames as the options say.

    Raises:
        UserError: network, detector or a number can't be used.
    """
    settle = getattr(options, "settle", 0.0)
    if settle < 0:
        raise UserError(f"--settle: found {settle}, expected 0 seconds or more")
    detector = open_detector(options.detector, options.min_face)
    return Watcher(open_predictor(options.model, float32=options.float32), detector, Tracker(settle))
