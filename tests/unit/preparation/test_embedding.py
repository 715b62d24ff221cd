import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from xpress.morphable.fitting import Fit
from xpress.preparation.embedding import closest_barycentrics, landmark_offsets, move_embedding
from xpress.rendering.camera import rotation_matrix


def test_closest_points_against_a_fine_grid():
    generator = np.random.default_rng(0)
    triangles = generator.normal(size=(15, 3, 3))
    steps = np.linspace(0, 1, 101)
    u, v = (x.ravel() for x in np.meshgrid(steps, steps))
    grid = np.stack([1 - u - v, u, v], 1)[u + v <= 1 + 1e-9]
    for point in generator.normal(size=(5, 3)) * 1.5:
        bary = closest_barycentrics(triangles, point)
        np.testing.assert_allclose(bary.sum(1), 1)
        assert bary.min() >= 0
        found = np.linalg.norm((triangles * bary[:, :, None]).sum(1) - point, axis=1)
        places = np.einsum("gk,fkc->fgc", grid, triangles)
        brute = np.linalg.norm(places - point, axis=2).min(1)
        assert (found <= brute + 1e-9).all()
        assert (found >= brute - 0.04).all()


def test_closest_point_against_an_optimiser():
    triangle = np.array([[[0.0, 0, 0], [2, 0, 0], [0, 1, 1]]])
    point = np.array([0.5, 0.9, -0.4])
    result = minimize(
        lambda w: np.square(w @ triangle[0] - point).sum(),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    )
    np.testing.assert_allclose(closest_barycentrics(triangle, point)[0], result.x, atol=1e-4)


def test_triangle_without_area():
    flat = np.array([[[0.0, 0, 0], [1, 0, 0], [1, 0, 0]]])
    bary = closest_barycentrics(flat, np.array([0.25, 1, 0]))
    np.testing.assert_allclose((flat * bary[:, :, None]).sum(1), [[0.25, 0, 0]], atol=1e-9)


def _views(offsets, turn, count=2000):
    """Residuals that offsets in model space make in some pictures."""
    generator = torch.Generator().manual_seed(0)
    rotation = torch.randn(count, 3, generator=generator) * torch.tensor(turn)
    scale = 4 + 4 * torch.rand(count, generator=generator)
    seen = offsets @ rotation_matrix(rotation).mT
    residual = seen[..., :2] * torch.tensor([1.0, -1.0]) * scale[:, None, None]
    empty = torch.zeros(count, 0)
    return Fit(empty, empty, rotation, torch.zeros(count, 2), scale, residual)


def test_planted_offsets_come_back():
    planted = torch.randn(9, 3, generator=torch.Generator().manual_seed(1)) * 0.2
    found = landmark_offsets(_views(planted, [0.3, 0.6, 0.1]), prior=100.0)
    torch.testing.assert_close(found, planted, atol=1e-3, rtol=0)


def test_depth_that_no_picture_shows_stays_zero():
    planted = torch.tensor([[0.1, -0.2, 0.3]])
    found = landmark_offsets(_views(planted, [0.0, 0.0, 0.2]))
    assert found[0, 2].abs() < 1e-3
    torch.testing.assert_close(found[0, :2], planted[0, :2], atol=0.02, rtol=0)


@pytest.fixture(scope="module")
def moved(model):
    generator = torch.Generator().manual_seed(2)
    offsets = torch.randn(206, 3, generator=generator) * 0.15
    offsets[100] = 0
    return offsets, move_embedding(model, offsets, reach=3)


def test_moved_landmarks_are_nearer_to_their_targets(model, moved):
    offsets, embedding = moved
    present = model.landmark_points(model.mean[None])[0]
    places = (model.mean[embedding.corners] * embedding.weights[..., None]).sum(1)
    left = (places - (present + offsets)).norm(dim=1)
    asked = offsets.norm(dim=1)
    assert (left <= asked + 1e-4).all()
    assert left.mean() < 0.6 * asked.mean()
    assert left[100] < 1e-4


def test_moved_landmarks_lie_on_triangles_of_their_part(model, moved):
    _, embedding = moved
    assert embedding.weights.min() >= 0
    torch.testing.assert_close(embedding.weights.sum(1), torch.ones(206))
    known = {tuple(t) for t in model.triangles.tolist()}
    assert {tuple(t) for t in embedding.corners.tolist()} <= known

    def parts(corners):
        return torch.bucketize(
            corners, torch.tensor([p.vertex_stop for p in model.parts.values()]), right=True
        )

    main = model.landmark_corners.gather(1, model.landmark_weights.argmax(1)[:, None])
    assert torch.equal(parts(embedding.corners), parts(main).expand(-1, 3))
