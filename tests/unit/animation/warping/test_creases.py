"""Curvature against spheres and cylinders, whose curvature is known."""

import numpy as np
import pytest

from xpress.animation.warping.creases import BRIGHTEST, DARKEST, FAR, NEAR, Creases


def sheet(count: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Positions in [-1, 1] of a square's vertices, and its triangles, none longer along x."""
    x, y = np.meshgrid(np.linspace(-1, 1, count), np.linspace(-1, 1, count))
    index = np.arange(count**2).reshape(count, count)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return np.stack([x.ravel(), y.ravel()], 1).astype(np.float32), triangles.astype(np.int32)


def sphere(radius: float, sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cap towards (or away from) the viewer: projected vertices, normals, triangles."""
    flat, triangles = sheet()
    x, y = (0.4 * radius * flat).T
    z = sign * np.sqrt(radius**2 - x**2 - y**2)
    normals = np.stack([x, y, z], 1) * sign / radius
    projected = np.stack([x + 70, 50 - y, z], 1)  # y down
    return projected.astype(np.float32), normals.astype(np.float32), triangles


@pytest.mark.parametrize("radius", [20.0, 80.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_bend_of_a_sphere_is_one_over_its_radius(radius, sign):
    projected, normals, triangles = sphere(radius, sign)
    creases = Creases(triangles, np.full(len(projected), 2.0, np.float32))
    bend = creases.bend(projected, normals, 100.0)
    np.testing.assert_allclose(bend, sign * 100 / radius, rtol=1e-3)


def test_the_size_of_the_picture_does_not_matter():
    projected, normals, triangles = sphere(30.0, 1.0)
    creases = Creases(triangles, np.full(len(projected), 2.0, np.float32))
    twice = creases.bend(2 * projected, normals, 200.0)
    np.testing.assert_allclose(creases.bend(projected, normals, 100.0), twice, rtol=1e-5)


def test_lids_and_lips_are_no_folds():
    projected, normals, triangles = sphere(30.0, 1.0)
    distance = np.linspace(0, 2 * FAR, len(projected)).astype(np.float32)
    bend = Creases(triangles, distance).bend(projected, normals, 100.0)
    assert (bend[distance <= NEAR] == 0).all()
    assert bend[distance >= FAR].min() > 0.99 * 100 / 30
    assert (np.diff(bend) > -1e-4).all()


def test_folds_darken_within_limits():
    old = np.zeros(4, np.float32)
    change = Creases.change(old, np.array([-5.0, 0.0, 2.0, -1e6], np.float32))
    assert DARKEST < change[0] < 0 == change[1] < change[2] < BRIGHTEST
    assert change[3] == np.float32(DARKEST)
