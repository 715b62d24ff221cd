"""Attributes of vertices, seen at pixels."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from xpress.rendering.fragments import Fragments, covered_pixels
from xpress.rendering.rasterizers.base import Rasterizer


@dataclass(frozen=True)
class Rendering:
    """A rendered batch.

    Attributes:
        image: colours, zero where the mesh is not seen; not clipped.
        mask: where the mesh is seen.
        fragments: what was seen.
    """

    image: Float[Tensor, "B C H W"]
    mask: Bool[Tensor, "B 1 H W"]
    fragments: Fragments


def interpolate(
    fragments: Fragments, triangles: Int[Tensor, "F 3"], attributes: Float[Tensor, "B V C"]
) -> Float[Tensor, "B H W C"]:
    """Mix the corners' attributes with the barycentrics; zero where no triangle is seen.

    Differentiable with respect to the attributes and, through the barycentrics, the vertices.
    """
    covered = covered_pixels(fragments.face_index, triangles, attributes.shape[1])
    weights = fragments.barycentrics.flatten(0, 2).index_select(0, covered.pixel).T.contiguous()
    values = (covered.gather(attributes) * weights).sum(1)
    return covered.scatter(values.T, fragments.face_index)


def render(
    rasterizer: Rasterizer,
    vertices: Float[Tensor, "B V 3"],
    triangles: Int[Tensor, "F 3"],
    colors: Float[Tensor, "B V C"],
    size: tuple[int, int],
) -> Rendering:
    """Draw vertex colours (albedo times shading).

    Args:
        rasterizer: any backend.
        vertices: projected, as `camera.project` returns them.
        triangles: vertex indices.
        colors: what the vertices look like.
        size: (height, width) in pixels.
    """
    fragments = rasterizer(vertices, triangles, size)
    image = interpolate(fragments, triangles, colors).permute(0, 3, 1, 2)
    return Rendering(image, (fragments.face_index >= 0)[:, None], fragments)
