import math

import pytest
import torch
from torch.autograd import gradcheck

from xpress.rendering.lighting import ambient, shade, spherical_harmonics


def _quadrature(steps=64):
    """Nodes on the sphere and weights that integrate low-order polynomials exactly."""
    import numpy as np

    z, weight = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(steps))
    around = torch.arange(2 * steps, dtype=torch.float64) * math.pi / steps
    radius = (1 - z * z).sqrt()
    normals = torch.stack(
        [
            radius[:, None] * around.cos(),
            radius[:, None] * around.sin(),
            z[:, None].expand(-1, 2 * steps),
        ],
        -1,
    )
    return normals.view(-1, 3), weight.repeat_interleave(2 * steps) * math.pi / steps


def test_bands_are_orthonormal_on_the_sphere():
    normals, weights = _quadrature()
    bands = spherical_harmonics(normals)
    gram = (bands * weights[:, None]).T @ bands
    torch.testing.assert_close(gram, torch.eye(9, dtype=torch.float64), atol=1e-12, rtol=0)


def test_constants_of_ramamoorthi_and_hanrahan():
    x, y, z = 0.48, 0.6, 0.64
    expected = [0.282095]
    expected += [0.488603 * value for value in (y, z, x)]
    expected += [1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1)]
    expected += [1.092548 * x * z, 0.546274 * (x * x - y * y)]
    bands = spherical_harmonics(torch.tensor([x, y, z]))
    torch.testing.assert_close(bands, torch.tensor(expected), atol=1e-6, rtol=0)


def test_lambertian_irradiance_of_one_distant_light():
    """Cosine lobe from its SH coefficients: within the published error of the nine bands."""
    light = torch.tensor([[0.0, 0.6, 0.8]], dtype=torch.float64)
    lobe = [math.pi] + [2 * math.pi / 3] * 3 + [math.pi / 4] * 5
    coefficients = spherical_harmonics(light)[0] * torch.tensor(lobe, dtype=torch.float64)
    normals, weights = _quadrature()
    seen = shade(normals[None], coefficients[None, :, None].expand(1, 9, 3))[0, :, 0]
    exact = (normals @ light[0]).clamp(min=0)
    error = ((seen - exact).square() * weights).sum() / (exact.square() * weights).sum()
    assert error < 0.01


def test_ambient_light_is_the_same_on_every_normal():
    normals = torch.nn.functional.normalize(torch.randn(2, 50, 3), dim=-1)
    torch.testing.assert_close(shade(normals, ambient(2, 0.7)), torch.full((2, 50, 3), 0.7))


def test_gradient_against_finite_differences():
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    light = torch.randn(2, 9, 3, generator=generator, dtype=torch.float64).requires_grad_()
    assert gradcheck(shade, (normals, light))


def test_wrong_shape_raises():
    with pytest.raises(Exception, match="illumination"):
        shade(torch.zeros(2, 5, 3), torch.zeros(2, 4, 3))
    with pytest.raises(Exception, match="normals"):
        spherical_harmonics(torch.zeros(5, 2))
