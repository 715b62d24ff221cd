"""Scaled orthographic camera: model space (y up, z out of the face) to image pixels (y down)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_SERIES_BELOW = 1e-4
"""Squared angle under which the Taylor series is exact to double precision."""


def rotation_matrix(axis_angle: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3 3"]:
    """Rodrigues' formula, `R = I + sin(a)/a K + (1 - cos(a))/a^2 K^2`.

    Values and gradients are finite at the zero rotation, where every training run starts.

    Args:
        axis_angle: axis times angle, radians; right-handed.

    Returns:
        Matrices that turn column vectors.
    """
    squared = axis_angle.square().sum(-1)
    small = squared < _SERIES_BELOW
    # The unused branch of `where` is differentiated too and must not divide by zero.
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    first = torch.where(small, 1 - squared / 6 + squared**2 / 120, angle.sin() / angle)
    second = torch.where(
        small,
        0.5 - squared / 24 + squared**2 / 720,
        2 * ((angle / 2).sin() / angle).square(),  # 1 - cos(a) would cancel
    )
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + first[:, None, None] * cross + second[:, None, None] * (cross @ cross)


def rotate(
    vectors: Float[Tensor, "B V 3"], rotation: Float[Tensor, "B 3"]
) -> Float[Tensor, "B V 3"]:
    """Turn vertices or normals from model space into camera space (y up, +z to the viewer)."""
    return vectors @ rotation_matrix(rotation).mT


def project(
    vertices: Float[Tensor, "B V 3"],
    rotation: Float[Tensor, "B 3"],
    translation: Float[Tensor, "B 2"],
    scale: Float[Tensor, " B"],
) -> Float[Tensor, "B V 3"]:
    """Project model-space vertices into the image.

    Args:
        vertices: model space, y up.
        rotation: axis-angle, radians, model space to camera space.
        translation: where the model's origin lands, pixels (x, y).
        scale: pixels per unit of model space.

    Returns:
        x, y in pixels (y down, pixel centres at integers) and z in pixels, larger is nearer.
    """
    turned = rotate(vertices, rotation)
    # The sign lives in the factor: slicing and concatenating would copy the mesh once more.
    flip = turned.new_tensor([1.0, -1.0, 1.0])
    offset = torch.nn.functional.pad(translation, (0, 1))
    return turned * (scale[:, None, None] * flip) + offset[:, None]


def unproject(
    projected: Float[Tensor, "B V 3"],
    rotation: Float[Tensor, "B 3"],
    translation: Float[Tensor, "B 2"],
    scale: Float[Tensor, " B"],
) -> Float[Tensor, "B V 3"]:
    """Inverse of `project` for points whose z is known."""
    flip = projected.new_tensor([1.0, -1.0, 1.0])
    offset = torch.nn.functional.pad(translation, (0, 1))
    turned = (projected - offset[:, None]) * flip / scale[:, None, None]
    return turned @ rotation_matrix(rotation)
