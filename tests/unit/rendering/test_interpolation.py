import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.interpolation import interpolate


def test_linear_attributes_are_reproduced_at_every_covered_pixel(rasterizer, make_head):
    """The value x + 2y of the vertices, interpolated, is x + 2y of the pixel centres."""
    vertices, triangles = make_head(10, (30, 44), batch=2)
    fragments = rasterizer(vertices, triangles, (30, 44))
    attributes = vertices[..., :1] + 2 * vertices[..., 1:2]
    seen = interpolate(fragments, triangles, attributes)[..., 0]
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(44), indexing="ij")
    covered = fragments.face_index >= 0
    expected = torch.where(covered, columns + 2.0 * rows, 0.0)
    torch.testing.assert_close(seen, expected, atol=5e-3, rtol=0)


def test_attributes_may_have_indices_of_their_own(rasterizer):
    """Two triangles of one square that share vertices but not colours."""
    square = torch.tensor([[[0.0, 0, 0], [0, 9, 0], [9, 9, 0], [9, 0, 0]]])
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    fragments = rasterizer(square, triangles, (10, 10))
    seen = interpolate(
        fragments, torch.tensor([[0, 0, 0], [1, 1, 1]]), torch.tensor([[[3.0], [5]]])
    )
    expected = torch.where(fragments.face_index == 0, 3.0, 5.0)
    torch.testing.assert_close(seen[..., 0], expected)


def test_gradient_against_finite_differences(rasterizer, make_head):
    vertices, triangles = make_head(3, (7, 9), batch=2, dtype=torch.float64)
    attributes = torch.randn_like(vertices[..., :2])

    def shown(points, values):
        return interpolate(rasterizer(points, triangles, (7, 9)), triangles, values)

    inputs = vertices.requires_grad_(), attributes.requires_grad_()
    assert gradcheck(shown, inputs, eps=1e-7, fast_mode=True)


def test_wrong_shape_raises(rasterizer, make_head):
    vertices, triangles = make_head(4, (8, 8))
    fragments = rasterizer(vertices, triangles, (8, 8))
    with pytest.raises(Exception, match="attributes"):
        interpolate(fragments, triangles, vertices[0])
    with pytest.raises(Exception, match="triangles"):
        interpolate(fragments, triangles[:, :2], vertices)
