"""Attributes of vertices, seen at pixels."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from xpress.rendering.fragments import Fragments, covered_pixels


def interpolate(
    fragments: Fragments, triangles: Int[Tensor, "F 3"], attributes: Float[Tensor, "B V C"]
) -> Float[Tensor, "B H W C"]:
    """Mix the corners' attributes with the barycentrics; zero where no triangle is seen.

    Args:
        fragments: what was rasterised.
        triangles: indices into `attributes`; not those of the vertices where attributes, such as
            UV coordinates, have their own.
        attributes: of each image's mesh.

    Returns:
        Differentiable with respect to the attributes and, through the barycentrics, the vertices.
    """
    covered = covered_pixels(fragments.face_index, triangles, attributes.shape[1])
    weights = fragments.barycentrics.flatten(0, 2).index_select(0, covered.pixel).T.contiguous()
    values = (covered.gather(attributes) * weights).sum(1)
    return covered.scatter(values.T, fragments.face_index)
