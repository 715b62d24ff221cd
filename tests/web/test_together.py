"""Four people at once, one of whom brings a broken file."""

import re
import time

from playwright.sync_api import expect

from .conftest import DEMO


def test_four_sessions_work_side_by_side(visit, tmp_path):
    text = tmp_path / "video.mp4"
    text.write_text("no video")
    moving, editing, looking, wrong = (
        visit(tab) for tab in ("reenact", "expressions", "inside", "reenact")
    )
    moving.set_input_files("#file-target", DEMO / "target.jpg")
    moving.get_by_role("button", name="Move the face").click()
    looking.get_by_role("button", name="Look inside").click()
    wrong.set_input_files("#file-target", text)
    editing.get_by_role("button", name="Surprise").click()
    expect(wrong.locator("[data-field=target] .message")).to_have_text(
        re.compile("neither a photo nor a video")
    )
    expect(editing.locator("#preview-time")).to_contain_text("Shown after")
    expect(moving.locator("#result-words")).to_contain_text("280 frames")
    expect(looking.locator("#bars meter")).to_have_count(17)
    wrong.get_by_role("button", name="Move the face").click()  # the example is still in place
    expect(wrong.locator("#result-words")).to_contain_text("280 frames")


def test_files_go_with_the_page(visit, server):
    def folders():
        (root,) = server.temporary.glob(".xpress*")
        return {path for path in root.iterdir() if path.is_dir()}

    before = folders()
    page = visit()
    page.set_input_files("#file-target", DEMO / "target.jpg")
    expect(page.locator("[data-field=target] .message")).to_contain_text("target.jpg, 512")
    (mine,) = folders() - before
    assert list(mine.iterdir())
    page.goto("about:blank")
    end = time.monotonic() + 30
    while mine.exists() and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert not mine.exists()
