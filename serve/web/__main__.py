"""A page that looks through the browser's camera: `python -m serve.web`, then http://127.0.0.1:8000."""

import argparse
import os
import socket
from pathlib import Path

import uvicorn

from serve.options import add_eyes, check_folder
from serve.web.app import make_app
from serve.web.corrections import Corrections
from serve.web.eyes import Eyes
from serve.web.guard import Guard, check_host
from serve.web.limits import FRAME
from serve.web.metrics import Metrics
from tasks.common.console import say
from tasks.common.errors import UserError, command


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serve.web", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="what to listen on; others than this machine need --token")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token", default=os.environ.get("FACIAL_EMOTION_TOKEN"), help="who knows it may look")
    add_eyes(parser)
    parser.add_argument("--corrections", type=Path, metavar="FOLDER", help="keep faces that somebody puts right there")
    options = parser.parse_args()
    check_host(options.host, options.token)
    if options.corrections:
        check_folder(options.corrections, options.corrections)
    eyes = Eyes(options.model, options.detector, options.min_face, Metrics(), float32=options.float32)
    app = make_app(eyes, Corrections(options.corrections), Guard(options.token))
    check_port(options.host, options.port)
    say(f"http://{options.host}:{options.port}/ looks with {eyes.version}; frames are forgotten at once")
    # Twice: a frame that is too large is told so, and one that is much larger ends the connection.
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        ws_max_size=2 * FRAME,
        ws_max_queue=2,
    )


def check_port(host: str, port: int) -> None:
    """Raise UserError where nobody can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"--host {host} --port {port}: {error}; name another port, or end what listens there"
            ) from error


if __name__ == "__main__":
    main()
