"""Reenact from the first look to the saved video."""

import re
import time

from playwright.sync_api import expect

from .conftest import DEMO, PATIENCE, until

MOVES = "document.querySelector('#result-view video')?.currentTime > 0.2"
SHOWN = "document.querySelector('#result-view').querySelector('video, img')?.currentSrc"


def test_something_moves_soon_without_a_file_of_ones_own(visit):
    began = time.monotonic()
    page = visit()
    until(page, f"Boolean({SHOWN})")
    first = page.evaluate(SHOWN)
    until(page, f"{MOVES} || {SHOWN} !== '{first}'")  # it plays, or its frames follow each other
    assert time.monotonic() - began < 10


def test_files_become_a_video_that_can_be_saved(visit, camera_clip, tmp_path):
    page = visit()
    page.set_input_files("#file-target", DEMO / "target.jpg")
    expect(page.locator("[data-field=target] .message")).to_contain_text("target.jpg, 512 × 512")
    expect(page.locator("[data-field=target] .face")).to_have_attribute("aria-pressed", "true")
    page.set_input_files("#file-source", DEMO / "performance.npz")
    expect(page.locator("[data-field=source]")).to_contain_text("11.2 s")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_role("slider", name="Strength").fill("0.8")
    page.get_by_role("combobox", name="Whose head moves").select_option("target")
    page.get_by_role("button", name="Move the face").click()
    expect(page.locator("#move-status")).to_contain_text("ms each")
    expect(page.locator("#result-view img.live")).to_have_js_property("complete", True)
    expect(page.locator("#result-words")).to_contain_text("280 frames")
    until(page, MOVES)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the result").click()
    assert download.value.suggested_filename == "target moved.mp4"
    download.value.save_as(tmp_path / "moved.mp4")
    assert (tmp_path / "moved.mp4").stat().st_size > 50_000
    page.get_by_role("button", name="Save the movement", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save params.npz").click()
    download.value.save_as(tmp_path / "params.npz")
    assert (tmp_path / "params.npz").read_bytes()[:2] == b"PK"


def test_work_can_be_called_off_and_begun_again(visit):
    page = visit()
    page.get_by_role("button", name="Move the face").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#move-message")).to_have_text("Cancelled.", timeout=PATIENCE)
    expect(page.get_by_role("button", name="Move the face")).to_be_enabled()


def test_a_text_that_is_called_a_video_is_told(visit, tmp_path):
    text = tmp_path / "holiday.mp4"
    text.write_text("dear diary")
    page = visit()
    page.set_input_files("#file-source", text)
    message = page.locator("[data-field=source] .message")
    expect(message).to_have_text(re.compile(r"holiday\.mp4: neither a photo nor a video"))
    expect(page.locator("[data-field=source]")).to_contain_text("11.2 s")  # what was there stays


def test_the_camera_records_a_movement(visit):
    page = visit()
    page.get_by_role("button", name="Record with the camera").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-field=source] .message")).to_contain_text("camera.webm, ")
    page.get_by_role("button", name="Move the face").click()
    expect(page.locator("#result-words")).to_contain_text("frames a second")
