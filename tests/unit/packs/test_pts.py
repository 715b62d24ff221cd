from __future__ import annotations

import cv2
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.packs import read_records


def write(path, points):
    body = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    path.write_text(f"version: 1\nn_points:  {len(points)}\n{{\n{body}\n}}\n")


def test_coordinates_count_from_one(tmp_path):
    image = np.zeros((60, 60, 3), np.uint8)
    (tmp_path / "indoor").mkdir()
    cv2.imwrite(str(tmp_path / "indoor" / "a.png"), image)
    points = np.random.default_rng(0).uniform(5, 55, (68, 2))
    write(tmp_path / "indoor" / "a.pts", points)
    records = read_records(tmp_path)
    assert np.allclose(records.landmarks68[0], points - 1, atol=1e-4)
    assert records.keys == ["indoor/a"]
    assert records.identities == [""]


def test_files_of_other_kinds_are_skipped_and_named_once(tmp_path, caplog):
    points = np.random.default_rng(0).uniform(5, 55, (68, 2))
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), np.zeros((60, 60, 3), np.uint8))
    write(tmp_path / "a.pts", points)
    write(tmp_path / "b.pts", points[:29])
    (tmp_path / "c.pts").write_text("nonsense")
    write(tmp_path / "d.pts", points)  # without a picture
    records = read_records(tmp_path)
    assert records.keys == ["a"]
    assert records.skipped == 3
    assert len(caplog.messages) == 1
    assert "(first: b.pts)" in caplog.messages[0]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither a \.csv of landmarks nor \.pts files"):
        read_records(tmp_path)
