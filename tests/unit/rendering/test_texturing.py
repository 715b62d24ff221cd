import math

import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.texturing import Texture, sample_texture, textured

SQUARE = torch.tensor([[0, 1, 2], [0, 2, 3]])


def _bilinear(image, u, v):
    """One sample of a (C, H, W) picture by hand."""
    _, height, width = image.shape
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    left, top = math.floor(x), math.floor(y)
    total = torch.zeros(image.shape[0], dtype=image.dtype)
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        share = (1 - abs(x - column)) * (1 - abs(y - row))
        inside = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
        total += share * image[:, inside[0], inside[1]]
    return total


def test_samples_against_the_formula():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 5, 7, generator=generator, dtype=torch.float64)
    uv = torch.rand(2, 4, 6, 2, generator=generator, dtype=torch.float64) * 1.4 - 0.2
    samples = sample_texture(image, uv)
    for place in ((0, 0, 0), (1, 3, 5), (0, 2, 4), (1, 0, 1), (0, 3, 3), (1, 2, 2)):
        expected = _bilinear(image[0], *uv[place].tolist())
        torch.testing.assert_close(samples[place], expected)


def test_the_origin_is_the_lower_left_corner():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    uv = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.25]])
    samples = sample_texture(image, uv.view(1, 1, 5, 2)).flatten()
    assert samples.tolist() == pytest.approx([3, 5, 0, 2, 4])


def test_each_mesh_may_have_a_picture_of_its_own():
    images, uv = torch.rand(3, 2, 4, 4), torch.rand(3, 5, 6, 2)
    own = sample_texture(images, uv)
    alone = torch.cat([sample_texture(images[i : i + 1], uv[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(own, alone)
    shared = sample_texture(images[:1], uv)
    torch.testing.assert_close(shared, sample_texture(images[:1].expand(3, -1, -1, -1), uv))


def test_gradients_against_finite_differences():
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(1, 2, 3, 4, generator=generator, dtype=torch.float64)
    uv = torch.rand(2, 3, 3, 2, generator=generator, dtype=torch.float64)
    assert gradcheck(sample_texture, (image.requires_grad_(), uv.requires_grad_()), eps=1e-7)


def test_a_seam_has_two_places_in_the_picture(rasterizer):
    """The diagonal's corners lie in the left half for one triangle, in the right for the other."""
    vertices = torch.tensor([[[0.0, 0, 0], [0, 9, 0], [9, 9, 0], [9, 0, 0]]])
    fragments = rasterizer(vertices, SQUARE, (10, 12))
    image = torch.tensor([0.3, 0.9]).view(1, 1, 1, 2).repeat_interleave(8, 3)
    uv = torch.tensor([[0.1, 0.5], [0.1, 0.2], [0.3, 0.2], [0.8, 0.5], [0.8, 0.2], [0.9, 0.5]])
    seen = textured(fragments, Texture(image, uv, torch.tensor([[0, 1, 2], [3, 4, 5]])))[0, ..., 0]
    expected = torch.tensor([0.3, 0.9, 0.0])[fragments.face_index[0]]
    torch.testing.assert_close(seen, expected)


def test_a_picture_is_found_by_what_is_seen_of_it(make_head):
    vertices, triangles = make_head(6, (24, 24), batch=2)
    fragments = get_rasterizer("numba")(vertices, triangles, (24, 24))
    uv = (vertices[0, :, :2] / 24).clamp(0, 1)
    truth = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(5))
    target = textured(fragments, Texture(truth, uv, triangles))
    found = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=15, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = (textured(fragments, Texture(found, uv, triangles)) - target).square().sum()
        loss.backward()
        return loss

    optimizer.step(step)
    inner = (slice(None), slice(None), slice(2, 4), slice(2, 4))
    torch.testing.assert_close(found.detach()[inner], truth[inner], atol=0.02, rtol=0)


@pytest.mark.parametrize("batch", [0, 1])
def test_no_triangles_and_no_meshes_show_nothing(batch):
    triangles = torch.zeros(0, 3, dtype=torch.int64)
    fragments = get_rasterizer("torch")(torch.zeros(batch, 0, 3), triangles, (4, 5))
    texture = Texture(torch.rand(1, 3, 2, 2), torch.zeros(0, 2), triangles)
    assert torch.equal(textured(fragments, texture), torch.zeros(batch, 4, 5, 3))


def test_wrong_shape_raises():
    with pytest.raises(Exception, match="uv"):
        sample_texture(torch.rand(1, 3, 4, 4), torch.rand(1, 5, 2))
    with pytest.raises(Exception, match="uv"):
        Texture(torch.rand(1, 3, 4, 4), torch.rand(5, 3), SQUARE)
