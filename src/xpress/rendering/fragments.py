"""From visible triangles to fragments: the differentiable half that every backend shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.structures import ArrayStruct


@dataclass(frozen=True)
class Fragments(ArrayStruct):
    """What a rasteriser saw at each pixel centre.

    Attributes:
        face_index: triangle seen, -1 where none.
        barycentrics: weights of that triangle's corners, zero where none; differentiable with
            respect to the vertices.
        depth: interpolated z in the vertices' units (larger is nearer), zero where none.
    """

    face_index: Int[Tensor, "B H W"]
    barycentrics: Float[Tensor, "B H W 3"]
    depth: Float[Tensor, "B H W"]


@dataclass(frozen=True)
class CoveredPixels:
    """The pixels that see a triangle, of all images in one list.

    Attributes:
        pixel: flat index into (B * H * W).
        row: y of the pixel.
        column: x of the pixel.
        corners: the seen triangle's vertices as flat indices into (B * V).
    """

    pixel: Int[Tensor, " P"]
    row: Int[Tensor, " P"]
    column: Int[Tensor, " P"]
    corners: Int[Tensor, "3 P"]

    def gather(self, attributes: Float[Tensor, "B V C"]) -> Float[Tensor, "C 3 P"]:
        """The corners' attributes; one plane a channel, which is what the CPU is fast at."""
        planes = attributes.flatten(0, 1).T.contiguous()
        return planes.index_select(1, self.corners.flatten()).unflatten(1, self.corners.shape)

    def scatter(
        self, values: Float[Tensor, "P C"], face_index: Int[Tensor, "B H W"]
    ) -> Float[Tensor, "B H W C"]:
        """Spread values over the images, zero where nothing is seen."""
        empty = values.new_zeros(face_index.numel(), values.shape[1])
        return empty.index_copy(0, self.pixel, values).view(*face_index.shape, values.shape[1])


def covered_pixels(
    face_index: Int[Tensor, "B H W"], triangles: Int[Tensor, "F 3"], vertices: int
) -> CoveredPixels:
    """List the covered pixels; `vertices` is the number V of one image's vertices."""
    _, height, width = face_index.shape
    image, row, column = (face_index >= 0).nonzero().T.contiguous()
    pixel = (image * height + row) * width + column
    seen = triangles.index_select(0, face_index.flatten().index_select(0, pixel))
    return CoveredPixels(pixel, row, column, seen.T + image * vertices)


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
    covered = covered_pixels(face_index, triangles, vertices.shape[1])
    x, y, z = covered.gather(vertices)
    # Relative to the pixel, nothing cancels, and inside all three areas have one sign.
    x0, x1, x2 = x - covered.column.to(x)
    y0, y1, y2 = y - covered.row.to(y)
    areas = torch.stack([x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1])
    total = areas.sum(0)
    weights = areas / torch.where(total == 0, torch.ones_like(total), total)
    return Fragments(
        face_index=face_index,
        barycentrics=covered.scatter(weights.T, face_index),
        depth=covered.scatter((weights * z).sum(0)[:, None], face_index).squeeze(-1),
    )
