"""Take the README's picture of the page: a browser whose camera shows the astronaut of scikit-image.

python -m bench.page [--model model.onnx] [--out docs/page.jpg]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import cv2
import httpx
import numpy as np
from playwright.sync_api import sync_playwright
from skimage.data import astronaut

from tasks.common.errors import UserError, command

PORT: Final = 8731
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


def picture(address: str, camera: Path, out: Path) -> None:
    """Look at the page for a while, and keep what it shows."""
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(playwright.chromium.executable_path),
            args=["--no-sandbox", *fake, f"--use-file-for-fake-video-capture={camera}"],
        )
        page = browser.new_page(viewport={"width": 1100, "height": 940}, color_scheme="light")
        page.goto(address)
        page.get_by_role("button", name="Start camera").click()
        time.sleep(SECONDS)
        page.screenshot(path=out, quality=85)
        browser.close()


def chromium(own: str) -> str:
    """Return the path of the system's Chromium, or else of Playwright's own."""
    found = shutil.which("chromium") or own
    if not Path(found).exists():
        raise UserError("there is no Chromium: `make browser` brings one")
    return found


@command
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model.onnx; by default the registry's champion")
    parser.add_argument("--out", type=Path, default=Path("docs/page.jpg"))
    options = parser.parse_args()
    model = ["--model", str(options.model)] if options.model else []
    server = subprocess.Popen([sys.executable, "-m", "serve.web", "--port", str(PORT), *model])
    try:
        address = f"http://127.0.0.1:{PORT}"
        httpx.Client(transport=httpx.HTTPTransport(retries=20)).get(f"{address}/healthz")
        with tempfile.TemporaryDirectory() as folder:
            film(Path(folder) / "camera.mjpeg")
            picture(address, Path(folder) / "camera.mjpeg", options.out)
    finally:
        server.terminate()
        server.wait()
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
