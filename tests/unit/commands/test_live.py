"""`task=live` on a clip that poses as a camera."""

from fractions import Fraction
from pathlib import Path

import cv2
import pytest

from xpress.commands import live as live_module
from xpress.commands.live import live
from xpress.errors import InputError
from xpress.live.display import Display
from xpress.media.images import write_image
from xpress.media.video import VideoReader, VideoWriter


@pytest.fixture(autouse=True)
def keep_threads():
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.fixture
def clip(tmp_path: Path, world) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, Fraction(25), (160, 160), crf=1) as writer:
        for i in range(25):
            writer.write(world.frame((80.0, 80.0, 0.0 if i < 12 else 0.6, 0)))
    return path


@pytest.fixture
def photo(tmp_path: Path, world) -> Path:
    write_image(tmp_path / "photo.png", world.frame((80.0, 90.0, 0.0, 0)))
    return tmp_path / "photo.png"


def test_a_file_is_recorded_in_the_sources_time(tmp_path, clip, photo, reenactor, capsys):
    live(clip, str(tmp_path / "out.mp4"), photo, smoothing=False, reenactor=reenactor)
    frames = list(VideoReader(tmp_path / "out.mp4").timed())
    assert 1 < len(frames) <= 25
    assert frames[-1][0] >= Fraction(22, 25)  # dropped frames leave no gap in time
    assert frames[-1][1][91, 80, 0] > 60 > frames[0][1][91, 80, 0]
    told = capsys.readouterr().out
    shown, dropped = (
        int(told.split(word)[0].split()[-1]) for word in (" frames shown", " dropped")
    )
    assert (shown, shown + dropped) == (len(frames), 25)


def test_a_window_gets_words_and_its_keys_count(tmp_path, clip, photo, reenactor, monkeypatch):
    pictures = []

    class Keyboard(Display):
        tells = True

        def show(self, image, time):
            pictures.append(image)

        def pressed(self):
            return {2: ["s"], 5: ["q"]}.get(len(pictures), [])

        def __exit__(self, *error):
            pictures.append(None)

    monkeypatch.setattr(live_module, "_display", lambda *_: Keyboard())
    live(clip, "window", photo, smoothing=False, reenactor=reenactor)
    assert len(pictures) == 6  # quits after the fifth, and closes
    assert pictures[-1] is None
    assert pictures[3].shape[1] == 2 * pictures[0].shape[1]
    assert (pictures[0][:20] == 255).any()  # words


@pytest.mark.parametrize(
    ("output", "target", "words"),
    [
        ("window", None, "needs target"),
        ("out.png", "photo.png", "ends in"),
        ("clip.mp4", "photo.png", "is an input"),
        ("osc://", None, "osc://HOST:PORT"),
        ("out.mp4", ".", "holds no picture|shows no face|no face"),
    ],
)
def test_what_is_refused_leaves_no_trace(
    tmp_path, clip, photo, reenactor, monkeypatch, output, target, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    target = tmp_path / "empty" if target == "." else target
    with pytest.raises(InputError, match=words):
        live(str(clip), output, target, reenactor=reenactor)
    assert sorted(tmp_path.rglob("*")) == before


def test_pictures_are_no_source(photo, reenactor):
    with pytest.raises(InputError, match="a camera or a video"):
        live(photo, "window", photo, reenactor=reenactor)
