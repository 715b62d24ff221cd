import math

import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.camera import project, rotate, rotation_matrix, unproject


def test_quarter_turns_permute_the_axes():
    quarter = math.pi / 2
    matrices = rotation_matrix(quarter * torch.eye(3, dtype=torch.float64))
    about_x = torch.tensor([[1, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    about_y = torch.tensor([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=torch.float64)
    about_z = torch.tensor([[0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(matrices, torch.stack([about_x, about_y, about_z]))


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.0099, 0.0101, 1.0, 3.1, math.pi, 6.0])
def test_agrees_with_the_matrix_exponential(angle):
    axis = torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64)
    axis_angle = axis / axis.norm() * angle
    x, y, z = axis_angle[0].tolist()
    generator = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    matrix = rotation_matrix(axis_angle)[0]
    torch.testing.assert_close(matrix, torch.linalg.matrix_exp(generator), atol=1e-12, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.0101, 2.0])
def test_rotation_gradient_against_finite_differences(angle):
    axis_angle = torch.tensor([[0.6, -0.64, 0.48]], dtype=torch.float64) * angle
    assert gradcheck(rotation_matrix, axis_angle.requires_grad_())


def test_zero_rotation_has_a_finite_gradient_in_single_precision():
    axis_angle = torch.zeros(2, 3, requires_grad=True)
    rotation_matrix(axis_angle)[:, 2, 1].sum().backward()
    torch.testing.assert_close(axis_angle.grad, torch.tensor([[1.0, 0.0, 0.0]] * 2))


def test_projection_flips_y_and_keeps_nearer_points_larger():
    vertices = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]])
    projected = project(
        vertices, torch.zeros(1, 3), torch.tensor([[10.0, 20.0]]), torch.tensor([2.0])
    )
    torch.testing.assert_close(projected, torch.tensor([[[10.0, 20.0, 0.0], [12.0, 16.0, 6.0]]]))


def test_nodding_forward_lowers_the_nose():
    nose = torch.tensor([[[0.0, 0.0, 1.0]]])
    turned = rotate(nose, torch.tensor([[0.3, 0.0, 0.0]]))
    torch.testing.assert_close(turned, torch.tensor([[[0.0, -math.sin(0.3), math.cos(0.3)]]]))


def test_unproject_inverts_project():
    generator = torch.Generator().manual_seed(0)
    vertices, rotation = torch.randn(3, 7, 3, generator=generator), torch.randn(3, 3)
    camera = (rotation, torch.randn(3, 2), torch.rand(3) + 0.5)
    torch.testing.assert_close(
        unproject(project(vertices, *camera), *camera), vertices, atol=1e-5, rtol=1e-5
    )


def test_projection_gradient_against_finite_differences():
    generator = torch.Generator().manual_seed(1)
    shapes = [(2, 4, 3), (2, 3), (2, 2), (2,)]
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]
    assert gradcheck(project, inputs)


def test_wrong_shape_raises():
    with pytest.raises(Exception, match="axis_angle"):
        rotation_matrix(torch.zeros(2, 4))
    with pytest.raises(Exception, match="scale"):
        project(torch.zeros(2, 4, 3), torch.zeros(2, 3), torch.zeros(2, 2), torch.ones(3))
