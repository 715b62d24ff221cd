import pytest
import torch
from torch.autograd import gradcheck

from xpress.errors import InputError
from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import ambient, shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.renderer import render
from xpress.rendering.texturing import Texture


def test_each_image_takes_its_own_attributes(rasterizer):
    vertices = torch.tensor([[[-9.0, -9.0, 0.0], [30.0, -9.0, 0.0], [-9.0, 30.0, 0.0]]])
    colors = torch.tensor([0.2, 0.8])[:, None, None].expand(2, 3, 3)
    triangles = torch.tensor([[0, 1, 2]])
    rendering = render(vertices.expand(2, 3, 3), triangles, colors, (6, 7), rasterizer=rasterizer)
    assert rendering.image.shape == (2, 3, 6, 7)
    assert rendering.mask.all()
    torch.testing.assert_close(rendering.image.mean((1, 2, 3)), torch.tensor([0.2, 0.8]))


def test_uncovered_pixels_are_zero(rasterizer, make_head):
    vertices, triangles = make_head(8, (32, 32))
    rendering = render(
        vertices,
        triangles,
        torch.ones_like(vertices),
        (32, 32),
        antialias=False,
        rasterizer=rasterizer,
    )
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
        return render(projected, triangles, lit, (16, 16), antialias=False, rasterizer=rasterizer)

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
        return render(
            vertices, triangles, shade(bands, light), (24, 24), rasterizer=rasterizer
        ).image

    target, light = picture(truth), ambient(1, 1.0).requires_grad_()
    optimizer = torch.optim.LBFGS([light], max_iter=60, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = (picture(light) - target).square().sum()
        loss.backward()
        return loss

    optimizer.step(step)
    torch.testing.assert_close(light.detach(), truth, atol=0.02, rtol=0)


def _square(left, right, size=9.0):
    points = [[left, -9.0, 0.0], [left, size, 0.0], [right, size, 0.0], [right, -9.0, 0.0]]
    return torch.tensor([points]), torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_the_background_shows_through_what_is_not_covered():
    """Half a pixel's share beside an edge at 3.7, whose pixel 4 sees the mesh."""
    vertices, triangles = _square(3.7, 20.0, 20.0)
    behind = torch.rand(1, 3, 8, 8)
    white = torch.ones(1, 4, 3)
    drawn = render(vertices, triangles, white, (8, 8), background=behind)
    alpha = torch.tensor([0.0, 0, 0, 0, 0.8, 1, 1, 1]).expand(1, 1, 8, 8)
    torch.testing.assert_close(drawn.alpha, alpha, atol=1e-6, rtol=0)
    assert torch.equal(drawn.mask, alpha > 0)
    # the neighbour's background, which is what the pixel lacks of its own
    beside = behind[..., 3]
    torch.testing.assert_close(drawn.image[..., :4], behind[..., :4])
    torch.testing.assert_close(drawn.image[..., 4], 0.8 + 0.2 * beside)
    torch.testing.assert_close(drawn.image[..., 5:], torch.ones(1, 3, 8, 3))


def test_a_number_is_a_background_of_one_colour():
    vertices, triangles = _square(3.0, 5.0)
    grey = render(vertices, triangles, torch.ones(1, 4, 3), (8, 8), background=0.25)
    assert (grey.image[..., 7] == 0.25).all()
    channels = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    tinted = render(vertices, triangles, torch.ones(1, 4, 3), (8, 8), background=channels)
    torch.testing.assert_close(tinted.image[0, :, 7, 7], channels.flatten())
    assert not grey.image[..., 7].requires_grad


def test_shading_multiplies_colours(make_head):
    vertices, triangles = make_head(8, (24, 24), batch=2)
    shading = torch.rand(vertices.shape)
    flat = torch.full_like(vertices, 0.5)
    shaded = render(vertices, triangles, flat, (24, 24), shading=shading).image
    torch.testing.assert_close(shaded, render(vertices, triangles, 0.5 * shading, (24, 24)).image)


def test_a_texture_of_a_ramp_is_drawn_as_vertex_colours_are():
    """Colours that are linear in the picture, laid on a square that is seen askew."""
    vertices, triangles = _square(1.3, 22.6, 25.0)
    vertices = vertices + 0.2 * vertices[..., [1, 0, 2]]
    ramp = (torch.arange(64.0) + 0.5) / 64
    image = torch.stack(torch.meshgrid(1 - ramp, ramp, indexing="ij"))[None].flip(1)
    uv = torch.tensor([[0.1, 0.9], [0.1, 0.1], [0.9, 0.1], [0.9, 0.9]])
    drawn = render(vertices, triangles, Texture(image, uv, triangles), (24, 30))
    same = render(vertices, triangles, uv[None], (24, 30))
    assert drawn.image.shape == (1, 2, 24, 30)
    torch.testing.assert_close(drawn.image, same.image, atol=1e-5, rtol=0)


def test_gradient_reaches_everything(make_head):
    vertices, triangles = make_head(6, (16, 16), dtype=torch.float64)
    uv = vertices[0, :, :2] / 16
    inputs = [vertices, torch.rand(1, 3, 8, 8).double(), uv, torch.rand_like(vertices)]
    inputs = [
        value.clone().requires_grad_() for value in (*inputs, inputs[1].new_zeros(1, 3, 1, 1))
    ]
    points, picture, places, shading, background = inputs
    texture = Texture(picture, places, triangles)
    drawn = render(points, triangles, texture, (16, 16), shading=shading, background=background)
    assert drawn.image.dtype == torch.float64
    gradients = torch.autograd.grad(drawn.image.sum(), inputs)
    assert all(gradient.abs().max() > 1e-3 for gradient in gradients)
    # each channel of the background counts wherever the mesh does not cover it
    torch.testing.assert_close(gradients[-1].flatten(), (1 - drawn.alpha).sum().expand(3))


def test_unknown_rasteriser_is_told():
    vertices, triangles = _square(1.0, 2.0)
    with pytest.raises(InputError, match="torch, numba, pytorch3d, auto"):
        render(vertices, triangles, vertices, (4, 4), rasterizer="opengl")
