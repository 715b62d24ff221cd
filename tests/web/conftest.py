"""The studio in a real browser, Debian's Chromium driven by Playwright: `make test-web`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DEMO = Path(str(files("xpress") / "assets" / "demo"))
PATIENCE = 60_000
"""Milliseconds that a machine with little to spare may need for a step."""
expect.set_options(timeout=PATIENCE)


def until(page: Page, condition: str, seconds: float = 60.0) -> None:
    """Wait for an expression to hold; Playwright's own way needs what the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


@dataclass(frozen=True)
class Server:
    """A studio in a process of its own."""

    address: str
    process: subprocess.Popen
    temporary: Path


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    """The browser; skips where there is none, but fails where the tests were asked for."""
    if CHROMIUM is None:
        if os.environ.get("XPRESS_WEB"):
            pytest.fail("there is no chromium, though make test-web is to install it")
        pytest.skip("needs Chromium: make test-web installs it")
    return CHROMIUM


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    temporary = tmp_path_factory.mktemp("temporary")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "xpress.studio", "--no-browser", "--port", str(port)]
    environment = os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    address = f"http://127.0.0.1:{port}/"
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, "the studio did not start"
            time.sleep(0.2)
    yield Server(address, process, temporary)
    process.terminate()
    assert process.wait(30) is not None
    assert [path.name for path in temporary.iterdir() if "xpress" in path.name] == []


@pytest.fixture(scope="session")
def camera_clip(repository, tmp_path_factory) -> Path:
    """A talking face as Motion JPEG, which Chromium plays as its camera."""
    source = repository.parent / "shared" / "data" / "samples" / "expressive_woman.mp4"
    folder = tmp_path_factory.mktemp("camera")
    if not source.exists():
        from xpress.commands.reenact import reenact

        source = folder / "demo.mp4"
        reenact(DEMO / "performance.npz", DEMO / "target.jpg", source, progress=False)
    path = folder / "camera.mjpeg"
    with av.open(str(source)) as opened, av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = 480, 480, "yuvj420p"
        for number, frame in enumerate(opened.decode(video=0)):
            if number == 100:
                break
            scaled = frame.reformat(480, 480, "yuvj420p")
            scaled.pts, scaled.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(scaled))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def browser(chromium, camera_clip) -> Iterator[Browser]:
    arguments = [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_clip}",
        "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """Open the page on a tab, in a window of its own; a mistake in its scripts is a failure."""
    contexts, wrong = [], []

    def visit(tab: str = "reenact", width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=["camera"]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{server.address}#{tab}")
        page.wait_for_selector("body[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []
