"""Analytic antialiasing: silhouettes blend neighbouring pixels and thereby get gradients.

After Laine et al., "Modular Primitives for High-Performance Differentiable Rendering", ACM TOG
39(6), 2020: where a silhouette edge crosses the line between two pixel centres, the surface ends at
a known fraction of that line, and the pixel on the wrong side of the middle takes over so much of
the other's colour. The fraction moves with the vertices, which is the gradient that rasterisation
itself, constant between its jumps, cannot give.

Theirs looks for the edges of the one triangle that a pixel sees. A face's triangles are smaller
than its pixels, and that triangle is seldom the one at the silhouette; here the silhouette edges
look for the pixels they pass between.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from xpress.rendering.fragments import Fragments
from xpress.rendering.topology import MeshEdges, mesh_edges


@dataclass(frozen=True)
class _Crossings:
    """Where silhouette edges pass between two neighbouring pixels.

    Edges steeper than a diagonal are looked for between neighbours in a row (`across`), the others
    between neighbours in a column: each piece of a silhouette counts once, so that areas are right.

    Attributes:
        ends: the edge's vertices as flat indices into (B * V).
        across: whether the two pixels are neighbours in a row.
        line: that row; else the column.
        first: the first pixel's column; else its row.
        near: the pixel on the surface's side, as a flat index into (B * H * W).
        far: the other one.
        ahead: whether `far` comes second.
        depth: of the edge at the crossing.
        reach: from `near` to the edge, in pixels.
    """

    ends: Int[Tensor, "2 N"]
    across: Bool[Tensor, " N"]
    line: Int[Tensor, " N"]
    first: Int[Tensor, " N"]
    near: Int[Tensor, " N"]
    far: Int[Tensor, " N"]
    ahead: Bool[Tensor, " N"]
    depth: Float[Tensor, " N"]
    reach: Float[Tensor, " N"]

    def where(self, condition: Bool[Tensor, " N"]) -> _Crossings:
        """Some of the crossings."""
        rows = condition.nonzero().squeeze(1)
        return _Crossings(*(value.index_select(-1, rows) for value in vars(self).values()))


def antialias(
    image: Float[Tensor, "B H W C"],
    fragments: Fragments,
    vertices: Float[Tensor, "B V 3"],
    triangles: Int[Tensor, "F 3"],
) -> Float[Tensor, "B H W C"]:
    """Blend pixels along visible silhouettes.

    Args:
        image: colours at the pixel centres, background included.
        fragments: what was rasterised.
        vertices: x, y in pixels, z larger is nearer: of what was rasterised.
        triangles: vertex indices. A surface that goes on over a seam must share its vertices
            there: give a texture indices of its own instead of doubling vertices.

    Returns:
        The image, changed beside silhouettes only. Differentiable with respect to `image` and,
        where there are silhouettes, to x and y of `vertices`.
    """
    with torch.no_grad():
        found = _visible(_crossings(vertices, mesh_edges(triangles), fragments), fragments)
    pixels = image.flatten(0, 2)
    # How much of the far pixel the surface covers; negative: how much of its own it does not.
    excess = (_reach(vertices, found) - 0.5).to(image.dtype)
    near, far = pixels.index_select(0, found.near), pixels.index_select(0, found.far)
    target = torch.where(excess > 0, found.far, found.near)
    return pixels.index_add(0, target, excess[:, None] * (near - far)).view(image.shape)


def silhouette_sides(vertices: Float[Tensor, "B V 3"], edges: MeshEdges) -> Int8[Tensor, "B E"]:
    """On which side of each projected edge its surface lies.

    Returns:
        0 for edges that are no silhouettes: they have triangles on both sides, or none that is
        drawn. Else the sign of the cross product (x, y) of the edge, first end to second, with a
        vector into the surface.
    """
    x, y, z = vertices.permute(2, 0, 1).contiguous()
    x = x + 0 * z  # not a number where z is infinite: such a triangle is not drawn
    x0, x1, x2 = (x.index_select(1, corner) for corner in edges.corners)
    y0, y1, y2 = (y.index_select(1, corner) for corner in edges.corners)
    # In place: memory that is not asked for need not be cleared.
    area = x1.sub_(x0).mul_(y2.sub_(y0)).sub_(y1.sub_(y0).mul_(x2.sub_(x0)))
    turned = area.nan_to_num_(0.0, 0.0, 0.0).sign_().to(torch.int8)
    low = turned.new_zeros(len(turned), edges.ends.shape[1])
    high = torch.zeros_like(low)
    for owner, turn in zip(edges.owners, edges.turns, strict=True):
        side = turned.index_select(1, owner) * turn
        low, high = torch.minimum(low, side), torch.maximum(high, side)
    return low + high


def _crossings(
    vertices: Float[Tensor, "B V 3"], edges: MeshEdges, fragments: Fragments
) -> _Crossings:
    """All crossings of silhouettes with the lines between neighbouring pixels."""
    _, height, width = fragments.face_index.shape
    sides = silhouette_sides(vertices, edges)
    image, edge = sides.nonzero().T
    ends = edges.ends.index_select(1, edge) + image * vertices.shape[1]
    start, way = _segments(vertices, ends)
    across = way[1].abs() > way[0].abs()
    start, way = _exchanged(start, across), _exchanged(way, across)
    lines = torch.where(across, height, width)
    owner, line = _lines(start[1], way, lines)
    start, way = start.index_select(1, owner), way.index_select(1, owner)
    across, image = across.index_select(0, owner), image.index_select(0, owner)
    fraction = (line - start[1]) / way[1]
    place = start[0] + fraction * way[0]
    side = sides[image, edge.index_select(0, owner)]
    ahead = (side * way[1] > 0) == across
    # A centre on the edge sees the surface: the pair is the one that begins or ends there.
    first = torch.where(ahead, place.floor(), place.ceil() - 1)
    inside = (first >= 0) & (first < torch.where(across, width, height) - 1)
    first = torch.where(inside, first, 0).long()
    row, column = torch.where(across, line, first), torch.where(across, first, line)
    pixel = (image * height + row) * width + column
    beside = pixel + torch.where(across, 1, width)
    return _Crossings(
        ends=ends.index_select(1, owner),
        across=across,
        line=line,
        first=first,
        near=torch.where(ahead, pixel, beside),
        far=torch.where(ahead, beside, pixel),
        ahead=ahead,
        depth=start[2] + fraction * way[2],
        reach=torch.where(ahead, place - first, first + 1 - place),
    ).where(inside)


def _segments(
    vertices: Float[Tensor, "B V 3"], ends: Int[Tensor, "2 N"]
) -> tuple[Float[Tensor, "3 N"], Float[Tensor, "3 N"]]:
    """Edges' first ends and the ways to their second."""
    planes = vertices.flatten(0, 1).T.contiguous()
    start, stop = planes.index_select(1, ends.flatten()).unflatten(1, ends.shape).unbind(1)
    return start, stop - start


def _exchanged(vectors: Float[Tensor, "3 N"], across: Bool[Tensor, " N"]) -> Float[Tensor, "3 N"]:
    """Along and across the line between the pixels: x and y change places in columns."""
    return torch.where(across, vectors, vectors[[1, 0, 2]])


def _lines(
    start: Float[Tensor, " S"], way: Float[Tensor, "3 S"], lines: Int[Tensor, " S"]
) -> tuple[Int[Tensor, " N"], Int[Tensor, " N"]]:
    """Rows (or columns) of pixels that the edges cross: the edge's number and the line's."""
    stop, bound = start + way[1], lines.to(start.dtype)
    low = torch.minimum(start, stop).ceil().clamp(min=0)
    high = torch.minimum(torch.maximum(start, stop).ceil(), bound)
    counts = torch.where(way.isfinite().all(0), high - low, 0).clamp(min=0).long()
    owner = torch.repeat_interleave(counts)
    within = torch.arange(len(owner), device=owner.device)
    within = within - (counts.cumsum(0) - counts).index_select(0, owner)
    return owner, low.index_select(0, owner).long() + within


def _visible(crossings: _Crossings, fragments: Fragments) -> _Crossings:
    """Crossings that hide what the far pixel sees; of several from one side, the outermost."""
    face, depth = fragments.face_index.flatten(), fragments.depth.flatten()
    near, far = (face.index_select(0, pixel) for pixel in (crossings.near, crossings.far))
    hides = (far < 0) | (crossings.depth > depth.index_select(0, crossings.far))
    seen = crossings.where((near != far) & (near >= 0) & hides)
    # One place for each neighbour of each pixel: left, right, above, below.
    slot = 4 * seen.near + 2 * seen.across + seen.ahead
    outermost = seen.reach.new_zeros(4 * len(face)).scatter_reduce_(0, slot, seen.reach, "amax")
    number = torch.arange(len(slot), device=slot.device)
    number = torch.where(seen.reach == outermost.index_select(0, slot), number, len(slot))
    # Where two edges meet there, the first of them stands for both.
    lowest = slot.new_full((4 * len(face),), len(slot)).scatter_reduce_(0, slot, number, "amin")
    arrived = torch.arange(len(slot), device=slot.device)
    return seen.where(arrived == lowest.index_select(0, slot))


def _reach(vertices: Float[Tensor, "B V 3"], crossings: _Crossings) -> Float[Tensor, " N"]:
    """From the near pixel's centre to the edge, in [0, 1], differentiable in the edge's ends."""
    start, way = (
        _exchanged(part, crossings.across) for part in _segments(vertices, crossings.ends)
    )
    place = start[0] - crossings.first + (crossings.line - start[1]) / way[1] * way[0]
    return torch.where(crossings.ahead, place, 1 - place)
