"""Second-order spherical harmonics lighting.

Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps",
SIGGRAPH 2001: nine coefficients per colour channel carry the irradiance of a convex Lambertian
surface under distant light to about 1%. The bands are the real harmonics of their equation 3,
without the factors pi, 2 pi / 3, pi / 4 of the cosine lobe (their equation 8): the illumination
coefficients carry these, so that an illumination is what multiplies the bands, nothing else.
"""

from __future__ import annotations

import math
from typing import Any

from jaxtyping import Float

from xpress.arrays import Array, library

SH_0 = math.sqrt(1 / (4 * math.pi))
"""Y00, 0.282095."""
SH_1 = math.sqrt(3 / (4 * math.pi))
"""Y1m, 0.488603, times y, z, x."""
SH_2 = math.sqrt(15 / (4 * math.pi))
"""Y2-2, Y2-1, Y21, 1.092548, times xy, yz, xz."""
SH_20 = math.sqrt(5 / (16 * math.pi))
"""Y20, 0.315392, times 3 z^2 - 1."""
SH_22 = math.sqrt(15 / (16 * math.pi))
"""Y22, 0.546274, times x^2 - y^2."""


def spherical_harmonics(normals: Float[Array, "*N 3"]) -> Float[Array, "*N 9"]:
    """The nine real bands at unit normals.

    Args:
        normals: unit vectors in camera space (y up, +z to the viewer), so that light stays put
            when the head turns.

    Returns:
        In order: 1; y, z, x; xy, yz, 3z^2-1, xz, x^2-y^2, each with its constant.
    """
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    return library(normals).stack(
        [
            library(normals).full_like(x, SH_0),
            SH_1 * y,
            SH_1 * z,
            SH_1 * x,
            SH_2 * x * y,
            SH_2 * y * z,
            SH_20 * (3 * z * z - 1),
            SH_2 * x * z,
            SH_22 * (x * x - y * y),
        ],
        -1,
    )


def shade(
    normals: Float[Array, "B V 3"], illumination: Float[Array, "B 9 3"]
) -> Float[Array, "B V 3"]:
    """Shading per colour channel; the seen colour is albedo times shading.

    Args:
        normals: unit vectors in camera space, of vertices or pixels.
        illumination: coefficients of the nine bands, one column a colour channel.
    """
    return spherical_harmonics(normals) @ illumination


def ambient(
    batch: int,
    level: float = 1.0,
    *,
    dtype: Any = None,
    device: Any = None,
) -> Float[Array, "B 9 3"]:
    """Illumination, a tensor, whose shading is `level` at every normal."""
    import torch

    illumination = torch.zeros(batch, 9, 3, dtype=dtype, device=device)
    illumination[:, 0] = level / SH_0
    return illumination
