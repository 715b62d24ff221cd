"""Backend on `pytorch3d.renderer.mesh.rasterize_meshes`, for those who have it.

An independent implementation to check the others against. On the CPU it visits every triangle at
every pixel; on a GPU it bins them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.errors import InputError
from xpress.rendering.rasterizers.base import Rasterizer, check_triangles

try:
    from pytorch3d.renderer.mesh import rasterize_meshes
    from pytorch3d.structures import Meshes
except ImportError as error:
    raise InputError(
        f"rasterizer 'pytorch3d': not installed ({error}); install xpress[pytorch3d] or choose "
        "numba or torch"
    ) from error


_EDGE = 1e-12
"""Squared NDC distance: without it pixel centres on an edge would belong to neither neighbour."""


class Pytorch3dRasterizer(Rasterizer):
    """`rasterize_meshes` with one face per pixel and no perspective.

    Two of its rules differ from the other backends': it computes in float32, and triangles below
    1e-8 square NDC units (about 2e-4 square pixels at 256) draw nothing. Which of two triangles
    at one depth it takes is its own affair.
    """

    @torch.no_grad()
    def visibility(
        self,
        vertices: Float[Tensor, "B V 3"],
        triangles: Int[Tensor, "F 3"],
        size: tuple[int, int],
    ) -> Int[Tensor, "B H W"]:
        """Draw image by image, since each has its own drawable triangles."""
        check_triangles(triangles, vertices.shape[1])
        seen = torch.full((len(vertices), *size), -1, dtype=torch.int64, device=vertices.device)
        for image, points in enumerate(_normalized(vertices.float(), size)):
            drawn = _drawable(vertices[image], triangles, self.cull_backfaces)
            if not len(drawn):
                continue
            mesh = Meshes(points[None], triangles.index_select(0, drawn).long()[None])
            face = rasterize_meshes(
                mesh, size, blur_radius=_EDGE, faces_per_pixel=1, perspective_correct=False
            )[0][0, ..., 0]
            seen[image] = torch.where(face >= 0, drawn[face.clamp(min=0)], -1)
        return seen


def _normalized(vertices: Float[Tensor, "B V 3"], size: tuple[int, int]) -> Float[Tensor, "B V 3"]:
    """Pixels to pytorch3d's NDC: x left, y up, the shorter side from -1 to 1, z away and > 0."""
    height, width = size
    x, y, z = vertices.unbind(-1)
    shorter = min(height, width)
    nearest = z.nan_to_num(posinf=0.0, neginf=0.0).amax(1, keepdim=True) if z.numel() else z
    return torch.stack(
        [(width - 1 - 2 * x) / shorter, (height - 1 - 2 * y) / shorter, nearest - z + 1], -1
    )


def _drawable(
    vertices: Float[Tensor, "V 3"], triangles: Int[Tensor, "F 3"], cull: bool
) -> Int[Tensor, " D"]:
    """Triangles with finite corners, seen from the front if `cull`."""
    corners = vertices.index_select(0, triangles.flatten()).view(-1, 3, 3)
    drawn = corners.sum((1, 2)).isfinite()
    if cull:
        side1, side2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        drawn &= side1[:, 0] * side2[:, 1] - side1[:, 1] * side2[:, 0] < 0
    return drawn.nonzero().squeeze(1)
