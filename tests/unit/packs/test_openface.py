"""OpenFace's tables, columns found by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.packs.openface import COLUMNS, read_openface


def write(path: Path, header: list[str], lines: list[list]) -> Path:
    text = [", ".join(header), *(", ".join(map(str, line)) for line in lines)]
    path.write_text("\n".join(text) + "\n")
    return path


def test_columns_are_found_by_name_and_scaled(tmp_path: Path) -> None:
    header = ["frame", "face_id", "confidence", "success", *reversed(COLUMNS), "AU01_c"]
    numbers = list(np.linspace(0, 6, 17))
    path = write(
        tmp_path / "clip.csv", header, [[1, 0, 0.9, 1, *numbers, 1], [2, 0, 0, 0, *numbers, 0]]
    )
    units = read_openface(path)
    assert len(units) == 1  # the second line found no face
    found = units("folder/clip.mp4/000000")  # OpenFace counts from one, packs from zero
    assert found is not None
    np.testing.assert_allclose(found, np.minimum(np.linspace(1.2, 0, 17), 1), atol=1e-6)
    assert units("folder/clip.mp4/000001") is None


def test_named_pictures_and_the_surest_face(tmp_path: Path) -> None:
    header = ["file", "confidence", *COLUMNS]
    lines = [
        ["a/one.jpg", 0.5, *[1] * 17],
        ["a/one.jpg", 0.8, *[5] * 17],
        ["two.png", 1, *[0] * 17],
    ]
    units = read_openface(write(tmp_path / "all.csv", header, lines))
    for key, value in {"a/one.jpg": 1.0, "elsewhere/one.png": 1.0, "two": 0.0}.items():
        found = units(key)
        assert found is not None
        np.testing.assert_allclose(found, value)


def test_a_single_picture_is_named_by_its_table(tmp_path: Path) -> None:
    units = read_openface(write(tmp_path / "face.csv", list(COLUMNS), [[2.5] * 17]))
    assert units("people/face.jpg") is not None


def test_missing_units_are_one_line(tmp_path: Path) -> None:
    header = [name for name in COLUMNS if name not in ("AU09_r", "AU45_r")]
    path = write(tmp_path / "clip.csv", header, [[1] * 15])
    with pytest.raises(InputError, match=r"lacks AU09_r, AU45_r; run OpenFace"):
        read_openface(path)
    with pytest.raises(InputError, match="no line"):
        read_openface(write(tmp_path / "none.csv", list(COLUMNS), [["x"] * 17]))
    with pytest.raises(InputError, match="no such file"):
        read_openface(tmp_path / "absent.csv")
