"""Pure PyTorch backend for any device, and the reference the others are tested against."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from xpress.rendering.rasterizers.base import Rasterizer, check_triangles

CANDIDATES = 1 << 22
"""Pixels proposed at a time: bounds the memory (about 100 bytes each) when triangles are large."""


class TorchRasterizer(Rasterizer):
    """Each triangle proposes the pixels of its bounding box; scattered maxima pick the nearest.

    The two scatters, first the largest depth of a pixel, then the lowest index at that depth, are
    independent of the order in which a device performs them.
    """

    @torch.no_grad()
    def visibility(
        self,
        vertices: Float[Tensor, "B V 3"],
        triangles: Int[Tensor, "F 3"],
        size: tuple[int, int],
    ) -> Int[Tensor, "B H W"]:
        """Draw on the device of the vertices."""
        check_triangles(triangles, vertices.shape[1])
        batch, (height, width) = len(vertices), size
        corners = vertices.index_select(1, triangles.flatten()).view(-1, 3, 3)
        low, extent = _boxes(corners, height, width)
        drawn = (extent.prod(-1) > 0).nonzero().squeeze(1)
        corners, low, extent = (part.index_select(0, drawn) for part in (corners, low, extent))
        nearest = vertices.new_full((batch * height * width,), -torch.inf)
        seen = drawn.new_full((batch * height * width,), len(triangles))
        for part in _chunks(extent.prod(-1)):
            owner, x, y = _candidates(low[part], extent[part])
            inside, depth = _cover(corners[part], owner, x, y, self.cull_backfaces)
            face = drawn[part].index_select(0, owner[inside])
            image = face.div(max(len(triangles), 1), rounding_mode="floor")
            pixel = (image * height + y[inside]) * width + x[inside]
            _merge(nearest, seen, pixel, depth, face % max(len(triangles), 1), len(triangles))
        return seen.where(seen < len(triangles), -1).view(batch, height, width)


def _boxes(
    corners: Float[Tensor, "N 3 3"], height: int, width: int
) -> tuple[Int[Tensor, "N 2"], Int[Tensor, "N 2"]]:
    """First pixel (x, y) of each bounding box and its extent in pixels, zero when nothing is."""
    last = corners.new_tensor([width - 1, height - 1])
    points = corners[..., :2]
    low = points.amin(1).clamp(min=0).ceil()
    high = torch.minimum(points.amax(1), last).floor()
    usable = corners.sum((1, 2)).isfinite() & (low <= high).all(-1)
    low, high = (bound.where(usable[:, None], 0).long() for bound in (low, high))
    return low, (high - low + 1) * usable[:, None]


def _chunks(counts: Int[Tensor, " N"]):
    """Slices of triangles that propose about `CANDIDATES` pixels each."""
    if not len(counts):
        return
    ends = counts.cumsum(0)
    marks = torch.arange(1, int(ends[-1]) // CANDIDATES + 1, device=counts.device) * CANDIDATES
    cuts = [0, *torch.searchsorted(ends, marks, right=True).unique().tolist(), len(counts)]
    yield from (slice(a, b) for a, b in pairwise(cuts) if a < b)


def _candidates(
    low: Int[Tensor, "N 2"], extent: Int[Tensor, "N 2"]
) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"], Int[Tensor, " M"]]:
    """Every pixel of every box: the box's number, x and y."""
    counts = extent.prod(-1)
    owner = torch.repeat_interleave(counts)
    within = torch.arange(len(owner), device=low.device)
    within = within - (counts.cumsum(0) - counts).index_select(0, owner)
    columns = extent[:, 0].index_select(0, owner)
    x = low[:, 0].index_select(0, owner) + within % columns
    y = low[:, 1].index_select(0, owner) + within.div(columns, rounding_mode="floor")
    return owner, x, y


def _cover(
    corners: Float[Tensor, "N 3 3"],
    owner: Int[Tensor, " M"],
    x: Int[Tensor, " M"],
    y: Int[Tensor, " M"],
    cull: bool,
) -> tuple[Bool[Tensor, " M"], Float[Tensor, " K"]]:
    """Which candidates lie inside their triangle, and the depth of those K."""
    x0, y0, z0, x1, y1, z1, x2, y2, z2 = corners.flatten(1).index_select(0, owner).unbind(1)
    dx0, dx1, dx2 = x0 - x, x1 - x, x2 - x
    dy0, dy1, dy2 = y0 - y, y1 - y, y2 - y
    e0 = dx1 * dy2 - dy1 * dx2
    e1 = dx2 * dy0 - dy2 * dx0
    e2 = dx0 * dy1 - dy0 * dx1
    area = e0 + e1 + e2
    inside = (e0 <= 0) & (e1 <= 0) & (e2 <= 0)
    if not cull:
        inside |= (e0 >= 0) & (e1 >= 0) & (e2 >= 0)
    inside &= area != 0
    depth = (e0 * z0 + e1 * z1 + e2 * z2)[inside] / area[inside]
    return inside, depth


def _merge(
    nearest: Float[Tensor, " P"],
    seen: Int[Tensor, " P"],
    pixel: Int[Tensor, " K"],
    depth: Float[Tensor, " K"],
    face: Int[Tensor, " K"],
    none: int,
) -> None:
    """Enter candidates into the z-buffer `nearest` and the index buffer `seen`, in place."""
    before = nearest.clone()
    nearest.scatter_reduce_(0, pixel, depth, "amax")
    seen.masked_fill_(nearest > before, none)
    front = depth == nearest.index_select(0, pixel)
    seen.scatter_reduce_(0, pixel[front], face[front], "amin")
