"""Textures: pictures that are laid on a mesh by UV coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample

from xpress.rendering.fragments import Fragments
from xpress.rendering.interpolation import interpolate


@dataclass(frozen=True)
class Texture:
    """A picture and where each triangle lies in it, as OBJ files have it.

    Attributes:
        image: one picture for all meshes, or one for each.
        uv: (0, 0) is the picture's lower left corner, (1, 1) its upper right.
        triangles: indices into `uv`, row by row for the triangles of the mesh. They are their own
            because vertices on a seam have several places in the picture.
    """

    image: Float[Tensor, "#B C Th Tw"]
    uv: Float[Tensor, "T 2"]
    triangles: Int[Tensor, "F 3"]


def sample_texture(
    image: Float[Tensor, "#B C Th Tw"], uv: Float[Tensor, "B H W 2"]
) -> Float[Tensor, "B H W C"]:
    """Bilinear samples of a picture; beyond its edge, the edge's.

    There are no smaller versions of the picture to choose from (mipmaps): make it about as large as
    it is seen.

    Args:
        image: one picture for all rows of `uv`, or one for each.
        uv: (0, 0) is the picture's lower left corner, (1, 1) its upper right; centres of pixels
            are half a pixel further in.

    Returns:
        Samples, differentiable with respect to both.
    """
    grid = uv * uv.new_tensor([2.0, -2.0]) + uv.new_tensor([-1.0, 1.0])
    if len(image) == 1:  # one tall picture of samples, for which nothing is copied
        grid = grid.flatten(0, 1)[None]
    samples = grid_sample(image, grid, "bilinear", "border", align_corners=False)
    return samples.permute(0, 2, 3, 1).reshape(*uv.shape[:3], image.shape[1])


def textured(fragments: Fragments, texture: Texture) -> Float[Tensor, "B H W C"]:
    """What pixels see of a texture, zero where they see no triangle.

    Differentiable with respect to picture and UV and, through the barycentrics, the vertices.
    """
    uv = texture.uv.expand(len(fragments.face_index), -1, -1)
    samples = sample_texture(texture.image, interpolate(fragments, texture.triangles, uv))
    return torch.where((fragments.face_index >= 0)[..., None], samples, 0)
