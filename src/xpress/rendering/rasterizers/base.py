"""What a rasteriser is: visibility from a backend, the rest in common.

Rules that every backend keeps:

* Pixel centres are at integer coordinates; a pixel is covered when its centre lies inside the
  triangle or on its edge. Neighbours therefore leave no gap.
* The nearest surface (largest z) is seen. At equal depth the lower triangle index wins.
* Both sides of a triangle are drawn, unless `cull_backfaces` is set. The front is the side from
  which the corners run counter-clockwise on screen.
* Triangles without area, with a corner that is not finite, or outside the image draw nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.rendering.fragments import Fragments, fragments_from_visibility


class Rasterizer(ABC):
    """Finds the triangle each pixel sees.

    Args:
        cull_backfaces: draw only triangles that turn their front to the viewer.
    """

    def __init__(self, cull_backfaces: bool = False) -> None:
        self.cull_backfaces = cull_backfaces

    def __call__(
        self,
        vertices: Float[Tensor, "B V 3"],
        triangles: Int[Tensor, "F 3"],
        size: tuple[int, int],
    ) -> Fragments:
        """Rasterise a batch of meshes that share their triangles.

        Args:
            vertices: x, y in pixels (y down), z larger is nearer.
            triangles: vertex indices.
            size: (height, width) in pixels.

        Returns:
            Fragments, differentiable with respect to `vertices`.

        Raises:
            IndexError: a triangle names a vertex that does not exist.
        """
        if vertices.dtype not in (torch.float32, torch.float64):
            vertices = vertices.float()
        seen = self.visibility(vertices.detach(), triangles, size)
        return fragments_from_visibility(vertices, triangles, seen)

    @abstractmethod
    def visibility(
        self,
        vertices: Float[Tensor, "B V 3"],
        triangles: Int[Tensor, "F 3"],
        size: tuple[int, int],
    ) -> Int[Tensor, "B H W"]:
        """The int64 index of the triangle seen at each pixel, -1 where none; no gradient."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(cull_backfaces={self.cull_backfaces})"


def check_triangles(triangles: Int[Tensor, "F 3"], vertices: int) -> None:
    """Raise IndexError unless every index is one of `vertices` vertices."""
    if triangles.numel() and (triangles.min() < 0 or triangles.max() >= vertices):
        raise IndexError(f"triangles name vertices outside 0..{vertices - 1}")
