"""The page in a real browser, whose camera plays a video of a real face."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect, sync_playwright

from serve.detector import Box
from serve.web.eyes import FRESH
from tasks.registry.champion import crown
from tests.serve.pages import browser, serving
from tests.serve.test_predictor import published
from tests.tasks.ingest.stores import free_port

CHROMIUM = browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: `make browser` brings one")


@pytest.fixture(scope="module")
def camera(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera shows: a person who moves, as JPEGs one after the other."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    face = cv2.resize(portrait[0:300, 60:360], (440, 440))
    with path.open("wb") as file:
        for index in range(40):
            frame = np.full((480, 640, 3), 80, np.uint8)
            frame[20:460, 20 + 4 * index : 460 + 4 * index] = face
            file.write(cv2.imencode(".jpg", frame)[1].tobytes())
    return path


@pytest.fixture(scope="module")
def chromium(camera: Path) -> Iterator[Browser]:
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", *fake, f"--use-file-for-fake-video-capture={camera}"],
        )
        yield started
        started.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test where a script or a rule of the page's own policy does."""
    size: tuple[int, int] = (1100, 900)
    scheme: Literal["light", "dark"] = "light"
    if hasattr(request, "param"):
        size, scheme = request.param
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, permissions=["camera"]
    )
    opened, faults = context.new_page(), []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    yield opened
    context.close()
    assert not faults


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def address(network: Path, kept: Path) -> Iterator[str]:
    with serving("--model", network, "--corrections", kept) as found:
        yield found


def inked(page: Page, canvas: str) -> bool:
    """Whether anything is drawn there now; an answer is drawn in one turn, so a face on the page is enough."""
    some = "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(value => value)"
    return page.locator(f"#{canvas}").evaluate(some)


@pytest.mark.parametrize("page", [((1100, 900), "light"), ((390, 844), "dark")], indirect=True, ids=["wide", "phone"])
def test_the_camera_s_face_gets_a_box_and_bars_and_the_timeline_moves(page, address):
    page.goto(address)
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    expect(page.locator(".face progress")).to_have_count(7)
    shares = page.locator(".face progress").evaluate_all("all => all.map(one => one.value)")
    assert sum(shares) == pytest.approx(1, abs=0.01)
    for canvas in ("overlay", "timeline"):
        assert inked(page, canvas), canvas
    before = page.locator("#timeline").get_attribute("data-moments") or ""
    expect(page.locator("#timeline")).not_to_have_attribute("data-moments", before)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Stop camera").click()
    expect(page.locator(".face")).to_have_count(0)


def test_a_dropped_picture_and_a_chosen_video_are_answered(page, address, picture, film):
    page.goto(address)
    expect(page.locator("#status")).to_have_text("connected")
    page.locator("#file").set_input_files(picture)
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    expect(page.locator("#status")).to_have_text(re.compile(r"model\.onnx · 1 face · \d+ ms"))
    assert inked(page, "timeline")
    content = list(picture.read_bytes())
    page.evaluate(
        """content => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], "dropped.png", { type: "image/png" }));
            stage.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }""",
        content,
    )
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)


def test_what_is_no_picture_is_said_on_the_page(page, address, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.goto(address)
    page.locator("#file").set_input_files(tmp_path / "broken.png")
    expect(page.locator("#status")).to_contain_text("not a picture, or a damaged one")


def test_a_correction_is_kept_by_button_and_by_key(page, address, picture):
    page.goto(address)
    expect(page.locator("#status")).to_have_text("connected")
    page.locator("#file").set_input_files(picture)
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    page.get_by_role("button", name="5 sad").click()
    expect(page.locator("#kept")).to_have_text(re.compile(r"kept as sad/\w+\.png"))
    page.locator("h1").click()
    page.keyboard.press("4")
    expect(page.locator("#kept")).to_have_text(re.compile(r"kept as happy/\w+\.png"))


def test_a_key_that_is_held_or_is_the_browser_s_own_corrects_nothing(page, address, picture):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/corrections" in request.url else None)
    page.goto(address)
    expect(page.locator("#status")).to_have_text("connected")
    page.locator("#file").set_input_files(picture)
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    page.locator("h1").click()
    for key in ("Alt+1", "Control+2", "Meta+3"):
        page.keyboard.press(key)
    for _ in range(3):  # without a release in between, all but the first are repeats
        page.keyboard.down("4")
    page.keyboard.up("4")
    expect(page.locator("#kept")).to_have_text(re.compile(r"kept as happy/\w+\.png"))
    assert [parse_qs(urlsplit(url).query)["label"] for url in asked] == [["happy"]]


def test_of_a_picture_the_time_is_told_that_its_answer_took(page, address, picture):
    page.goto(address)
    expect(page.locator("#status")).to_have_text("connected")
    page.wait_for_timeout(3000)  # in which nothing is sent
    before = page.evaluate("performance.now()")
    page.locator("#file").set_input_files(picture)
    expect(page.locator("#status")).to_have_text(re.compile(r"1 face · \d+ ms"), timeout=20_000)
    (took,) = re.findall(r"(\d+) ms", page.locator("#status").inner_text())
    assert 0 < int(took) <= page.evaluate("performance.now()") - before


def cut(frame: bytes, box: Box) -> np.ndarray:
    """Return a face of a frame that the page sent, uint8 [h, w]."""
    picture = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return box.cut(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def test_a_correction_of_the_camera_s_face_keeps_the_frame_that_its_box_was_found_in(page, address, kept):
    frames: list[bytes] = []
    boxes: dict[int, list[int]] = {}

    def listen(client: WebSocketRoute) -> None:
        server = client.connect_to_server()

        def ask(message: str | bytes) -> None:
            if isinstance(message, bytes):
                frames.append(message)
            server.send(message)

        def answer(message: str | bytes) -> None:
            told = json.loads(message)
            boxes[told["frame"]] = told["faces"][0]["box"] if told["faces"] else []
            client.send(message)

        client.on_message(ask)
        server.on_message(answer)

    page.route_web_socket("**/live*", listen)
    page.goto(address)
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    for _ in range(5):
        with page.expect_response("**/api/corrections*") as answered:
            page.get_by_role("button", name="5 sad").click()
        where = parse_qs(urlsplit(answered.value.url).query)
        box = [int(where[name][0]) for name in ("left", "top", "width", "height")]
        seen = [frames[number] for number, found in boxes.items() if found == box]
        assert seen
        face = cv2.imread(str(kept / answered.value.json()["kept"]), cv2.IMREAD_UNCHANGED)
        assert any(np.array_equal(face, cut(frame, Box(*box))) for frame in seen)


def test_a_picture_whose_answer_comes_late_leaves_the_camera_on(page, address, picture):
    held: list[Route] = []
    page.route("**/api/picture*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no builtin
    page.goto(address)
    expect(page.locator("#status")).to_have_text("connected")
    with page.expect_request("**/api/picture*"):
        page.locator("#file").set_input_files(picture)
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    with page.expect_response("**/api/picture*"):
        held[0].continue_()
    for _ in range(2):
        before = page.locator("#timeline").get_attribute("data-moments") or ""
        expect(page.locator("#timeline")).not_to_have_attribute("data-moments", before)


def test_a_camera_that_is_allowed_late_takes_the_place_of_the_picture_that_was_opened_meanwhile(page, address, picture):
    page.add_init_script(
        """const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
        const allowed = new Promise((go) => { window.allow = go; });
        media.getUserMedia = (wish) => allowed.then(() => ask(wish));"""
    )
    page.goto(address)
    page.get_by_role("button", name="Start camera").click()
    page.locator("#file").set_input_files(picture)
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    expect(page.locator("#picture")).to_be_visible()
    page.evaluate("allow()")
    expect(page.get_by_role("button", name="Stop camera")).to_be_visible()
    expect(page.locator("#picture")).to_be_hidden()
    expect(page.locator("#video")).to_be_visible()


def test_a_server_that_is_gone_is_said_of_a_picture_and_of_a_correction(page, address, picture):
    page.goto(address)
    expect(page.locator("#status")).to_have_text("connected")
    page.locator("#file").set_input_files(picture)
    expect(page.locator(".face")).to_have_count(1, timeout=20_000)
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("button", name="5 sad").click()
    expect(page.locator("#kept")).to_contain_text("no answer from the server")
    page.locator("#file").set_input_files([])
    page.locator("#file").set_input_files(picture)
    expect(page.locator("#status")).to_contain_text("no answer from the server")


def test_the_page_switches_between_the_champion_and_other_versions(page, network, picture, tmp_path, monkeypatch):
    store = published(tmp_path, network)
    crown(store, "v1", kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    monkeypatch.setenv("FACIAL_EMOTION_REGISTRY", str(tmp_path / "registry"))
    with serving() as own:
        page.goto(own)
        expect(page.locator("#version option")).to_have_text(["v1 (champion)", "v2"])
        page.locator("#file").set_input_files(picture)
        expect(page.locator("#status")).to_have_text(re.compile("v1 · 1 face"), timeout=20_000)
        page.locator("#version").select_option("v2")
        expect(page.locator("#status")).to_have_text(re.compile("v2 · 1 face"), timeout=20_000)
        content = picture.read_bytes()
        assert httpx.post(f"{own}/api/picture", content=content).json()["version"] == "v1"
        crown(store, "v2", kind="promotion", who="A", when=datetime.now(UTC), reason="r")
        time.sleep(FRESH)
        assert httpx.post(f"{own}/api/picture", content=content).json()["version"] == "v2"
        answer = httpx.post(f"{own}/api/picture", params={"version": "../v1"}, content=content)
        assert (answer.status_code, "no such version; there are v1, v2" in answer.text) == (404, True)


def test_a_lost_connection_comes_back(page, network):
    port = free_port()
    with serving("--model", network, port=port) as own:
        page.goto(own)
        page.get_by_role("button", name="Start camera").click()
        expect(page.locator(".face")).to_have_count(1, timeout=20_000)
        expect(page.locator("#correct")).to_be_hidden()
    expect(page.locator("#status")).to_have_text(re.compile("connection lost"), timeout=10_000)
    with serving("--model", network, port=port):
        expect(page.locator("#status")).to_have_text(re.compile("1 face"), timeout=20_000)
        time.sleep(0.2)
