import math

import pytest
import torch

from xpress.errors import InputError
from xpress.rendering.camera import project
from xpress.rendering.rasterizers import get_rasterizer


def _rasterizer(name, **options):
    try:
        return get_rasterizer(name, **options)
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def make_rasterizer():
    """Backend by name; skips the test where it is not installed."""
    return _rasterizer


@pytest.fixture(params=["torch", "numba", "pytorch3d", "auto"])
def rasterizer(request):
    return _rasterizer(request.param)


def _sphere(steps, dtype=torch.float32):
    """A closed unit sphere, corners counter-clockwise from outside."""
    polar, around = torch.meshgrid(
        torch.linspace(0, math.pi, steps + 1, dtype=dtype),
        torch.linspace(0, 2 * math.pi, 2 * steps + 1, dtype=dtype),
        indexing="ij",
    )
    vertices = torch.stack(
        [polar.sin() * around.sin(), polar.cos(), polar.sin() * around.cos()], -1
    ).view(-1, 3)
    index = torch.arange(len(vertices)).view(steps + 1, 2 * steps + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    triangles = torch.cat([torch.stack([a, b, d], -1), torch.stack([a, d, c], -1)]).view(-1, 3)
    return vertices, triangles


@pytest.fixture(scope="session")
def make_sphere():
    return _sphere


@pytest.fixture(scope="session")
def make_ball():
    """A projected sphere without a seam, x to the right and y down; the nearest point has z = 1."""

    def make(steps, dtype=torch.float64):
        vertices, triangles = _sphere(steps, dtype)
        columns = 2 * steps + 1
        row, column = torch.arange(len(vertices)) // columns, torch.arange(len(vertices)) % columns
        pole = (row == 0) | (row == steps)
        welded = row * columns + torch.where(pole | (column == 2 * steps), 0, column)
        triangles = welded[triangles]
        area = (triangles != triangles.roll(1, 1)).all(1)
        return vertices * torch.tensor([1.0, -1.0, 1.0], dtype=dtype), triangles[area]

    return make


@pytest.fixture(scope="session")
def make_random_mesh():
    """(B, V, 3) vertices in and around a (height, width) image, and triangles of any size."""

    def make(seed, batch, count, size, spread=8.0, dtype=torch.float32):
        generator = torch.Generator().manual_seed(seed)
        height, width = size
        extent = torch.tensor([width + 10.0, height + 10.0, 50.0], dtype=dtype)
        centers = torch.rand(batch, count, 1, 3, generator=generator, dtype=dtype) * extent - 5
        corners = torch.randn(batch, count, 3, 3, generator=generator, dtype=dtype) * spread
        vertices = (centers + corners).reshape(batch, -1, 3)
        return vertices, torch.arange(3 * count).view(-1, 3)

    return make


@pytest.fixture(scope="session")
def make_head():
    """Projected ellipsoids of a face's proportions, slightly turned: (B, V, 3) and triangles."""

    def make(steps, size, batch=1, dtype=torch.float32):
        vertices, triangles = _sphere(steps, dtype)
        vertices = vertices * torch.tensor([0.75, 1.0, 0.9], dtype=dtype)
        turn = torch.linspace(0.1, 0.5, batch, dtype=dtype)
        rotation = torch.stack([turn, -turn, 0.3 * turn], -1)
        middle = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2], dtype=dtype)
        scale = torch.full((batch,), 0.4 * min(size), dtype=dtype)
        projected = project(
            vertices.expand(batch, -1, -1), rotation, middle.expand(batch, -1), scale
        )
        return projected, triangles

    return make
