import numpy as np
import pytest
import torch

from xpress.errors import InputError
from xpress.morphable.io.ict import RANGES, read_archive, read_ict


@pytest.fixture(scope="module")
def archive(packs):
    with np.load(packs / "ict_facekit.npz") as data:
        return {name: data[name] for name in data.files}


@pytest.fixture(scope="module")
def ict(packs):
    return read_ict(packs / "ict_facekit.npz", identity_modes=10)


def test_vertices_and_bases_are_the_archives(ict, archive):
    for name, ((start, stop), _) in RANGES.items():
        part = ict.parts[name]
        block = slice(part.vertex_start, part.vertex_stop)
        np.testing.assert_array_equal(ict.mean[block], archive["neutral"][start:stop])
        expected = archive["identity"][3, start:stop] * archive["identity_scale"][3]
        np.testing.assert_allclose(ict.identity_basis[3, block], expected, rtol=1e-5, atol=1e-7)
        if not name.startswith("eyeball"):
            shape = archive["expression"][26, start:stop] * archive["expression_scale"][26]
            np.testing.assert_allclose(ict.expression_basis[26, block], shape, atol=1e-6)
    assert ict.sizes == (10, 53, 0)
    assert ict.expression_names == [str(name) for name in archive["expression_names"]]


def test_triangles_are_the_quads_halves(ict, archive):
    corners = archive["neutral"][archive["quads"][:9230]]

    def areas(a, b, c):
        return np.linalg.norm(np.cross(b - a, c - a), axis=-1) / 2

    a, b, c, d = corners.transpose(1, 0, 2)
    expected = areas(a, b, c).sum() + areas(a, c, d).sum()
    triangles = ict.mean.numpy()[ict.part_triangles("face").numpy()]
    assert areas(*triangles.transpose(1, 0, 2)).sum() == pytest.approx(expected, rel=1e-5)
    assert len(triangles) == 2 * 9230


def test_landmarks_are_the_archives_vertices(ict, archive):
    points = ict.landmark_points(ict.mean[None])[0]
    assert points.shape == (68, 3)
    np.testing.assert_allclose(points, archive["neutral"][archive["landmarks68"]], atol=1e-6)


def test_openings(ict):
    left, right = (ict.mean[loop].mean(0) for loop in ict.eyelid_loops)
    assert left[0] > 2 > -2 > right[0]
    lips = ict.mean[ict.inner_lip_loop]
    width = lips[:, 0].max() - lips[:, 0].min()
    assert 3 < width < 7  # centimetres
    assert lips[:, 1].max() < left[1]


def test_eyes_follow_the_gaze_shapes(ict):
    part = ict.parts["eyeball_left"]
    shape = ict.expression_basis[ict.expression_names.index("eyeLookOut_L")]
    front = part.vertex_start + int(ict.mean[part.vertex_start : part.vertex_stop, 2].argmax())
    assert shape[front, 0] > 0.5
    assert torch.isfinite(shape).all()


def _spoil(packs, path, how):
    if how == "garbage":
        path.write_bytes(b"no archive" * 100)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes((packs / "ict_facekit.npz").read_bytes()[:9000])
    elif how == "foreign":
        np.savez(path, weights=np.zeros(3))
    elif how == "folder":
        path.mkdir()


@pytest.mark.parametrize("how", ["missing", "garbage", "empty", "truncated", "foreign", "folder"])
def test_bad_archives_get_one_line(packs, tmp_path, how):
    path = tmp_path / "ict.npz"
    _spoil(packs, path, how)
    with pytest.raises(InputError) as caught:
        read_ict(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_smaller_mesh_is_refused(archive, tmp_path):
    path = tmp_path / "small.npz"
    np.savez(path, **{**archive, "neutral": archive["neutral"][:1000]})
    with pytest.raises(InputError, match="1000 vertices"):
        read_archive(path)
