"""A small rig with known numbers, as the files of several formats hold it."""

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def patch():
    """A bent sheet of 12 vertices with bases of orthonormal columns."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-5, 5, 4), np.linspace(-4, 4, 3))
    vertices = np.stack([x, y, -0.1 * x**2], -1).reshape(-1, 3)
    index = np.arange(12).reshape(3, 4)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
    quads = quads.reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])

    def columns(count):
        return np.linalg.qr(rng.normal(size=(36, count)))[0]

    return SimpleNamespace(
        vertices=vertices,
        quads=quads,
        triangles=triangles,
        columns=columns,
        colors=rng.uniform(size=(12, 3)),
    )
