"""A video's rows are kept stretch by stretch, and go on as if nothing had been."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from xpress.media.images import read_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.preparation.faces import parts
from xpress.preparation.faces.files import MediaFile, listed
from xpress.preparation.faces.parts import is_done, part_path, parts_of, read_story, write_parts
from xpress.preparation.faces.settings import PrepareSettings
from xpress.preparation.faces.story import FileStory

SETTINGS = PrepareSettings(every=2)


@pytest.fixture(scope="module")
def clip(samples: Path, tmp_path_factory) -> MediaFile:
    """Two shots of one face each, and one of two faces that move."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    both = read_image(samples / "two_people.jpg")
    height, width = (side // 2 * 2 for side in both.shape[:2])
    with VideoWriter(path, 25, (width, height)) as writer:
        for name in ("talking_man", "talking_woman"):
            for frame in islice(VideoReader(samples / f"{name}.mp4"), 5):
                canvas = np.zeros((height, width, 3), np.uint8)
                place = canvas[: frame.shape[0], : frame.shape[1]]
                place[:] = frame[: place.shape[0], : place.shape[1]]
                writer.write(canvas)
        for shift in range(7):
            moved = np.roll(both[:height, :width], 2 * shift, axis=1)
            writer.write(np.ascontiguousarray(moved))
    return listed([path], SETTINGS)[0]


@pytest.fixture(scope="module")
def whole(clip: MediaFile, tmp_path_factory) -> Path:
    """All stretches of two pictures."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "STRETCH", 2)
        write_parts(clip, SETTINGS, folder)
    return folder


@pytest.mark.parametrize("there", [1, 2, 4])
def test_stretches_come_out_the_same_from_wherever_it_goes_on(
    clip: MediaFile, whole: Path, there: int, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(parts, "STRETCH", 2)
    done = parts_of(whole, clip)
    assert len(done) == 5  # nine pictures
    for part in done[:there]:
        shutil.copy(part, tmp_path)
    assert not is_done(tmp_path, clip)
    write_parts(clip, SETTINGS, tmp_path)
    assert is_done(tmp_path, clip)
    for part in done:
        assert (tmp_path / part.name).read_bytes() == part.read_bytes()
    before = [part.stat().st_mtime_ns for part in parts_of(tmp_path, clip)]
    write_parts(clip, SETTINGS, tmp_path)
    assert [part.stat().st_mtime_ns for part in parts_of(tmp_path, clip)] == before


def test_stretches_are_together_what_one_is(clip: MediaFile, whole: Path, tmp_path: Path):
    write_parts(clip, SETTINGS, tmp_path)
    (one,) = parts_of(tmp_path, clip)
    joined = FileStory.joined([read_story(part) for part in parts_of(whole, clip)])
    alone = read_story(one)
    assert joined.told() == alone.told()
    assert (joined.shots, joined.frames, joined.faces) == (3, 9, alone.faces)
    assert len(joined.tracks) == len(alone.tracks) >= 4
    for first, second in zip(joined.tracks, alone.tracks, strict=True):
        assert (first.number, first.first, first.last) == (second.number, second.first, second.last)
        np.testing.assert_allclose(first.appearance, second.appearance, atol=2e-3)
    keys = [key for p in parts_of(whole, clip) for key in pq.read_table(p)["key"].to_pylist()]
    assert keys == pq.read_table(one)["key"].to_pylist()
    assert len(set(keys)) == len(keys)


def test_a_video_that_breaks_off_keeps_what_it_gave(clip: MediaFile, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(parts, "STRETCH", 2)
    cut = tmp_path / "cut.mkv"
    with VideoWriter(cut, 25, VideoReader(clip.path).size) as writer:
        for frame in VideoReader(clip.path):
            writer.write(frame)
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    file = listed([cut], SETTINGS)[0]
    write_parts(file, SETTINGS, tmp_path)
    story = FileStory.joined([read_story(part) for part in parts_of(tmp_path, file)])
    assert "cut off" in story.error
    assert story.kept > 0
    assert part_path(tmp_path, file).exists()
