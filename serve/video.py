"""What is seen in a video: `python -m serve.video FILE [--out seen.mp4] [--json seen.jsonl] [--timeline seen.png]`."""

import argparse
import math
from pathlib import Path

from serve.frames import Video
from serve.options import add_looking, add_moving, check_outputs, watcher
from serve.recording import record
from serve.timeline import check_chart
from tasks.common.console import progress, say
from tasks.common.errors import UserError, command


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serve.video", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="look at every Nth frame")
    add_looking(parser)
    add_moving(parser)
    options = parser.parse_args()
    if options.every < 1:
        raise UserError(f"--every: found {options.every}, expected 1 or more")
    check_outputs([options.file], [options.out, options.json, options.csv, options.timeline])
    check_chart(options.timeline)
    video, looking = Video(options.file), watcher(options)
    with progress(f"looking at {options.file.name}", math.ceil(video.count / options.every), "frames") as bar:
        summary = record(video.frames(options.every), looking, options, video.rate / options.every, bar)
    say(f"{options.file}: {summary}")
    if video.read is not None and video.count > video.read:
        say(f"{options.file}: ends after {video.read:,} of the {video.count:,} frames that it says to have; cut short?")


if __name__ == "__main__":
    main()
