import math

import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.antialiasing import antialias
from xpress.rendering.camera import rotation_matrix
from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.renderer import render

QUADS = torch.tensor([[0, 1, 2], [0, 2, 3]])


def _rectangle(left, top, right, bottom, depth=0.0):
    points = [[left, top], [left, bottom], [right, bottom], [right, top]]
    return torch.tensor([[*point, depth] for point in points], dtype=torch.float64)


def _covered(vertices, triangles, size, rasterizer="torch"):
    """The antialiased mask (B, H, W) of a white mesh on black."""
    fragments = get_rasterizer(rasterizer)(vertices, triangles, size)
    white = (fragments.face_index >= 0).to(vertices.dtype)[..., None]
    return antialias(white, fragments, vertices, triangles)[..., 0]


@pytest.mark.parametrize("left", [3.0, 3.1, 3.45, 3.5, 3.55, 3.99])
@pytest.mark.parametrize("upright", [True, False])
def test_upright_edges_cover_what_they_cover(rasterizer, left, upright):
    """The share of a pixel's area: exact along a side, away from the corners."""
    box = _rectangle(left, -9.0, 8.7, 30.0)
    box = box if upright else box[:, [1, 0, 2]]
    fragments = rasterizer(box[None], QUADS, (12, 12))
    white = (fragments.face_index >= 0).double()[..., None]
    seen = antialias(white, fragments, box[None], QUADS)[0, ..., 0]
    start = torch.arange(12).double() - 0.5
    share = (torch.clamp(start + 1, max=8.7) - torch.clamp(start, min=left)).clamp(0, 1)
    expected = share.expand(12, 12) if upright else share[:, None].expand(12, 12)
    torch.testing.assert_close(seen, expected, atol=1e-6, rtol=0)


def test_area_of_a_triangle_and_its_gradient():
    """Means over places on the grid against the closed forms."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.tensor([[6.0, 5.0, 0], [12.0, 58.0, 0], [55.0, 31.0, 0]], dtype=torch.float64)
    (x0, y0), (x1, y1), (x2, y2) = corners[:, :2].tolist()
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2
    # the derivative by a corner: half the opposite side, turned by a right angle
    slopes = torch.tensor([[y2 - y1, x1 - x2], [y0 - y2, x2 - x0], [y1 - y0, x0 - x1]]) / 2
    shifts = torch.rand(40, 1, 3, generator=generator, dtype=torch.float64)
    moved = (corners + shifts).requires_grad_()
    covered = _covered(moved, torch.tensor([[0, 1, 2]]), (64, 64))
    (gradient,) = torch.autograd.grad(covered.sum(), moved)
    assert covered.sum((1, 2)).mean().item() == pytest.approx(area, rel=2e-3)
    torch.testing.assert_close(gradient.mean(0)[:, :2].float(), slopes, atol=1.0, rtol=0)
    assert slopes.abs().max() > 20


@pytest.mark.parametrize("steps", [24, 120])
def test_area_of_a_ball_and_its_gradient(make_ball, steps):
    """Triangles larger (24) and much smaller than the pixels (120)."""
    ball, triangles = make_ball(steps)
    generator = torch.Generator().manual_seed(1)
    center = 31 + torch.rand(8, 1, 3, generator=generator, dtype=torch.float64)
    center.requires_grad_()
    radius = torch.full((8, 1, 1), 20.3, dtype=torch.float64, requires_grad=True)
    covered = _covered(center + radius * ball, triangles, (64, 64), "numba")
    column = torch.arange(64.0, dtype=torch.float64)
    (growth,) = torch.autograd.grad(covered.sum(), radius, retain_graph=True)
    (drift,) = torch.autograd.grad((covered * column).sum(), center)
    exact = steps * 2 * math.sin(math.pi / steps) * math.cos(math.pi / steps) / (2 * math.pi)
    area = math.pi * 20.3**2 * (exact if steps < 100 else 1)
    assert covered.sum((1, 2)).mean().item() == pytest.approx(area, rel=0.01)
    assert growth.mean().item() == pytest.approx(2 * area / 20.3, rel=0.02)
    # the first moment moves with the centre, the second not
    assert drift.mean((0, 1))[0] == pytest.approx(area, rel=0.03)
    assert abs(drift.mean((0, 1))[1]) < 0.03 * area


def test_is_closer_to_what_many_samples_see(make_ball):
    """Against the mean of 16 x 16 samples a pixel."""
    ball, triangles = make_ball(40)
    many, places = 16, torch.tensor([20.4, 19.7, 0.0], dtype=torch.float64)
    vertices = (places + 15.2 * ball)[None]
    scale = torch.tensor([many, many, 1.0], dtype=torch.float64)
    fine = (vertices + 0.5) * scale - 0.5
    seen = get_rasterizer("numba")(fine, triangles, (40 * many, 40 * many)).face_index >= 0
    truth = seen.double().view(40, many, 40, many).mean((1, 3))
    plain = (get_rasterizer("numba")(vertices, triangles, (40, 40)).face_index[0] >= 0).double()
    smooth = _covered(vertices, triangles, (40, 40))[0]
    assert (smooth - truth).square().mean() < (plain - truth).square().mean() / 10


def test_a_surface_in_front_of_another_blends_with_it(rasterizer):
    """A nearer box ends between two pixels of a farther one, which is hidden below it."""
    vertices = torch.cat([_rectangle(-9, -9, 30, 30), _rectangle(4.3, -9, 8.2, 30, 5.0)])[None]
    triangles = torch.cat([QUADS, QUADS + 4])
    fragments = rasterizer(vertices, triangles, (6, 12))
    colors = torch.tensor([0.2, 0.2, 1.0, 1.0], dtype=torch.float64)[fragments.face_index]
    seen = antialias(colors[..., None], fragments, vertices, triangles)[0, :, :, 0]
    # the box covers 0.2 of pixel 4, (4.3, 4.5), and all but 0.3 of pixel 8, (8.2, 8.5)
    share = torch.tensor([0, 0, 0, 0, 0.2, 1, 1, 1, 0.7, 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(seen, (0.2 + 0.8 * share).expand(6, 12))


def test_hidden_and_inner_edges_change_nothing(rasterizer, make_ball):
    """A ball behind a wall of two triangles, each pixel with a value of its own."""
    ball, triangles = make_ball(8)
    wall = _rectangle(-9, -9, 40, 40, 50.0)
    vertices = torch.cat([wall, ball * 8 + 12])[None]
    corners = torch.cat([QUADS, triangles + 4])
    fragments = rasterizer(vertices, corners, (24, 24))
    assert fragments.face_index.unique().tolist() == [0, 1]
    noise = torch.rand(1, 24, 24, 3, dtype=torch.float64)
    assert torch.equal(antialias(noise, fragments, vertices, corners), noise)


def test_gradient_against_finite_differences(make_random_mesh):
    """Crossing and overlapping triangles of every orientation."""
    vertices, triangles = make_random_mesh(4, 2, 4, (14, 17), spread=5.0, dtype=torch.float64)
    fragments = get_rasterizer("torch")(vertices, triangles, (14, 17))
    image, weight = torch.rand(2, 2, 14, 17, 2, dtype=torch.float64)

    def blended(points, pixels):
        return antialias(pixels, fragments, points, triangles)

    changed = (blended(vertices, image) != image).any(-1)
    assert 20 < changed.sum() < 300
    vertices.requires_grad_()
    assert gradcheck(lambda points: (blended(points, image) * weight).sum(), vertices, eps=1e-8)
    image.requires_grad_()
    assert gradcheck(lambda pixels: blended(vertices, pixels), image, fast_mode=True)


def test_gradient_of_the_whole_picture_against_finite_differences(make_ball):
    """Coverage, depth and colour move together; pixels change hands only at the middle."""
    ball, triangles = make_ball(4)
    turned = ball @ rotation_matrix(torch.tensor([[0.3, 0.2, 0.4]]).double())[0]
    vertices = (torch.tensor([8.13, 7.41, 0.0]) + 5.37 * turned)[None].requires_grad_()
    colors = torch.rand(1, len(ball), 2, dtype=torch.float64)
    weight = torch.rand(1, 2, 16, 17, dtype=torch.float64)

    def loss(points):
        return (render(points, triangles, colors, (16, 17)).image * weight).sum()

    assert gradcheck(loss, vertices, eps=1e-8)


def test_a_ball_is_found_by_its_silhouette_alone(make_ball):
    """Place and size from the difference of two masks, without a colour or a landmark."""
    ball, triangles = make_ball(16, torch.float32)
    truth = torch.tensor([27.3, 36.8, 0.0])
    target = _covered((truth + 14.6 * ball)[None], triangles, (64, 64), "numba")
    center = torch.tensor([34.0, 31.0, 0.0], requires_grad=True)
    radius = torch.tensor(11.0, requires_grad=True)
    optimizer = torch.optim.Adam([center, radius], lr=0.5)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.94)
    for _ in range(70):
        optimizer.zero_grad()
        seen = _covered((center + radius * ball)[None], triangles, (64, 64), "numba")
        (seen - target).square().sum().backward()
        optimizer.step()
        schedule.step()
    assert (center - truth)[:2].abs().max() < 0.05
    assert radius.item() == pytest.approx(14.6, abs=0.05)
    assert center[2] == 0  # an orthographic silhouette says nothing of depth


def test_without_antialiasing_a_silhouette_has_no_gradient(make_ball):
    """What the operator is for: the mask alone is constant between its jumps."""
    ball, triangles = make_ball(8)
    vertices = (12 + 7.1 * ball)[None].requires_grad_()
    fragments = get_rasterizer("torch")(vertices, triangles, (24, 24))
    assert not (fragments.face_index >= 0).double().requires_grad
    (gradient,) = torch.autograd.grad(_covered(vertices, triangles, (24, 24)).sum(), vertices)
    assert gradient[..., :2].abs().max() > 0.1


def test_batch_equals_single_meshes(make_head):
    vertices, triangles = make_head(10, (40, 30), batch=3)
    together = _covered(vertices, triangles, (40, 30))
    alone = [_covered(mesh[None], triangles, (40, 30)) for mesh in vertices]
    assert torch.equal(together, torch.cat(alone))
    assert not torch.equal(together[0], together[1])


def test_single_precision_is_double_precision_rounded(make_ball):
    ball, triangles = make_ball(20)
    vertices = (torch.tensor([20.3, 18.6, 0.0]) + 14.2 * ball)[None]
    single = _covered(vertices.float(), triangles, (40, 40))
    assert single.dtype == torch.float32
    double = _covered(vertices, triangles, (40, 40))
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("batch", "count"), [(0, 3), (1, 0), (2, 0), (0, 0)])
def test_empty_meshes_and_batches(batch, count):
    triangles = torch.arange(3 * count).view(-1, 3)
    vertices = torch.rand(batch, 3 * count, 3, requires_grad=True)
    covered = _covered(vertices, triangles, (4, 6))
    assert covered.shape == (batch, 4, 6)
    covered.sum().backward()


def test_triangles_that_are_not_drawn_have_no_silhouette():
    """A good square, and neighbours at its sides that no rasteriser draws."""
    nan, infinite = float("nan"), float("inf")
    square = _rectangle(2.3, 2.3, 9.6, 9.6)
    bad = [[12.0, 5.0, nan], [nan, 5.0, 1.0], [5.0, infinite, 1.0], [2.3, -5.0, 0.0]]
    vertices = torch.cat([square, torch.tensor(bad, dtype=torch.float64)])[None].requires_grad_()
    more = torch.tensor([[2, 3, 4], [1, 2, 5], [3, 0, 6], [0, 1, 7], [4, 5, 6]])
    seen = _covered(vertices, torch.cat([QUADS, more]), (12, 12))
    alone = _covered(square[None], QUADS, (12, 12))
    torch.testing.assert_close(seen, alone)
    seen.sum().backward()
    assert vertices.grad.isfinite().all()


def test_wrong_shape_raises(make_ball):
    ball, triangles = make_ball(4)
    fragments = get_rasterizer("torch")(ball[None], triangles, (8, 8))
    with pytest.raises(Exception, match="image"):
        antialias(torch.zeros(1, 8, 8), fragments, ball[None], triangles)
    with pytest.raises(Exception, match="triangles"):
        antialias(torch.zeros(1, 8, 8, 1), fragments, ball[None], triangles[:, :2])
