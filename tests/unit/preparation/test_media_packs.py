"""Who is who in a folder of videos and pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from xpress.media.sources import VideoSource, open_source
from xpress.preparation.media_packs import names


@pytest.mark.parametrize(
    ("file", "person"),
    [("anna.jpg", "anna"), ("bert/1.jpg", "bert"), ("bert/2.jpg", "bert"), ("a/b/1.jpg", "a/b")],
)
def test_a_file_is_a_person_or_a_folder_is(file: str, person: str, tmp_path: Path):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((32, 32, 3), np.uint8))
    with open_source(path) as picture:
        assert names(path, tmp_path, picture, 0) == {"key": file, "identity": person}


@pytest.mark.parametrize(
    ("file", "person"), [("anna.mp4", "anna"), ("bert/1.mp4", "bert"), ("bert/2.mp4", "bert")]
)
def test_videos_are_the_same_peoples(file: str, person: str, tmp_path: Path):
    row = names(tmp_path / file, tmp_path, object.__new__(VideoSource), 7)
    assert row == {"key": f"{file}/000007", "identity": person}
