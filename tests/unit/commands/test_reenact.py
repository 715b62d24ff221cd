from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from xpress.commands.demo_performance import FPS, SECONDS, write_performance
from xpress.commands.extract import extract
from xpress.commands.reenact import reenact
from xpress.errors import InputError
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.structures import FaceParameters


@pytest.fixture(autouse=True)
def keep_threads():
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def write_clip(path: Path, frames, fps=Fraction(25), times=None, audio_from=None) -> Path:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, fps, (width, height), audio_from, crf=1) as writer:
        for i, frame in enumerate(frames):
            writer.write(frame, None if times is None else times[i])
    return path


def write_tone(path: Path, seconds: float) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for start in range(0, int(seconds * 16000), 1024):
            tone = np.sin(np.arange(start, start + 1024) / 9).astype(np.float32)[None] * 0.3
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def driver(tmp_path, world) -> Path:
    """30 frames at 29.97 a second, the jaw open in the second half; with sound."""
    frames = [world.frame((60.0 + i, 80.0, 0.0 if i < 15 else 0.6, 0)) for i in range(30)]
    sound = write_tone(tmp_path / "tone.m4a", 1.0)
    return write_clip(tmp_path / "driver.mp4", frames, Fraction(30000, 1001), audio_from=sound)


@pytest.fixture
def photo(tmp_path, world) -> Path:
    write_image(tmp_path / "photo.png", world.frame((80.0, 90.0, 0.0, 0)))
    return tmp_path / "photo.png"


def jaws(path: Path, x=80, y=91) -> np.ndarray:
    return np.array([frame[y, x, 0] for frame in VideoReader(path)]) / 255


def run(reenactor, source, target, output, **options):
    options = {"progress": False, "smoothing": False, "reenactor": reenactor} | options
    reenact(source, target, output, **options)


def test_frames_rate_and_sound_are_the_drivers(reenactor, driver, photo, tmp_path, capsys):
    run(reenactor, driver, photo, tmp_path / "deep" / "out.mp4")
    reader = VideoReader(tmp_path / "deep" / "out.mp4")
    assert len(list(reader)) == 30
    assert reader.fps == Fraction(30000, 1001)
    assert reader.size == (160, 160)
    assert reader.has_audio
    opened = jaws(tmp_path / "deep" / "out.mp4")
    assert (opened[:15] < 0.15).all()
    assert (opened[15:] > 0.45).all()
    printed = capsys.readouterr().out
    assert "30 frames in" in printed
    for stage in ("decode", "extract", "render", "encode"):
        assert stage in printed
    assert "without a face" not in printed
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["out.mp4"]


def test_variable_times_are_kept(reenactor, world, photo, tmp_path):
    times = [Fraction(t, 100) for t in (0, 4, 8, 30, 34, 70)]
    frames = [world.frame((60.0 + i, 80.0, 0.1, 0)) for i in range(6)]
    source = write_clip(tmp_path / "vfr.mkv", frames, Fraction(25), times)
    run(reenactor, source, photo, tmp_path / "out.mkv")
    got = [float(time) for time, _ in VideoReader(tmp_path / "out.mkv").timed()]
    np.testing.assert_allclose(got, [float(t) for t in times], atol=0.002)


def test_frames_without_a_face_are_kept_held_and_counted(reenactor, world, photo, tmp_path, capsys):
    shown = world.frame((70.0, 80.0, 0.0, 0))
    opened = world.frame((70.0, 80.0, 0.6, 0))
    source = write_clip(tmp_path / "gap.mp4", [shown] * 6 + [opened] * 4 + [world.frame()] * 5)
    run(reenactor, source, photo, tmp_path / "out.mp4")
    got = jaws(tmp_path / "out.mp4")
    assert len(got) == 15
    assert (got[10:] > 0.45).all()
    assert "5 frames without a face" in capsys.readouterr().out


def test_photo_to_photo_is_bit_exact_outside_the_face(reenactor, world, photo, tmp_path):
    write_image(tmp_path / "open.png", world.frame((60.0, 60.0, 0.7, 0)))
    run(reenactor, tmp_path / "open.png", photo, tmp_path / "out.png")
    before, after = read_image(photo), read_image(tmp_path / "out.png")
    changed = (before != after).any(-1)
    assert 0 < changed.sum() <= 4 * 16


def test_short_target_video_goes_back_and_forth(reenactor, world, driver, tmp_path):
    frames = [world.frame((60.0 + 4 * i, 90.0, 0.0, 0)) for i in range(10)]
    target = write_clip(tmp_path / "target.mp4", frames, Fraction(30000, 1001))
    run(reenactor, driver, target, tmp_path / "out.mp4")
    places = [
        np.flatnonzero((frame[100] > 120)[:, 2]).mean()
        for frame in VideoReader(tmp_path / "out.mp4")
    ]
    assert len(places) == 30
    expected = [60 + 4 * min(i % 18, 18 - i % 18) for i in range(30)]
    np.testing.assert_allclose(places, expected, atol=2.5)


def test_photo_drives_a_video_in_the_videos_own_time(reenactor, world, tmp_path):
    write_image(tmp_path / "open.png", world.frame((60.0, 60.0, 0.7, 0)))
    frames = [world.frame((80.0, 90.0, 0.0, 0))] * 12
    target = write_clip(tmp_path / "target.mp4", frames, Fraction(10))
    run(reenactor, tmp_path / "open.png", target, tmp_path / "out.mp4")
    got = jaws(tmp_path / "out.mp4")
    assert len(got) == 12
    assert (got > 0.5).all()
    assert VideoReader(tmp_path / "out.mp4").fps == 10


def test_recording_drives(reenactor, model, photo, tmp_path):
    write_performance(tmp_path / "script.npz", model)
    run(reenactor, tmp_path / "script.npz", photo, tmp_path / "out.mp4")
    assert len(jaws(tmp_path / "out.mp4")) == round(FPS * SECONDS)


def test_bad_requests_leave_nothing_behind(reenactor, world, driver, photo, tmp_path):
    write_image(tmp_path / "empty.png", world.frame())
    empty = write_clip(tmp_path / "empty.mp4", [world.frame()] * 8)
    before = sorted(p.name for p in tmp_path.iterdir())
    out = tmp_path / "new" / "folder" / "out.mp4"
    cases = [
        ((driver, tmp_path / "none.png", out, {}), "no such file"),
        ((driver, tmp_path / "empty.png", out, {}), r"empty\.png: no face"),
        ((empty, photo, out, {}), r"empty\.mp4: no face"),
        ((driver, empty, out, {}), r"empty\.mp4: no face"),
        ((driver, photo, tmp_path / "out.avi", {}), r"\.mp4"),
        ((driver, photo, tmp_path / "out.png", {}), r"\.mp4"),
        ((photo, photo, out, {}), r"two photos"),
        ((driver, photo, driver, {}), "is an input"),
        ((driver, photo, out, {"face": "3"}), "face=3"),
        ((driver, photo, out, {"motion": "fast"}), "motion=fast"),
        ((driver, photo, out, {"regions": ["ears"]}), "ears"),
        ((driver, photo, out, {"threads": 0}), "threads=0"),
        ((driver, photo, driver.parent / "photo.png" / "out.mp4", {}), r"photo\.png"),
    ]
    for (source, target, output, options), message in cases:
        with pytest.raises(InputError, match=message):
            run(reenactor, source, target, output, **options)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_existing_output_is_kept_unless_told(reenactor, driver, photo, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_text("precious")
    with pytest.raises(InputError, match="exists"):
        run(reenactor, driver, photo, out, overwrite=False)
    assert out.read_text() == "precious"
    run(reenactor, driver, photo, out)
    assert len(jaws(out)) == 30


def test_extract_photo_writes_parameters_mesh_and_overlay(reenactor, world, model, tmp_path):
    write_image(tmp_path / "photo.png", world.frame((90.0, 70.0, 0.4, 0)))
    extract(tmp_path / "photo.png", tmp_path / "found", progress=False, reader=reenactor)
    assert sorted(p.name for p in (tmp_path / "found").iterdir()) == [
        "mesh.obj",
        "overlay.png",
        "params.npz",
    ]
    parameters = FaceParameters.load(tmp_path / "found" / "params.npz")
    assert len(parameters) == 1
    with np.load(tmp_path / "found" / "params.npz") as archive:
        assert archive["landmarks68"].shape == (1, 68, 2)
        assert archive["contours"].shape == (1, 138, 2)
        assert archive["detected"].tolist() == [True]
        assert archive["action_units"].shape == (1, 17)
        assert archive["action_unit_names"].tolist()[:3] == ["AU1", "AU2", "AU4"]
    lines = (tmp_path / "found" / "mesh.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == len(model.mean)
    overlay = read_image(tmp_path / "found" / "overlay.png")
    assert (overlay != read_image(tmp_path / "photo.png")).any()


def test_extract_video_holds_gaps_and_drives_again(reenactor, world, photo, tmp_path):
    shown = [world.frame((60.0 + i, 80.0, i / 20, 0)) for i in range(10)]
    clip = write_clip(tmp_path / "clip.mp4", [world.frame(), *shown, world.frame()])
    extract(clip, tmp_path / "found", smoothing=False, progress=False, reader=reenactor)
    with np.load(tmp_path / "found" / "params.npz") as archive:
        detected = archive["detected"]
        jaw = archive["expression"][:, archive["expression"].max(0).argmax()]
        assert archive["fps"].tolist() == [25, 1]
    assert detected.tolist() == [False] * 6 + [True] * 5 + [False] or detected.sum() >= 5
    assert not detected[0]
    assert not detected[-1]
    assert jaw[-1] == jaw[-2]
    assert len(list(VideoReader(tmp_path / "found" / "overlay.mp4"))) == 12
    run(reenactor, tmp_path / "found" / "params.npz", photo, tmp_path / "out.mp4")
    assert len(jaws(tmp_path / "out.mp4")) == 12


def test_extract_all_faces_from_the_left(reenactor, world, tmp_path):
    image = world.frame((50.0, 70.0, 0.2, 0), (120.0, 70.0, 0.9, 0))
    write_image(tmp_path / "two.png", image)
    target, found = tmp_path / "two.png", tmp_path / "found"
    extract(target, found, face="all", progress=False, reader=reenactor)
    shifts = [
        FaceParameters.load(found / f"face{i}" / "params.npz").translation[0, 0] for i in range(2)
    ]
    assert shifts[0] == pytest.approx(50, abs=1)
    assert shifts[1] == pytest.approx(120, abs=1)
    assert (found / "overlay.png").exists()


def test_extract_leaves_nothing_without_a_face(reenactor, world, tmp_path):
    write_image(tmp_path / "empty.png", world.frame())
    write_clip(tmp_path / "empty.mp4", [world.frame()] * 8)
    before = sorted(p.name for p in tmp_path.iterdir())
    for name in ("empty.png", "empty.mp4"):
        with pytest.raises(InputError, match="no face"):
            extract(tmp_path / name, tmp_path / "found", progress=False, reader=reenactor)
    with pytest.raises(InputError, match="is a file"):
        extract(tmp_path / "empty.png", tmp_path / "empty.mp4", reader=reenactor)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
