"""From visible triangles to fragments: the differentiable half that every backend shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.structures import Fragments


@dataclass(frozen=True)
class CoveredPixels:
    """The pixels that see a triangle, of all images in one list.

    Attributes:
        pixel: flat index into (B * H * W).
        corners: the seen triangle's vertices as flat indices into (B * V).
    """

    pixel: Int[Tensor, " P"]
    corners: Int[Tensor, "P 3"]


def covered_pixels(
    face_index: Int[Tensor, "B H W"], triangles: Int[Tensor, "F 3"], vertices: int
) -> CoveredPixels:
    """List the covered pixels; `vertices` is the number V of one image's vertices."""
    flat = face_index.flatten()
    pixel = (flat >= 0).nonzero().squeeze(1)
    image = pixel.div(
        max(face_index[0].numel() if len(face_index) else 1, 1), rounding_mode="floor"
    )
    corners = triangles.index_select(0, flat.index_select(0, pixel)).long()
    return CoveredPixels(pixel, corners + (image * vertices)[:, None])


def fragments_from_visibility(
    vertices: Float[Tensor, "B V 3"],
    triangles: Int[Tensor, "F 3"],
    face_index: Int[Tensor, "B H W"],
) -> Fragments:
    """Barycentrics and depth of the visible triangles at the pixel centres.

    Args:
        vertices: x, y in pixels, z larger is nearer.
        triangles: vertex indices.
        face_index: triangle seen at each pixel, -1 where none.

    Returns:
        Fragments whose barycentrics and depth are differentiable with respect to `vertices`;
        `face_index` is piecewise constant and carries no gradient.
    """
    _, height, width = face_index.shape
    covered = covered_pixels(face_index, triangles, vertices.shape[1])
    corners = vertices.reshape(-1, 3).index_select(0, covered.corners.flatten()).view(-1, 3, 3)
    center = torch.stack(
        [covered.pixel % width, covered.pixel.div(width, rounding_mode="floor") % height], -1
    )
    # Relative to the pixel, nothing cancels, and inside all three areas have one sign.
    x, y = (corners[..., :2] - center[:, None]).unbind(-1)
    areas = x.roll(-1, 1) * y.roll(-2, 1) - y.roll(-1, 1) * x.roll(-2, 1)
    total = areas.sum(1, keepdim=True)
    weights = areas / torch.where(total == 0, torch.ones_like(total), total)
    depth = (weights * corners[..., 2]).sum(1)
    pixels = face_index.numel()
    return Fragments(
        face_index=face_index,
        barycentrics=scatter_pixels(weights, covered.pixel, pixels).view(*face_index.shape, 3),
        depth=scatter_pixels(depth, covered.pixel, pixels).view(face_index.shape),
    )


def scatter_pixels(
    values: Float[Tensor, "P *C"], pixel: Int[Tensor, " P"], pixels: int
) -> Float[Tensor, "N *C"]:
    """Spread values of covered pixels over `pixels` pixels, zero elsewhere."""
    return values.new_zeros(pixels, *values.shape[1:]).index_copy(0, pixel, values)
