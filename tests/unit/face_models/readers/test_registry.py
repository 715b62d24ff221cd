"""The readers by name, and what all of them share."""

from importlib.resources import files

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.readers.registry import NEEDED, READERS, needed, read_rig


def test_every_reader_has_a_choice_and_says_which_file_it_needs():
    choices = {p.name.removesuffix(".yaml") for p in (files("xpress.conf") / "morphable").iterdir()}
    assert choices == {*READERS, "default"}
    assert NEEDED.keys() == READERS.keys()
    with pytest.raises(InputError, match="morphable=bfm2005: no such reader; choose bfm"):
        needed("bfm2005")


def test_landmarks_of_the_user_take_the_place_of_the_file_s(patch, tmp_path):
    path, marks = tmp_path / "rig.npz", tmp_path / "marks.txt"
    np.savez(
        path,
        vertices=patch.vertices,
        faces=patch.triangles,
        expression=np.zeros((0, 12, 3)),
        expression_names=np.array([], "U1"),
    )
    chosen = np.full(68, -1)
    chosen[8] = 3
    np.savetxt(marks, chosen, fmt="%d")
    rig = read_rig("npz", path, marks)
    assert list(rig.landmarks) == [8]
    np.testing.assert_allclose(rig.landmarks[8], patch.vertices[3], atol=1e-6)
    marks.write_text("12\n" * 68)
    with pytest.raises(InputError, match=r"marks\.txt: needs 68 vertices below 12"):
        read_rig("npz", path, marks)
