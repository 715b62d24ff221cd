"""`infer.py task=edit` and `task=interpolate` on real media."""

from fractions import Fraction

import av
import numpy as np
import pytest

from xpress import ExpressionEditor, Reenactor
from xpress.commands.edit import edit
from xpress.commands.interpolate import interpolate
from xpress.errors import InputError
from xpress.media.images import read_image
from xpress.media.video import VideoReader
from xpress.morphable.action_units import ACTION_UNIT_NAMES


def unit(reenactor: Reenactor, image, name: str) -> float:
    return reenactor.extract(image).action_units[ACTION_UNIT_NAMES.index(name)]


def boxes(samples) -> dict[str, tuple[slice, slice]]:
    """The face owner's eyes and mouth in the man's portrait."""
    marks = np.load(samples / "portrait_man.landmarks.npz")["landmarks68"][0]
    rows = {"right": slice(36, 42), "left": slice(42, 48), "mouth": slice(48, 68)}
    found = {}
    for name, part in rows.items():
        (x0, y0), (x1, y1) = marks[part].min(0).astype(int), marks[part].max(0).astype(int)
        found[name] = (slice(y0 - 2, y1 + 3), slice(x0 + 2, x1 - 1))
    return found


def test_a_smile_and_a_wink(infer, samples, tmp_path):
    path, target = tmp_path / "new" / "out.png", samples / "portrait_man.jpg"
    done = infer("task=edit", f"target={target}", f"output={path}", "aus.AU12=0.9", "aus.AU45_L=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{path}: AU12=0.9, AU45_L=1; 1 face found and edited"
    before, after = read_image(target), read_image(path)
    assert after.shape == before.shape
    change = np.abs(after.astype(float) - before).mean(-1)
    by_place = {name: change[place].mean() for name, place in boxes(samples).items()}
    assert by_place["left"] > 10
    assert by_place["mouth"] > 10
    assert by_place["right"] < 0.4 * by_place["left"]
    assert not change[:10].any()
    assert not change[:, :10].any()
    reenactor = Reenactor.from_pretrained()
    assert unit(reenactor, after, "AU12") > unit(reenactor, before, "AU12") + 0.2


def test_the_library_edits_and_keeps_a_face_that_shows_it_already(samples):
    editor = ExpressionEditor.from_pretrained()
    image = read_image(samples / "portrait_woman.jpg")
    np.testing.assert_array_equal(editor.edit(image, {}), image)
    own = unit(editor.reenactor, image, "AU26")
    opened = editor.edit(image, {"AU26": 0.8})
    assert unit(editor.reenactor, opened, "AU26") > own + 0.15


def test_a_video_keeps_frames_rate_and_sound(infer, short_clip, tmp_path):
    path = tmp_path / "out.mp4"
    done = infer("task=edit", f"target={short_clip}", f"output={path}", "aus.AU45=1")
    assert done.returncode == 0, done.stderr
    assert "12 frames in" in done.stdout
    reader = VideoReader(path)
    assert reader.fps == Fraction(25)
    frames, own = (np.stack(list(VideoReader(p))).astype(float) for p in (path, short_clip))
    assert frames.shape == own.shape
    assert np.abs(frames - own).max(axis=(0, 3))[100:400].max() > 40
    assert np.abs(frames - own)[:, :40, :40].mean() < 4  # the encoder's loss
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(audio=0)) > 5


def test_interpolation_as_strip_and_video(infer, samples, tmp_path, repository):
    demo = repository / "src/xpress/assets/demo/target.jpg"
    call = ["task=interpolate", f"source={demo}", f"target={samples / 'portrait_man.jpg'}"]
    done = infer(*call, f"output={tmp_path / 'strip.png'}", "steps=[0.5,1]")
    assert done.returncode == 0, done.stderr
    strip = read_image(tmp_path / "strip.png")
    tiles = np.split(strip, 4, axis=1)
    assert tiles[0].shape[0] == tiles[0].shape[1]
    reenactor = Reenactor.from_pretrained()
    smiles = [unit(reenactor, tile, "AU12") for tile in tiles]
    assert smiles[0] < smiles[1] < smiles[2]
    done = infer(*call, f"output={tmp_path / 'out.mp4'}", "steps=[1.0]")
    assert done.returncode == 0, done.stderr
    frames = list(VideoReader(tmp_path / "out.mp4"))
    assert len(frames) == 40
    target = read_image(samples / "portrait_man.jpg").astype(float)
    assert np.abs(frames[0] - target).mean() < 4
    assert np.abs(frames[-1].astype(float) - frames[0]).max() > 60


def test_bad_input_is_one_line_and_leaves_nothing(infer, samples, tmp_path):
    target, output = samples / "portrait_man.jpg", tmp_path / "new" / "out.png"
    photo, video = samples / "two_people.jpg", samples / "talking_man.mp4"
    commands = {
        "no such action unit; choose from AU1 inner brow raiser": ["task=edit", "aus.AU3=1"],
        "steps=[1.5]": ["task=interpolate", f"source={photo}", "steps=[1.5]"],
    }
    for message, arguments in commands.items():
        done = infer(*arguments, f"target={target}", f"output={output}")
        assert done.returncode == 2, (message, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert message in done.stderr
    for message, call in {
        r"task=edit needs aus\.": lambda: edit(target, output),
        "face=9": lambda: edit(target, output, {"AU12": 1}, face=9),
        "takes two photos": lambda: interpolate(video, target, output),
    }.items():
        with pytest.raises(InputError, match=message):
            call()
    assert not any(tmp_path.iterdir())
