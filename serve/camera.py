"""What a camera sees: `python -m serve.camera [0 | rtsp://…] [--json seen.jsonl] [--out seen.mp4]`, until Ctrl-C."""

import argparse
from typing import Final

from serve.frames import Camera
from serve.options import add_looking, add_moving, check_outputs, watcher
from serve.recording import record
from serve.timeline import check_chart
from tasks.common.console import progress, say
from tasks.common.errors import UserError, command

SMOOTH: Final = 60.0
"""Frames a second of a film, at most: it keeps to the clock, and repeats a frame until the next one comes."""


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serve.camera", description=__doc__)
    parser.add_argument("source", nargs="?", default="0", help="index of a camera (0), or the address of a stream")
    parser.add_argument("--max-fps", type=float, default=15.0, metavar="N", help="frames a second, at most (15)")
    add_looking(parser)
    add_moving(parser)
    options = parser.parse_args()
    if options.max_fps <= 0:
        raise UserError(f"--max-fps: found {options.max_fps}, expected more than 0")
    check_outputs([], [options.out, options.json, options.csv, options.timeline])
    check_chart(options.timeline)
    camera, looking = Camera(options.source), watcher(options)
    with progress("looking", 0, "frames") as bar:
        summary = record(camera.frames(options.max_fps), looking, options, min(options.max_fps, SMOOTH), bar)
    say(str(summary))


if __name__ == "__main__":
    main()
