"""ICT-FaceKit's folder of OBJ files."""

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig


@pytest.fixture
def folder(patch, tmp_path):
    faces = "".join(f"f {' '.join(f'{v + 1}/{v + 1}' for v in quad)}\n" for quad in patch.quads)

    def write(name, vertices):
        lines = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices)
        (tmp_path / f"{name}.obj").write_text(lines + "vt 0 0\n" + faces)

    write("generic_neutral_mesh", patch.vertices)
    write("identity000", patch.vertices + np.array([1, 0, 0]))
    write("identity001", patch.vertices + np.array([0, 2, 0]))
    write("jawOpen", patch.vertices - [0, 3, 0])
    return tmp_path


def test_files_become_offsets(folder, patch):
    rig = read_rig("ict", folder)
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_allclose(rig.identity[1], np.tile([0, 2, 0], (12, 1)), atol=1e-5)
    assert rig.expression_names == ["jawOpen"]
    np.testing.assert_allclose(rig.expression[0], np.tile([0, -3, 0], (12, 1)), atol=1e-5)
    assert len(rig.triangles) == 12
    normal = np.cross(*(rig.mean[rig.triangles[0, [1, 2]]] - rig.mean[rig.triangles[0, 0]]))
    assert normal[2] > 0


def test_what_is_missing_or_of_another_mesh(folder):
    (folder / "identity000.obj").write_text("v 0 0 0\n")
    with pytest.raises(InputError, match=r"identity000\.obj: has 1 vertices.*has 12"):
        read_rig("ict", folder)
    (folder / "generic_neutral_mesh.obj").unlink()
    with pytest.raises(InputError, match=r"generic_neutral_mesh\.obj: no such file.*FaceXModel"):
        read_rig("ict", folder)
