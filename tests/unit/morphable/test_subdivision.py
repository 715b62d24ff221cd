import pytest
import torch

from xpress.morphable.model import MorphableModel
from xpress.morphable.subdivision import subdivide
from xpress.rendering.camera import project
from xpress.rendering.renderer import render


@pytest.fixture(scope="module")
def dense(model):
    return subdivide(model)


def edges_of(triangles):
    sides = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return sides.sort(1).values.unique(dim=0, return_counts=True)


def test_about_fifty_thousand_vertices_in_the_same_parts(model, dense):
    edges, _ = edges_of(model.part_triangles("face"))
    assert len(dense.mean) == len(model.mean) + len(edges)
    assert 48_000 < len(dense.mean) < 52_000
    assert list(dense.parts) == list(model.parts)
    vertex = triangle = 0
    for name, part in dense.parts.items():
        assert (part.vertex_start, part.triangle_start) == (vertex, triangle)
        block = dense.triangles[part.triangle_start : part.triangle_stop]
        assert block.min() == part.vertex_start
        assert block.max() == part.vertex_stop - 1
        factor = 4 if name == "face" else 1
        assert len(block) == factor * len(model.part_triangles(name))
        vertex, triangle = part.vertex_stop, part.triangle_stop
    assert (vertex, triangle) == (len(dense.mean), len(dense.triangles))
    assert dense.sizes == model.sizes


def test_old_vertices_stay_and_new_ones_are_midpoints(model, dense):
    generator = torch.Generator().manual_seed(0)
    identity = torch.randn(1, model.sizes[0], generator=generator)
    expression = torch.rand(1, model.sizes[1], generator=generator)
    color = torch.randn(1, model.sizes[2], generator=generator)
    face = model.parts["face"].vertex_stop
    edges, _ = edges_of(model.part_triangles("face"))
    for function, arguments in (("vertices", (identity, expression)), ("colors", (color,))):
        old = getattr(model, function)(*arguments)[0]
        new = getattr(dense, function)(*arguments)[0]
        torch.testing.assert_close(new[:face], old[:face], atol=1e-5, rtol=0)
        inner = dense.parts["face"].vertex_stop
        torch.testing.assert_close(new[inner:], old[face:], atol=1e-5, rtol=0)
        middles = old[edges].mean(1)
        # the same points in whatever order: sorted by the three coordinates of the mean shape
        got, expected = (
            x[_order(y)]
            for x, y in (
                (new[face:inner], dense.mean[face:inner]),
                (middles, model.mean[edges].mean(1)),
            )
        )
        torch.testing.assert_close(got, expected, atol=2e-4, rtol=0)
    assert torch.equal(dense.mean[:face], model.mean[:face])


def _order(points):
    x, y, z = points.double().mul(1e4).round().unbind(1)
    return torch.argsort((x * 4e5 + y) * 4e5 + z)


def test_every_triangle_becomes_four_of_a_quarter_of_its_area(sheets):
    dense = subdivide(sheets)

    def crosses(model):
        a, b, c = model.mean[model.part_triangles("face")].unbind(1)
        return torch.linalg.cross(b - a, c - a)

    quarters = crosses(dense).unflatten(0, (-1, 4))
    torch.testing.assert_close(quarters * 4, crosses(sheets)[:, None].expand(-1, 4, -1))


def test_landmarks_are_identical(model, dense):
    generator = torch.Generator().manual_seed(1)
    identity = torch.randn(2, model.sizes[0], generator=generator)
    expression = torch.rand(2, model.sizes[1], generator=generator)
    before = model.landmark_points(model.vertices(identity, expression))
    after = dense.landmark_points(dense.vertices(identity, expression))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0)


def test_loops_run_along_the_denser_border(model, dense):
    edges, count = edges_of(dense.part_triangles("face"))
    border = {tuple(edge) for edge in edges[count == 1].tolist()}
    for old, new in zip(
        (model.inner_lip_loop, *model.eyelid_loops),
        (dense.inner_lip_loop, *dense.eyelid_loops),
        strict=True,
    ):
        assert torch.equal(new[::2], old)
        torch.testing.assert_close(
            dense.mean[new[1::2]], (model.mean[old] + model.mean[old.roll(-1)]) / 2
        )
        steps = torch.stack([new, new.roll(-1)], 1).sort(1).values
        assert {tuple(edge) for edge in steps.tolist()} <= border


def test_mirror_stays_one(dense):
    face = dense.parts["face"].vertex_stop
    assert len(dense.mirror) == face
    assert (dense.mirror[dense.mirror] != torch.arange(face)).float().mean() < 1e-3
    error = dense.mean[:face][dense.mirror] * torch.tensor([-1.0, 1, 1]) - dense.mean[:face]
    assert error.norm(dim=1).max() < 0.1


def test_draws_the_same_picture(model, dense):
    rotation = torch.tensor([[0.1, 0.5, -0.1]])
    pose = rotation, torch.tensor([[64.0, 58.0]]), torch.tensor([5.0])
    pictures = []
    for each in (model, dense):
        points = project(each.mean[None], *pose)
        pictures.append(
            render(points, each.triangles, each.mean_color[None], (128, 128), antialias=False)
        )
    coarse, fine = pictures
    assert coarse.mask.float().mean() > 0.2
    assert (coarse.mask != fine.mask).sum() <= 3
    difference = (coarse.image - fine.image).abs().amax(1)
    assert (difference > 1e-3).float().mean() < 1e-3


def test_only_the_named_parts_are_split(sheets):
    wall = subdivide(sheets, ("wall",))
    assert torch.equal(wall.mean[:20], sheets.mean[:20])
    assert len(wall.mean) == 20 + 25  # 3 by 3 vertices become 5 by 5
    assert torch.equal(wall.inner_lip_loop, sheets.inner_lip_loop)
    both = subdivide(sheets, ("face", "wall"))
    assert len(both.mean) == 9 * 7 + 25
    assert both.mean[63:].isclose(wall.mean[20:]).all()


def test_saves_and_loads(sheets, tmp_path):
    dense = subdivide(sheets)
    dense.save(tmp_path / "dense.safetensors")
    loaded = MorphableModel.load(tmp_path / "dense.safetensors")
    assert loaded.parts == dense.parts
    assert torch.equal(loaded.mean, dense.mean)
    assert loaded.info["subdivided"] == ["face"]


def test_unknown_part(sheets):
    with pytest.raises(ValueError, match="'nose'"):
        subdivide(sheets, ("nose",))


def test_a_loop_off_the_edges_is_refused(sheets):
    sheets.inner_lip_loop = torch.tensor([0, 1, 19])
    with pytest.raises(ValueError, match="loop"):
        subdivide(sheets)
