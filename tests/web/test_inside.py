"""What the reader saw is shown, for a photograph and for a clip."""

import av
import pytest
from playwright.sync_api import expect

from .conftest import until

MESH = "document.querySelector('#mesh')"
PIXELS = f"""(() => {{
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [70, 70];
  const context = canvas.getContext('2d');
  context.drawImage({MESH}, 0, 0, 70, 70);
  return [...context.getImageData(0, 0, 70, 70).data];
}})()"""


def drawn(pixels):
    return sum(alpha > 128 for alpha in pixels[3::4])


@pytest.fixture
def short(camera_clip, tmp_path):
    """A second of the camera's clip."""
    path = tmp_path / "short.mp4"
    with av.open(str(camera_clip)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 480, 480, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == 25:
                break
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))))
        output.mux(stream.encode(None))
    return path


def test_a_photograph_is_shown_from_all_sides(visit):
    page = visit("inside")
    page.get_by_role("button", name="Look inside").click()
    until(page, f"{MESH}.dataset.shown === '0'")
    until(page, "document.querySelector('#inside-overlay img').naturalWidth === 512")
    lit = page.evaluate(PIXELS)
    assert drawn(lit) > 800
    page.get_by_role("slider", name="Turn").fill("60")
    assert page.evaluate(PIXELS) != lit
    page.get_by_role("slider", name="Turn").fill("0")
    seen = {tuple(lit)}
    for mode in ("Skin alone", "Light alone", "Shape alone"):
        page.get_by_role("combobox", name="Show").select_option(mode)
        seen.add(tuple(page.evaluate(PIXELS)))
    assert len(seen) == 4
    smile = page.get_by_role("meter", name="12 Lip corner puller")
    assert float(smile.evaluate("meter => meter.value")) > 0.5
    with page.expect_download() as download:
        page.get_by_role("link", name="Save mesh.obj").click()
    assert download.value.suggested_filename == "mesh.obj"


def test_a_clip_is_shown_over_time(visit, short):
    page = visit("inside")
    page.set_input_files("#file-looked", short)
    expect(page.locator("[data-field=looked] .message")).to_contain_text("short.mp4, 480 × 480")
    page.get_by_role("button", name="Look inside").click()
    expect(page.locator("#look-message")).to_have_text("25 frames")
    until(page, "document.querySelector('#inside-overlay video').videoWidth === 480")
    assert page.locator("#bars canvas").count() == 17
    until(page, f"{MESH}.dataset.shown === '0'")
    first = page.evaluate(PIXELS)
    page.get_by_role("slider", name="Moment").fill("20")
    until(page, f"{MESH}.dataset.shown === '20'")
    expect(page.locator("#moment-value")).to_have_text("0.80 s")
    assert page.evaluate(PIXELS) != first
