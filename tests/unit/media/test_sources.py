from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from xpress.errors import InputError
from xpress.media.sources import DEFAULT_FPS, open_source
from xpress.structures import FaceParameters


def _parameters(frames: int) -> FaceParameters:
    return FaceParameters(
        identity=torch.randn(frames, 5),
        expression=torch.rand(frames, 53),
        color=torch.randn(frames, 4),
        illumination=torch.randn(frames, 9, 3),
        rotation=torch.randn(frames, 3),
        translation=torch.randn(frames, 2),
        scale=1 + torch.rand(frames),
    )


def test_a_photo(tmp_path: Path):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    source = open_source(tmp_path / "a.png")
    assert (source.kind, source.size, source.frame_count) == ("image", (40, 30), 1)
    assert (source.fps, source.has_audio) == (DEFAULT_FPS, False)
    [(time, frame)] = source.timed()
    assert time == 0
    assert frame[5, 5].tolist() == [255, 0, 0]
    assert len(list(source)) == len(list(source)) == 1


def test_a_video(clip):
    source = open_source(str(clip(frames=7, fps=Fraction(30000, 1001), audio="aac")))
    assert (source.kind, source.size, source.frame_count) == ("video", (64, 48), 7)
    assert (source.fps, source.has_audio) == (Fraction(30000, 1001), True)
    assert len(list(source)) == 7
    assert [time for time, _ in source.timed()][-1] == Fraction(6 * 1001, 30000)


def test_the_content_decides(clip, tmp_path: Path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    photo = (tmp_path / "a.png").rename(tmp_path / "photo.mp4")
    video = clip("clip.mov").rename(tmp_path / "clip.dat")
    assert open_source(photo).kind == "image"
    assert open_source(video).kind == "video"
    red, blue = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue], duration=100)
    moving = open_source(tmp_path / "a.gif")
    assert moving.kind == "video"
    assert moving.fps == 10
    assert [int(frame[5, 5].argmax()) for frame in moving] == [0, 2]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("stored", "rate"),
    [
        (None, DEFAULT_FPS),
        (np.array([30000, 1001]), Fraction(30000, 1001)),
        (np.array(12.5), Fraction(25, 2)),
        (np.array([1e-9, 1e-8]), Fraction(1, 10)),
    ],
)
def test_parameters(tmp_path: Path, suffix, stored, rate):
    parameters = _parameters(6)
    extra = {} if stored is None else {"fps": stored}
    parameters.save(tmp_path / f"p{suffix}", **extra)
    source = open_source(tmp_path / f"p{suffix}")
    assert (source.kind, source.frame_count, source.fps) == ("parameters", 6, rate)
    assert np.array_equal(source.parameters.expression, parameters.expression.numpy())
    with pytest.raises(InputError, match="not pictures"):
        list(source)
    with pytest.raises(InputError, match="not pictures"):
        list(source.timed())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.jpg", None, "no such file"),
        ("text.mp4", "hello\n" * 99, "not a video"),
        ("text.jpg", "hello\n" * 99, "not a picture"),
        ("text.npz", "hello\n" * 99, "not a face parameter file"),
        ("text.safetensors", "hello\n" * 99, "not a face parameter file"),
        ("text", "hello\n" * 99, "not a video"),
        ("notes.txt", "hello\n" * 99, "not a video|text file"),
        ("empty.mp4", "", "not a video"),
    ],
)
def test_refuses(tmp_path: Path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        open_source(tmp_path / name)
    message = str(caught.value)
    assert name in message
    assert "\n" not in message


def test_refuses_other_archives_empty_recordings_and_folders(tmp_path: Path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="holds no 'identity"):
        open_source(tmp_path / "other.npz")
    _parameters(0).save(tmp_path / "none.npz")
    with pytest.raises(InputError, match="holds no frame"):
        open_source(tmp_path / "none.npz")
    _parameters(2).save(tmp_path / "fast.npz", fps=np.array(-3.0))
    with pytest.raises(InputError, match="frames a second"):
        open_source(tmp_path / "fast.npz")
    with pytest.raises(InputError, match="is a folder"):
        open_source(tmp_path)
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(InputError, match="1x1"):
        open_source(tmp_path / "dot.png")


def _broken(tmp_path: Path, suffix: str, name: str, change) -> Path:
    arrays = {n: t.numpy() for n, t in vars(_parameters(6)).items()} | {"fps": np.array([25, 1])}
    arrays[name] = change(arrays[name])
    path = tmp_path / f"p{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("expression", lambda a: np.where(np.arange(6)[:, None] == 2, np.nan, a)),
        ("expression", lambda a: a + 1e30),
        ("expression", lambda a: a - 0.5),
        ("expression", lambda a: a[:4]),
        ("rotation", lambda a: np.zeros((5, 7), np.float32)),
        ("rotation", lambda a: np.zeros((6, 7), np.float32)),
        ("translation", lambda a: np.full_like(a, np.inf)),
        ("illumination", lambda a: a[:, 0]),
        ("scale", lambda a: a * 0),
        ("scale", lambda a: np.float32(1.0)),
        ("identity", lambda a: a.astype(bool)),
        ("fps", lambda a: np.array(np.nan)),
        ("fps", lambda a: np.zeros(0)),
        ("fps", lambda a: np.array([25, 0])),
        ("fps", lambda a: np.array([1.0, 2.0, 3.0])),
        ("fps", lambda a: np.array(1e30)),
        ("fps", lambda a: a > 3),
    ],
)
def test_values_that_no_recording_has_are_one_line(tmp_path, suffix, name, change):
    path = _broken(tmp_path, suffix, name, change)
    with pytest.raises(InputError, match=name if name != "fps" else "frames a second") as told:
        open_source(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_text_and_objects_in_a_recording_are_refused(tmp_path):
    for value in (np.array("25"), np.array(["a", "b"]), np.array([{}, {}], dtype=object)):
        path = _broken(tmp_path, ".npz", "fps", lambda _, value=value: value)
        with pytest.raises(InputError, match=r"frames a second|frame rate"):
            open_source(path)
        path = _broken(tmp_path, ".npz", "identity", lambda _, value=value: value)
        with pytest.raises(InputError, match=r"identity|not a face parameter file"):
            open_source(path)


def test_rounding_beyond_the_limits_is_taken_back(tmp_path):
    path = _broken(tmp_path, ".npz", "expression", lambda a: a.astype(">f8") * 0 + 1.0000001)
    assert float(open_source(path).parameters.expression.max()) == 1.0
