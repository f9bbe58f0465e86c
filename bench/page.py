"""Take the README's picture of the page: a browser whose camera shows the astronaut of scikit-image.

With `python -m bench.page [--model model.onnx] [--out docs/page.jpg]`.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from playwright.sync_api import sync_playwright
from skimage.data import astronaut

from tasks.common.errors import UserError, command
from tests.serve.pages import browser, serving

SECONDS: Final = 12
"""For which the page looks, so that its timeline shows something."""


def film(path: Path) -> None:
    """Write what the camera shows: a person who comes nearer and goes, as JPEGs one after the other."""
    face = np.ascontiguousarray(astronaut()[0:300, 60:360, ::-1])
    with path.open("wb") as file:
        for index in range(120):
            side = int(380 + 70 * np.sin(index / 120 * 2 * np.pi))
            frame = np.full((480, 640, 3), (96, 84, 72), np.uint8)
            top, left = (480 - side) // 2, (640 - side) // 2
            frame[top : top + side, left : left + side] = cv2.resize(face, (side, side))
            file.write(cv2.imencode(".jpg", frame)[1].tobytes())


def picture(address: str, camera: Path, chromium: str, out: Path) -> None:
    """Look at the page for a while, and keep what it shows."""
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", *fake, f"--use-file-for-fake-video-capture={camera}"]
        )
        page = opened.new_page(viewport={"width": 1100, "height": 940}, color_scheme="light")
        page.goto(address)
        page.get_by_role("button", name="Start camera").click()
        time.sleep(SECONDS)
        page.screenshot(path=out, quality=85)
        opened.close()


@command
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model.onnx; by default the registry's champion")
    parser.add_argument("--out", type=Path, default=Path("docs/page.jpg"))
    options = parser.parse_args()
    chromium = browser()
    if chromium is None:
        raise UserError("there is no Chromium: `make browser` brings one")
    model = ["--model", options.model.resolve()] if options.model else []
    with tempfile.TemporaryDirectory() as folder, serving(*model) as address:
        camera = Path(folder) / "camera.mjpeg"
        film(camera)
        picture(address, camera, chromium, options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
