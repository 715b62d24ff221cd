"""One suite for every backend."""

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from xpress.errors import InputError
from xpress.rendering.camera import project
from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.z_buffer import rasterize_numpy

ONE = torch.tensor([[0, 1, 2]])


def _edge_distances(vertices, triangles, size):
    """(B, F, H, W) signed distance in pixels to the nearest edge's line, positive inside."""
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    center = torch.stack([columns, rows], -1).double()
    corners = vertices.double()[:, triangles][..., :2]
    side = corners.roll(-1, 2) - corners
    toward = center[:, :, None] - corners[:, :, None, None]
    cross = (
        side[..., None, None, :, 0] * toward[..., 1] - side[..., None, None, :, 1] * toward[..., 0]
    )
    distance = cross / side.norm(dim=-1)[..., None, None, :]
    first, second = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    sign = (first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]).sign()
    return (distance * sign[..., None, None, None]).amin(-1)


def _agree_but_for_ties(seen, other, vertices, triangles, size):
    """Every difference is explained by an edge or an equal depth at that pixel, within 1e-3."""
    for image, row, column in (seen != other).nonzero().tolist():
        center = torch.tensor([column, row], dtype=torch.float64)
        depths = []
        for index in (int(seen[image, row, column]), int(other[image, row, column])):
            if index < 0:
                depths.append(None)
                continue
            corners = vertices[image, triangles[index]].double()
            plane = torch.cat([corners[:, :2], torch.ones(3, 1, dtype=torch.float64)], 1)
            weights = torch.linalg.solve(plane.T, torch.cat([center, center.new_ones(1)]))
            depths.append((float(weights @ corners[:, 2]), float(weights.min())))
        on_edge = any(depth is not None and depth[1] < 1e-3 for depth in depths)
        level = None not in depths and abs(depths[0][0] - depths[1][0]) < 1e-3
        assert on_edge or level, f"pixel {row}, {column} of image {image} sees another triangle"


def test_coverage_of_a_right_triangle(rasterizer):
    vertices = torch.tensor([[[1.2, 1.2, 5.0], [9.9, 1.2, 5.0], [1.2, 9.9, 5.0]]])
    seen = rasterizer(vertices, ONE, (12, 14)).face_index
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(14), indexing="ij")
    inside = (columns > 1.2) & (rows > 1.2) & (rows + columns < 11.1)
    assert torch.equal(seen[0], torch.where(inside, 0, -1))


def test_centers_on_an_edge_are_covered(rasterizer):
    vertices = torch.tensor([[[2.0, 1.0, 0.0], [6.0, 1.0, 0.0], [6.0, 5.0, 0.0], [2.0, 5.0, 0.0]]])
    seen = rasterizer(vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]), (8, 8)).face_index[0]
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[1:6, 2:7] = True
    assert torch.equal(seen >= 0, expected)


@pytest.mark.parametrize("size", [(24, 40), (40, 24), (1, 1), (1, 17), (33, 33)])
def test_coverage_of_random_triangles(rasterizer, make_random_mesh, size):
    vertices, triangles = make_random_mesh(0, 3, 5, size)
    distance = _edge_distances(vertices, triangles, size)
    seen = rasterizer(vertices, triangles, size).face_index
    covered = (distance > 0).any(1)
    certain = (distance.abs() > 1e-3).all(1)
    assert certain.float().mean() > 0.9
    assert torch.equal((seen >= 0)[certain], covered[certain])


def test_barycentrics_and_depth_of_a_slanted_triangle(rasterizer):
    vertices = torch.tensor([[[0.0, 0.0, 10.0], [8.0, 0.0, 18.0], [0.0, 8.0, 2.0]]])
    fragments = rasterizer(vertices, ONE, (10, 10))
    torch.testing.assert_close(
        fragments.barycentrics[0, 3, 2], torch.tensor([1 - 5 / 8, 2 / 8, 3 / 8])
    )
    assert fragments.depth[0, 3, 2] == pytest.approx(10 + 2 - 3)
    assert torch.equal(fragments.barycentrics[0, 9, 9], torch.zeros(3))
    assert fragments.depth[0, 9, 9] == 0


def test_barycentrics_reproduce_the_pixel_center(rasterizer, make_head):
    size = (40, 56)
    vertices, triangles = make_head(12, size, batch=2)
    fragments = rasterizer(vertices, triangles, size)
    image, row, column = (fragments.face_index >= 0).nonzero().unbind(1)
    corners = triangles[fragments.face_index[image, row, column]]
    weights = fragments.barycentrics[image, row, column]
    points = (vertices[image[:, None], corners] * weights[..., None]).sum(1)
    torch.testing.assert_close(points[:, 0], column.float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(points[:, 1], row.float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(points[:, 2], fragments.depth[image, row, column])
    assert weights.min() > -1e-3
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(image)))


@pytest.mark.parametrize("order", [[[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]])
def test_the_nearer_triangle_hides_the_other(rasterizer, order):
    """Two crossing triangles: depth 2x - 3 against 5, equal at x = 4."""
    square = [[-1.0, -1.0], [30.0, -1.0], [-1.0, 30.0]]
    slanted = [[x, y, 2 * x - 3] for x, y in square]
    flat = [[x, y, 5.0] for x, y in square]
    seen = rasterizer(torch.tensor([slanted + flat]), torch.tensor(order), (9, 9)).face_index[0]
    of_slanted, of_flat = order.index([0, 1, 2]), order.index([3, 4, 5])
    assert (seen[:, 5:] == of_slanted).all()
    assert (seen[:, :4] == of_flat).all()


@pytest.mark.parametrize("name", ["torch", "numba", "auto"])
def test_lower_index_wins_ties(make_rasterizer, name):
    vertices = torch.tensor([[[0.0, 0.0, 1.0], [9.0, 0.0, 1.0], [0.0, 9.0, 1.0]]])
    triangles = torch.tensor([[0, 0, 1], [1, 2, 0], [0, 1, 2], [2, 1, 0]])
    seen = make_rasterizer(name)(vertices, triangles, (8, 8)).face_index
    assert set(seen.unique().tolist()) == {-1, 1}


def test_both_sides_are_drawn_unless_culled(make_rasterizer, rasterizer):
    clockwise = torch.tensor([[[0.0, 0.0, 1.0], [9.0, 0.0, 1.0], [0.0, 9.0, 1.0]]])
    counter = clockwise.flip(1)
    name = type(rasterizer).__name__.removesuffix("Rasterizer").lower()
    culled = make_rasterizer(name, cull_backfaces=True)
    assert (rasterizer(clockwise, ONE, (8, 8)).face_index == 0).any()
    assert (rasterizer(counter, ONE, (8, 8)).face_index == 0).any()
    assert (culled(clockwise, ONE, (8, 8)).face_index == -1).all()
    assert torch.equal(
        culled(counter, ONE, (8, 8)).face_index, rasterizer(counter, ONE, (8, 8)).face_index
    )


def test_culling_a_closed_surface_changes_nothing(make_rasterizer, rasterizer, make_head):
    """Its back is hidden: also the proof that the front is what the camera leaves in front."""
    vertices, triangles = make_head(16, (48, 48))
    name = type(rasterizer).__name__.removesuffix("Rasterizer").lower()
    culled = make_rasterizer(name, cull_backfaces=True)(vertices, triangles, (48, 48))
    every = rasterizer(vertices, triangles, (48, 48))
    assert (every.face_index >= 0).sum() > 500
    assert torch.equal(every.face_index, culled.face_index)


def test_closed_surface_has_no_holes_and_the_right_depth(rasterizer, make_sphere):
    vertices, triangles = make_sphere(40)
    projected = project(
        vertices[None], torch.tensor([[0.3, 0.2, 0.1]]), torch.tensor([[32.0, 32.0]]),
        torch.tensor([28.0]),
    )  # fmt: skip
    fragments = rasterizer(projected, triangles, (65, 65))
    rows, columns = torch.meshgrid(torch.arange(65), torch.arange(65), indexing="ij")
    distance = ((rows - 32.0) ** 2 + (columns - 32.0) ** 2).sqrt()
    seen = fragments.face_index[0] >= 0
    assert seen[distance < 27.8].all()
    assert not seen[distance > 28].any()
    depth = (28.0**2 - distance**2).clamp(min=0).sqrt()
    inner = distance < 25
    torch.testing.assert_close(fragments.depth[0][inner], depth[inner], atol=0.2, rtol=0)


@pytest.mark.parametrize("name", ["numba", "pytorch3d", "auto"])
@pytest.mark.parametrize("mesh", ["large", "small", "head", "dense head"])
def test_backends_agree_pixel_for_pixel_except_on_ties(
    make_rasterizer, make_random_mesh, make_head, name, mesh
):
    size = (48, 64)
    if mesh == "large":
        vertices, triangles = make_random_mesh(1, 2, 60, size, spread=20.0)
    elif mesh == "small":
        vertices, triangles = make_random_mesh(2, 2, 2000, size, spread=1.5)
    else:
        vertices, triangles = make_head(16 if mesh == "head" else 67, size, batch=2)
    seen = make_rasterizer(name)(vertices, triangles, size).face_index
    reference = make_rasterizer("torch")(vertices, triangles, size).face_index
    assert (reference >= 0).float().mean() > 0.2
    assert (seen != reference).float().mean() < 0.01
    _agree_but_for_ties(seen, reference, vertices, triangles, size)


def test_candidate_chunks_do_not_change_the_result(monkeypatch, make_random_mesh):
    from xpress.rendering.rasterizers import torch as backend

    vertices, triangles = make_random_mesh(3, 2, 300, (32, 32), spread=10.0)
    whole = get_rasterizer("torch")(vertices, triangles, (32, 32)).face_index
    monkeypatch.setattr(backend, "CANDIDATES", 97)
    parts = get_rasterizer("torch")(vertices, triangles, (32, 32)).face_index
    assert torch.equal(whole, parts)


def test_double_precision_decides_what_single_cannot(make_rasterizer):
    """Depths that single precision cannot tell apart."""
    base = [[-1.0, -1.0], [30.0, -1.0], [-1.0, 30.0]]
    far, near = ([[x, y, z] for x, y in base] for z in (1.0, 1.0 + 1e-12))
    vertices = torch.tensor([far + near], dtype=torch.float64)
    triangles = torch.tensor([[0, 1, 2], [3, 4, 5]])
    for name in ("torch", "numba", "auto"):
        seen = make_rasterizer(name)(vertices, triangles, (8, 8)).face_index
        assert (seen == 1).all()


@pytest.mark.parametrize(("batch", "count"), [(0, 3), (1, 0), (2, 0), (0, 0)])
def test_empty_meshes_and_batches(rasterizer, batch, count):
    triangles = torch.arange(3 * count).view(-1, 3)
    vertices = torch.rand(batch, 3 * count, 3, requires_grad=True)
    fragments = rasterizer(vertices, triangles, (4, 6))
    assert fragments.face_index.shape == (batch, 4, 6)
    assert (fragments.face_index >= -1).all()
    assert fragments.barycentrics.shape == (batch, 4, 6, 3)
    (fragments.barycentrics.sum() + fragments.depth.sum()).backward()
    assert vertices.grad.isfinite().all()


def test_bad_triangles_draw_nothing_and_hide_nothing(rasterizer):
    good = [[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]
    bad = [
        [[1.0, 1.0, 9.0], [5.0, 5.0, 9.0], [3.0, 3.0, 9.0]],  # a line
        [[2.0, 2.0, 9.0]] * 3,  # a point
        [[1.0, 1.0, 9.0], [float("nan"), 1.0, 9.0], [1.0, 5.0, 9.0]],
        [[1.0, 1.0, 9.0], [float("inf"), 1.0, 9.0], [1.0, 5.0, 9.0]],
        [[1.0, 1.0, float("nan")], [7.0, 1.0, 9.0], [1.0, 5.0, 9.0]],
        [[-5.0, -5.0, 9.0], [-1.0, -5.0, 9.0], [-5.0, -1.0, 9.0]],
        [[99.0, 99.0, 9.0], [95.0, 99.0, 9.0], [99.0, 95.0, 9.0]],
        [[-1e9, -3e9, 9.0], [1e9, -3e9, 9.0], [0.0, -1e9, 9.0]],
    ]
    vertices = torch.tensor([good + [corner for triangle in bad for corner in triangle]])
    vertices.requires_grad_()
    triangles = torch.arange(vertices.shape[1]).view(-1, 3)
    fragments = rasterizer(vertices, triangles, (8, 8))
    alone = rasterizer(vertices[:, :3], ONE, (8, 8))
    assert torch.equal(fragments.face_index, alone.face_index)
    fragments.barycentrics.square().sum().backward()
    assert vertices.grad.isfinite().all()


def test_a_triangle_larger_than_the_image_fills_it(rasterizer):
    vertices = torch.tensor([[[-1e4, -1e4, 1.0], [3e4, -1e4, 1.0], [-1e4, 3e4, 1.0]]])
    assert (rasterizer(vertices, ONE, (30, 50)).face_index == 0).all()


def test_index_outside_the_mesh_raises(rasterizer):
    for index in (3, -1):
        with pytest.raises(IndexError, match=r"0\.\.2"):
            rasterizer(torch.rand(1, 3, 3) * 8, torch.tensor([[0, 1, index]]), (8, 8))


def test_gradient_of_fragments_against_finite_differences(rasterizer):
    vertices = torch.tensor(
        [[[-2.3, -3.1, 1.0], [14.2, -1.4, 2.0], [1.7, 16.3, 4.0]]], dtype=torch.float64
    )

    def shown(points):
        fragments = rasterizer(points, ONE, (5, 6))
        return fragments.barycentrics, fragments.depth

    assert (shown(vertices)[1] > 0).sum() > 15
    assert gradcheck(shown, vertices.requires_grad_())


def test_half_precision_vertices_are_rasterised_in_single(rasterizer):
    vertices = torch.tensor([[[0.0, 0.0, 1.0], [8.0, 0.0, 1.0], [0.0, 8.0, 1.0]]])
    fragments = rasterizer(vertices.half(), ONE, (8, 8))
    assert torch.equal(fragments.face_index, rasterizer(vertices, ONE, (8, 8)).face_index)
    assert fragments.depth.dtype == torch.float32


@pytest.mark.parametrize("wrong", [(2, 5, 2), (5, 3)])
def test_wrong_shape_raises(rasterizer, wrong):
    with pytest.raises(Exception, match="vertices"):
        rasterizer(torch.zeros(wrong), ONE, (8, 8))
    with pytest.raises(Exception, match="triangles"):
        rasterizer(torch.zeros(1, 5, 3), torch.zeros(1, 4, dtype=torch.int64), (8, 8))


def test_unknown_name_lists_the_choices():
    with pytest.raises(InputError, match="torch, numba, pytorch3d, auto"):
        get_rasterizer("opengl")


def test_absent_pytorch3d_names_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "pytorch3d"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "xpress.rendering.rasterizers.pytorch3d", raising=False)
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    with pytest.raises(InputError, match=r"xpress\[pytorch3d\]"):
        get_rasterizer("pytorch3d")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["torch", "numba", "auto"])
def test_gpu_sees_what_the_cpu_sees(make_head, name):
    vertices, triangles = make_head(40, (64, 64), batch=2)
    rasterizer = get_rasterizer(name)
    here = rasterizer(vertices, triangles, (64, 64)).face_index
    there = rasterizer(vertices.cuda(), triangles.cuda(), (64, 64)).face_index
    assert there.is_cuda
    _agree_but_for_ties(there.cpu(), here, vertices, triangles, (64, 64))


def test_threads_do_not_change_the_result(make_head):
    vertices, triangles = make_head(20, (40, 40), batch=5)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        serial = get_rasterizer("numba")(vertices, triangles, (40, 40)).face_index
        torch.set_num_threads(3)
        parallel = get_rasterizer("numba")(vertices, triangles, (40, 40)).face_index
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(serial, parallel)


def test_numpy_entry_equals_the_torch_path(make_head):
    vertices, triangles = make_head(30, (48, 64))
    fragments = get_rasterizer("torch")(vertices, triangles, (48, 64))
    arrays = vertices[0].numpy(), triangles.numpy().astype(np.int32)
    face_index, barycentrics, depth = rasterize_numpy(*arrays, 48, 64)
    np.testing.assert_array_equal(face_index, fragments.face_index[0].numpy())
    np.testing.assert_allclose(barycentrics, fragments.barycentrics[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(depth, fragments.depth[0].numpy(), atol=1e-4)


def test_numpy_entry_reuses_its_buffers(make_head):
    vertices, triangles = make_head(10, (32, 32))
    arrays = vertices[0].numpy(), triangles.numpy().astype(np.int32)
    first = rasterize_numpy(*arrays, 32, 32)
    expected = [array.copy() for array in first]
    rasterize_numpy(arrays[0] + 3, arrays[1], 32, 32, out=first)
    assert not np.array_equal(first[0], expected[0])
    again = rasterize_numpy(*arrays, 32, 32, out=first)
    for array, buffer, value in zip(again, first, expected, strict=True):
        assert array is buffer
        np.testing.assert_array_equal(array, value)
    with pytest.raises(ValueError, match=r"\(32, 32\)"):
        rasterize_numpy(*arrays, 16, 16, out=first)


def test_numpy_entry_refuses_wrong_input():
    with pytest.raises(Exception, match="triangles"):
        rasterize_numpy(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int64), 8, 8)
    with pytest.raises(IndexError, match=r"0\.\.2"):
        rasterize_numpy(np.ones((3, 3), np.float32), np.array([[0, 1, 3]], np.int32), 8, 8)


_FORKED = """
import multiprocessing, torch
from xpress.rendering.rasterizers import get_rasterizer

def draw(_):
    vertices = torch.tensor([[[0.0, 0, 0], [9, 0, 0], [0, 9, 0]]]).expand(4, 3, 3)
    seen = get_rasterizer("numba")(vertices, torch.tensor([[0, 1, 2]]), (8, 8)).face_index
    return int((seen >= 0).sum())

torch.set_num_threads(2)
expected = draw(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(draw, range(4)).get(60) == [expected] * 4
print(expected)
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
def test_forked_data_loader_workers_can_draw():
    """A fresh process, so that the fork's fate does not hang on what other tests started."""
    done = subprocess.run(
        [sys.executable, "-c", _FORKED], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    # x + y <= 9 inside 8 x 8: all but the 15 centres beyond the hypotenuse, in four images.
    assert int(done.stdout) == 4 * (64 - 15)


def test_agrees_with_the_mesh_rasterizer_of_pytorch3d(make_rasterizer, make_head):
    """Its own cameras and conventions, not our backend's: what it sees, where and how deep.

    In its screen space x and y count from the picture's corner, where ours count from the first
    pixel's centre; its camera looks along +z.
    """
    renderer = pytest.importorskip("pytorch3d.renderer")
    structures = pytest.importorskip("pytorch3d.structures")
    size = (40, 56)
    vertices, triangles = make_head(12, size, batch=3)
    depths = vertices[..., 2].amax() + 1 - vertices[..., 2]
    screen = torch.stack([vertices[..., 0] + 0.5, vertices[..., 1] + 0.5, depths], -1)
    mirrored = screen * torch.tensor([-1.0, -1.0, 1.0])  # its world has x left and y up
    cameras = renderer.OrthographicCameras(
        focal_length=1.0, principal_point=((0.0, 0.0),), in_ndc=False, image_size=(size,)
    )
    settings = renderer.RasterizationSettings(image_size=size, faces_per_pixel=1, bin_size=0)
    rasterize = renderer.MeshRasterizer(cameras=cameras, raster_settings=settings)
    theirs = rasterize(structures.Meshes(mirrored, triangles.expand(3, -1, -1)))
    face = theirs.pix_to_face[..., 0]
    face = torch.where(face >= 0, face % len(triangles), -1)
    for name in ("torch", "numba"):
        ours = make_rasterizer(name)(vertices, triangles, size)
        assert (ours.face_index >= 0).float().mean() > 0.2
        assert (ours.face_index != face).float().mean() < 0.01
        _agree_but_for_ties(face, ours.face_index, vertices, triangles, size)
        same = (ours.face_index == face) & (face >= 0)
        depth = vertices[..., 2].amax() + 1 - ours.depth
        torch.testing.assert_close(depth[same], theirs.zbuf[..., 0][same], atol=1e-3, rtol=0)
        weights = theirs.bary_coords[..., 0, :]
        torch.testing.assert_close(ours.barycentrics[same], weights[same], atol=1e-3, rtol=0)
