import pytest
import torch

from xpress.morphable.surface import FaceSurface


@pytest.fixture
def drawn(sheets):
    """Points of the front sheet under random parameters, and the whole model's vertices there."""
    generator = torch.Generator().manual_seed(1)
    identity, expression, color = (torch.randn(1, n, generator=generator) for n in sheets.sizes)
    triangles = torch.tensor([0, 3, 3, 7])
    weights = torch.rand(4, 3, generator=generator)
    weights /= weights.sum(1, keepdim=True)
    return identity, expression, color, triangles, weights


def test_points_lie_on_the_triangles(sheets, drawn):
    identity, expression, _, triangles, weights = drawn
    points = FaceSurface(sheets).at(triangles, weights)
    corners = sheets.vertices(identity, expression)[0][sheets.triangles[triangles]]
    expected = (corners * weights[..., None]).sum(1)
    torch.testing.assert_close(points.geometry.points(identity, expression)[0], expected)
    assert len(points) == 4


def test_colours_are_those_of_the_corners(sheets, drawn):
    _, _, color, triangles, weights = drawn
    points = FaceSurface(sheets).at(triangles, weights)
    seen = points.mean_color + torch.tensordot(color[0], points.color_basis, dims=1)
    albedo = sheets.colors(color)[0]
    torch.testing.assert_close(seen, points.mix(albedo[: sheets.parts["face"].vertex_stop]))
    corners = albedo[sheets.triangles[triangles]]
    torch.testing.assert_close(seen, (corners * weights[..., None]).sum(1))


def test_vertices_are_the_faces_own(sheets, drawn):
    identity, expression, *_ = drawn
    stop = sheets.parts["face"].vertex_stop
    expected = sheets.vertices(identity, expression)[:, :stop]
    torch.testing.assert_close(FaceSurface(sheets).vertices(identity, expression), expected)
