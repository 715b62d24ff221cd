import numpy as np
import pytest

from xpress.errors import InputError
from xpress.morphable.io.obj import write_obj


def parse(path):
    """Vertices, colours and faces as the format's definition has them."""
    lines = [line.split() for line in path.read_text().splitlines()]
    numbers = np.array([[float(x) for x in line[1:]] for line in lines if line[0] == "v"])
    faces = np.array([[int(x) for x in line[1:]] for line in lines if line[0] == "f"])
    assert {line[0] for line in lines} == {"v", "f"}
    return numbers[:, :3], numbers[:, 3:], faces


def test_tetrahedron_comes_back(tmp_path):
    vertices = np.array([[0, 0, 0], [1.25, 0, 0], [0, -2.5, 0], [0, 0, 0.333]])
    triangles = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    colors = np.array([[0.1, 0.2, 0.3], [1.5, -0.2, 0], [0, 1, 0], [0.5, 0.5, 0.5]])
    write_obj(tmp_path / "mesh.obj", vertices, triangles, colors)
    got, tints, faces = parse(tmp_path / "mesh.obj")
    np.testing.assert_allclose(got, vertices)
    np.testing.assert_allclose(tints, colors.clip(0, 1))
    np.testing.assert_array_equal(faces, triangles + 1)


def test_without_colors_lines_hold_three_numbers(tmp_path):
    write_obj(tmp_path / "a.obj", np.eye(3), np.array([[0, 1, 2]]))
    _, tints, _ = parse(tmp_path / "a.obj")
    assert tints.shape == (3, 0)


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"mesh\.obj"):
        write_obj(tmp_path / "file" / "mesh.obj", np.eye(3), np.array([[0, 1, 2]]))
