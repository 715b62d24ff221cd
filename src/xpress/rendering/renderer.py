"""Meshes to pictures, differentiable from silhouettes to texels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xpress.rendering import antialiasing
from xpress.rendering.fragments import Fragments
from xpress.rendering.interpolation import interpolate
from xpress.rendering.rasterizers import Rasterizer, get_rasterizer
from xpress.rendering.texturing import Texture, textured


@dataclass(frozen=True)
class Rendering:
    """A rendered batch.

    Attributes:
        image: colours over the background; not clipped.
        alpha: how much of each pixel the mesh covers: 0 or 1, and between them at antialiased
            silhouettes against the background.
        mask: where the pixel's centre sees the mesh; no gradient.
        fragments: what was seen.
    """

    image: Float[Tensor, "B C H W"]
    alpha: Float[Tensor, "B 1 H W"]
    mask: Bool[Tensor, "B 1 H W"]
    fragments: Fragments


def render(
    vertices: Float[Tensor, "B V 3"],
    triangles: Int[Tensor, "F 3"],
    colors: Float[Tensor, "B V C"] | Texture,
    size: tuple[int, int],
    *,
    shading: Float[Tensor, "B V C"] | None = None,
    background: float | Float[Tensor, "#B C #H #W"] = 0.0,
    antialias: bool = True,
    rasterizer: str | Rasterizer = "auto",
) -> Rendering:
    """Draw meshes that share their triangles.

    Rasterises, interpolates colours or samples the texture, shades, lays the result over the
    background and antialiases silhouettes; each step is a function of its own in
    `xpress.rendering`.

    Args:
        vertices: x, y in pixels (y down, pixel centres at integers), z larger is nearer; as
            `project` returns them. float32 or float64, which then is the picture's.
        triangles: vertex indices.
        colors: of the vertices, or a texture.
        size: (height, width) in pixels.
        shading: factors on the colours at the vertices, as `shade` returns them.
        background: what is behind the meshes: a number, or pictures; their sides may be 1.
        antialias: blend pixels along silhouettes, which gives these a gradient.
        rasterizer: a backend or its name, see `get_rasterizer`.

    Returns:
        Picture, coverage and fragments, differentiable with respect to vertices, colours, texture,
        UV, shading and background.

    Raises:
        InputError: no such rasteriser, or it is not installed.
        IndexError: a triangle names a vertex that does not exist.
    """
    if isinstance(rasterizer, str):
        rasterizer = get_rasterizer(rasterizer)
    fragments = rasterizer(vertices, triangles, size)
    if isinstance(colors, Texture):
        seen = textured(fragments, colors)
    else:
        seen = interpolate(fragments, triangles, colors)
    if shading is not None:
        seen = seen * interpolate(fragments, triangles, shading)
    mask = fragments.face_index >= 0
    behind = torch.as_tensor(background, dtype=seen.dtype, device=seen.device)
    behind = behind.permute(0, 2, 3, 1) if behind.ndim else behind
    seen = torch.where(mask[..., None], seen, behind)
    layers = torch.cat([seen, mask[..., None].to(seen.dtype)], -1)
    if antialias:
        layers = antialiasing.antialias(layers, fragments, vertices, triangles)
    layers = layers.permute(0, 3, 1, 2)
    return Rendering(layers[:, :-1], layers[:, -1:], mask[:, None], fragments)
