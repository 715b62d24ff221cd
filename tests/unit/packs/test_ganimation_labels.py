"""The authors' pickle of action units, read without running what it says."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.packs.ganimation_labels import read_ganimation


class Attack:
    """Creates a file when a plain unpickler reads it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.file),)


class Typed:
    """A numpy type of objects, which could hold anything."""

    def __reduce__(self) -> tuple:
        return np.dtype, ("O",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_reads_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "aus.pkl"
    rows = {"N_01": np.linspace(0, 6, 17), "b": np.full(17, 2.5, np.float32), "c": np.arange(17)}
    path.write_bytes(pickle.dumps(rows, protocol))
    units = read_ganimation(path)
    assert len(units) == 3
    np.testing.assert_allclose(units("N_01"), np.minimum(np.linspace(0, 1.2, 17), 1))
    np.testing.assert_allclose(units("faces/b.jpg"), 0.5)
    assert units("unknown") is None


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_runs_nothing(tmp_path: Path, protocol: int) -> None:
    path, mark = tmp_path / "aus.pkl", tmp_path / "owned"
    path.write_bytes(pickle.dumps({"a": np.zeros(17), "b": Attack(mark)}, protocol))
    with pytest.raises(InputError, match=r"refused, because it asks for .*mkdir"):
        read_ganimation(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"a": np.array([1, "x"], object)},
        collections.OrderedDict(a=np.zeros(17)),
        {"a": Typed()},
        {"a": print},
        [np.zeros(17)],
        {},
        {"a": np.zeros(3)},
        {"a": np.array(["x"] * 17)},
        {"a": np.full(17, np.nan)},
        {1: np.zeros(17)},
        {"a": "x"},
    ],
    ids=[
        *("objects", "ordered", "a class", "a function", "a list", "empty", "three", "strings"),
        *("not a number", "a numbered name", "a string"),
    ],
)
def test_anything_else_is_one_line(tmp_path: Path, content: object) -> None:
    path = tmp_path / "aus.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError) as caught:
        read_ganimation(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_broken_or_missing_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "aus.pkl"
    path.write_bytes(b"cos\nsystem\n")
    with pytest.raises(InputError, match=r"os\.system"):
        read_ganimation(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="not a readable pickle"):
        read_ganimation(path)
    with pytest.raises(InputError, match="no such file"):
        read_ganimation(tmp_path / "none.pkl")
