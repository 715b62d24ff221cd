import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.normals import vertex_normals


def test_flat_square_faces_the_viewer():
    square = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]])
    normals = vertex_normals(square, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    torch.testing.assert_close(normals, torch.tensor([0.0, 0.0, 1.0]).expand(1, 4, 3))


def test_sphere_normals_are_its_positions(make_sphere):
    vertices, triangles = make_sphere(60, torch.float64)
    inner = vertices[:, 1].abs() < 0.95  # the poles and the seam have one-sided neighbourhoods
    cosine = (vertex_normals(vertices[None], triangles)[0] * vertices).sum(-1)
    assert cosine[inner].min() > 0.999


def test_larger_triangles_weigh_more():
    vertices = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1]]])
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    # Areas 3/2 along z and 1/2 along x meet at vertex 0.
    expected = torch.tensor([1.0, 0.0, 3.0]) / 10**0.5
    torch.testing.assert_close(normals[0, 0], expected)


def test_batch_equals_single_meshes(make_head):
    vertices, triangles = make_head(8, (32, 32), batch=3)
    together = vertex_normals(vertices, triangles)
    alone = torch.cat([vertex_normals(mesh[None], triangles) for mesh in vertices])
    torch.testing.assert_close(together, alone)


def test_unused_and_degenerate_vertices_are_zero_with_finite_gradient():
    vertices = torch.tensor([[[0.0, 0, 0], [1, 1, 1], [2, 2, 2], [5, 5, 5]]], requires_grad=True)
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2]]))
    normals.sum().backward()
    assert torch.equal(normals, torch.zeros(1, 4, 3))
    assert vertices.grad.isfinite().all()


@pytest.mark.parametrize(("batch", "count", "faces"), [(0, 5, 2), (1, 0, 0), (2, 4, 0)])
def test_empty_input(batch, count, faces):
    triangles = torch.zeros(faces, 3, dtype=torch.int64)
    assert vertex_normals(torch.rand(batch, count, 3), triangles).shape == (batch, count, 3)


def test_gradient_against_finite_differences():
    vertices = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 4, 2]])
    assert gradcheck(lambda v: vertex_normals(v, triangles), vertices.requires_grad_())


def test_wrong_shape_raises():
    with pytest.raises(Exception, match="triangles"):
        vertex_normals(torch.zeros(1, 5, 3), torch.zeros(2, 4, dtype=torch.int64))
