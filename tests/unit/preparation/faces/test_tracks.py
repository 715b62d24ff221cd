"""Every face of a video is followed, each under a number of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xpress.extraction.face_reader import FaceReader
from xpress.media.images import read_image
from xpress.media.sources import open_source
from xpress.media.video import VideoReader
from xpress.preparation.faces.tracks import SEARCH_EVERY, FaceTracks, faces_of


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    return FaceReader.from_pretrained()


def test_two_people_keep_their_numbers_and_who_comes_later_gets_one(reader, samples: Path):
    both = read_image(samples / "two_people.jpg")
    alone = both.copy()
    alone[:, : both.shape[1] // 2] = 127
    tracks = FaceTracks(reader)
    cuts = iter([True])
    tracks._cuts = lambda image: next(cuts, False)  # type: ignore[assignment]
    seen = [tracks(alone)]
    seen += [tracks(np.roll(both, n, axis=1)) for n in range(SEARCH_EVERY + 2)]
    assert [face.track for face in seen[0]] == [0]
    assert sorted(face.track for face in seen[-1]) == [0, 1]
    middle = {face.track: face.face.landmarks68.mean(0)[0] for face in seen[-1]}
    assert middle[1] < middle[0]
    here = next(face for face in seen[1] if face.track == 0)
    assert middle[0] - here.face.landmarks68.mean(0)[0] == pytest.approx(SEARCH_EVERY + 1, abs=4)


def test_a_cut_ends_all_tracks(reader, samples: Path):
    man = next(iter(VideoReader(samples / "talking_man.mp4")))
    woman = next(iter(VideoReader(samples / "talking_woman.mp4")))
    tracks = FaceTracks(reader)
    seen = [tracks(image) for image in (man, man, woman, woman)]
    assert [[(f.track, f.shot) for f in faces] for faces in seen] == [
        [(0, 0)],
        [(0, 0)],
        [(1, 1)],
        [(1, 1)],
    ]


def test_a_picture_gives_its_faces_from_the_left(reader, samples: Path):
    opened = open_source(samples / "two_people.jpg")
    ((number, image, faces),) = faces_of(opened, FaceTracks(reader), 5)
    assert (number, image.shape[2]) == (0, 3)
    x = [face.face.landmarks68.mean(0)[0] for face in faces]
    assert [face.track for face in faces] == [0, 1]
    assert x == sorted(x)
