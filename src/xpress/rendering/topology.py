"""Edges of a triangle mesh and the triangles that meet there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int, Int8
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class MeshEdges:
    """Every edge once, with its K (nearly always two) triangles; planes, as the CPU likes them.

    Attributes:
        corners: the triangles' vertices.
        ends: the edges' vertices, the lower index first.
        owners: the triangles at each edge; zero where there are fewer than K.
        turns: 1 where the triangle runs through the edge from the first end to the second, -1
            where it runs back, 0 where there is no triangle.
    """

    corners: Int[Tensor, "3 F"]
    ends: Int[Tensor, "2 E"]
    owners: Int[Tensor, "K E"]
    turns: Int8[Tensor, "K E"]


_KNOWN: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
"""Edges of the triangles that are still alive: finding them takes longer than rasterising."""


def mesh_edges(triangles: Int[Tensor, "F 3"]) -> MeshEdges:
    """The edges of a mesh; remembered as long as the tensor lives and is not written to.

    Args:
        triangles: vertex indices. Vertices that merely lie at one place are different vertices.
    """
    # tensors of inference mode count no versions: nobody knows whether they were written to
    if triangles.is_inference():
        return _mesh_edges(triangles)
    version, edges = _KNOWN.get(triangles, (-1, None))
    if edges is None or version != triangles._version:
        edges = _mesh_edges(triangles)
        _KNOWN[triangles] = triangles._version, edges
    return edges


def _mesh_edges(triangles: Int[Tensor, "F 3"]) -> MeshEdges:
    """Group the triangles' sides by their ends."""
    start, stop = triangles.long()[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).unbind(1)
    low, high = torch.minimum(start, stop), torch.maximum(start, stop)
    base = int(high.max()) + 1 if len(high) else 1
    key, order = (low * base + high).sort(stable=True)  # numbers sort faster than rows
    key, edge, count = key.unique_consecutive(return_inverse=True, return_counts=True)
    place = torch.arange(len(order), device=order.device)
    place = place - (count.cumsum(0) - count).index_select(0, edge)
    shape = int(count.max()) if len(count) else 0, len(key)
    owners = torch.zeros(shape, dtype=torch.int64, device=order.device)
    owners[place, edge] = order.div(3, rounding_mode="floor")
    turns = torch.zeros(shape, dtype=torch.int8, device=order.device)
    turns[place, edge] = (stop - start).sign().to(torch.int8).index_select(0, order)
    ends = torch.stack([key.div(base, rounding_mode="floor"), key % base])
    return MeshEdges(triangles.long().T.contiguous(), ends, owners, turns)
