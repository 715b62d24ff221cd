"""Nearest points on meshes, against a dense search."""

import numpy as np

from xpress.face_models.registration.surface_points import Surface, closest_barycentrics


def test_nearest_of_a_triangle_is_nearest_of_many_points_in_it():
    rng = np.random.default_rng(0)
    corners, points = rng.normal(size=(40, 3, 3)), 2 * rng.normal(size=(40, 3))
    weights = closest_barycentrics(corners, points)
    assert (weights >= -1e-9).all()
    np.testing.assert_allclose(weights.sum(1), 1)
    found = np.linalg.norm((weights[:, :, None] * corners).sum(1) - points, axis=1)
    steps = np.stack(np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60)), -1).reshape(-1, 2)
    steps = steps[steps.sum(1) <= 1]
    dense = np.column_stack([1 - steps.sum(1), steps])
    for triangle, point, distance in zip(corners, points, found, strict=True):
        nearest = np.linalg.norm(dense @ triangle - point, axis=1).min()
        assert distance <= nearest + 1e-9
        assert distance > nearest - 0.08


def test_border_and_values_at_the_points():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0]])
    triangles = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]])
    surface = Surface(vertices, triangles)
    found = surface.nearest(np.array([[1.5, 0.4, 3.0], [-4.0, 0.5, 0.0]]))
    np.testing.assert_allclose(found.mix(vertices), [[1.5, 0.4, 0], [0, 0.5, 0]], atol=1e-9)
    np.testing.assert_allclose(found.normal, [[0, 0, 1], [0, 0, 1]])
    assert surface.on_border(found).tolist() == [True, True]  # every vertex is on the border here
