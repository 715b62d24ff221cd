"""OpenFace's tables, read back by column."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from xpress.morphable.action_units import ACTION_UNITS
from xpress.morphable.io.open_face import write_open_face


def _columns(path: Path) -> dict[str, list[float]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def test_columns(tmp_path: Path):
    units = np.zeros((3, 17))
    units[:, ACTION_UNITS.index(12)] = (0.1, 0.5, 1.0)
    rotation = np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.0, 0.3, 0.0]])
    landmarks = np.arange(3 * 68 * 2).reshape(3, 68, 2).astype(float)
    detected = np.array([True, False, True])
    path = tmp_path / "out.csv"
    write_open_face(path, units, rotation, Fraction(10), landmarks, detected)
    columns = _columns(path)
    assert columns["frame"] == [1, 2, 3]
    assert columns["timestamp"] == pytest.approx([0, 0.1, 0.2])
    assert columns["success"] == columns["confidence"] == [1, 0, 1]
    assert columns["AU12_r"] == pytest.approx([0.5, 2.5, 5])
    assert columns["AU12_c"] == [0, 1, 1]
    assert columns["AU45_r"] == [0, 0, 0]
    assert columns["x_67"] == landmarks[:, 67, 0].tolist()
    assert columns["y_0"] == landmarks[:, 0, 1].tolist()
    assert columns["pose_Rx"] == pytest.approx([0, 0.2, 0])
    assert columns["pose_Ry"] == pytest.approx([0, 0, -0.3])


def test_without_pictures_there_are_no_landmarks(tmp_path: Path):
    write_open_face(tmp_path / "out.csv", np.zeros((1, 17)), np.zeros((1, 3)), Fraction(25))
    columns = _columns(tmp_path / "out.csv")
    assert "x_0" not in columns
    assert columns["success"] == [1]
