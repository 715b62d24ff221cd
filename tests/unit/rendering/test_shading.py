import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import ambient, shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.shading import interpolate, render


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


def test_each_image_takes_its_own_attributes(rasterizer):
    vertices = torch.tensor([[[-9.0, -9.0, 0.0], [30.0, -9.0, 0.0], [-9.0, 30.0, 0.0]]])
    colors = torch.tensor([0.2, 0.8])[:, None, None].expand(2, 3, 3)
    triangles = torch.tensor([[0, 1, 2]])
    rendering = render(rasterizer, vertices.expand(2, 3, 3), triangles, colors, (6, 7))
    assert rendering.image.shape == (2, 3, 6, 7)
    assert rendering.mask.all()
    torch.testing.assert_close(rendering.image.mean((1, 2, 3)), torch.tensor([0.2, 0.8]))


def test_uncovered_pixels_are_zero(rasterizer, make_head):
    vertices, triangles = make_head(8, (32, 32))
    rendering = render(rasterizer, vertices, triangles, torch.ones_like(vertices), (32, 32))
    assert 0 < rendering.mask.float().mean() < 1
    torch.testing.assert_close(rendering.image, rendering.mask.float().expand(-1, 3, -1, -1))


def _inside_coverage(rasterizer):
    """Loss of a lit face-like mesh over the pixels whose triangle does not change."""
    generator = torch.Generator().manual_seed(0)
    grid = torch.stack(
        torch.meshgrid(torch.linspace(-1, 1, 4), torch.linspace(-1, 1, 4), indexing="xy"), -1
    )
    grid = grid.double().view(-1, 2)
    shape = torch.cat([grid, 1 - 0.4 * grid.square().sum(-1, keepdim=True)], -1)[None]
    index = torch.arange(16).view(4, 4)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    # y is up in model space, so this order is counter-clockwise for the viewer.
    triangles = torch.cat([torch.stack([a, d, b], -1), torch.stack([a, c, d], -1)]).view(-1, 3)
    colors = torch.rand(1, 16, 3, generator=generator, dtype=torch.float64)
    light = ambient(1, 0.8, dtype=torch.float64)
    light[:, 1:] = 0.2 * torch.randn(1, 8, 3, generator=generator, dtype=torch.float64)
    pose = torch.tensor([[0.1, 0.2, 0.05]], dtype=torch.float64)
    middle = torch.tensor([[7.63, 7.41]], dtype=torch.float64)
    zoom = torch.tensor([5.3], dtype=torch.float64)
    weight = torch.rand(1, 3, 16, 16, generator=generator, dtype=torch.float64)

    def images(vertices, colors, light, pose):
        normals = rotate(vertex_normals(vertices, triangles), pose)
        projected = project(vertices, pose, middle, zoom)
        lit = colors * shade(normals, light)
        return render(rasterizer, projected, triangles, lit, (16, 16))

    fixed = images(shape, colors, light, pose).fragments.face_index

    def loss(*inputs):
        rendering = images(*inputs)
        assert torch.equal(rendering.fragments.face_index, fixed)
        return (rendering.image * weight).square().sum()

    return loss, (shape, colors, light, pose), int((fixed >= 0).sum())


@pytest.mark.parametrize("name", ["vertices", "colors", "light", "pose"])
def test_gradient_of_a_rendered_image_against_finite_differences(rasterizer, name):
    loss, inputs, covered = _inside_coverage(rasterizer)
    assert covered > 60
    place = ["vertices", "colors", "light", "pose"].index(name)
    inputs = [value.clone().requires_grad_(i == place) for i, value in enumerate(inputs)]
    assert inputs[place].dtype == torch.float64
    assert gradcheck(loss, inputs, eps=1e-7, atol=1e-5)
    assert torch.autograd.grad(loss(*inputs), inputs[place])[0].abs().max() > 1e-3


def test_gradient_descent_on_the_picture_finds_the_light(rasterizer, make_head):
    vertices, triangles = make_head(14, (24, 24))
    upright = vertices * torch.tensor([1.0, -1.0, 1.0])
    bands = vertex_normals(upright, triangles)
    truth = ambient(1, 0.6) + 0.1 * torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(3))

    def picture(light):
        return render(rasterizer, vertices, triangles, shade(bands, light), (24, 24)).image

    target, light = picture(truth), ambient(1, 1.0).requires_grad_()
    optimizer = torch.optim.LBFGS([light], max_iter=60, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = (picture(light) - target).square().sum()
        loss.backward()
        return loss

    optimizer.step(step)
    torch.testing.assert_close(light.detach(), truth, atol=0.02, rtol=0)


def test_wrong_shape_raises(rasterizer, make_head):
    vertices, triangles = make_head(4, (8, 8))
    fragments = rasterizer(vertices, triangles, (8, 8))
    with pytest.raises(Exception, match="attributes"):
        interpolate(fragments, triangles, vertices[0])
    with pytest.raises(Exception, match="triangles"):
        interpolate(fragments, triangles[:, :2], vertices)
