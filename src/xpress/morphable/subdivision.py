"""A denser mesh with the same surface: midpoint subdivision of the face model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xpress.morphable.face_model import MeshPart
from xpress.morphable.mesh import mirror_indices
from xpress.morphable.model import LandmarkEmbedding, MorphableModel


def subdivide(model: MorphableModel, parts: tuple[str, ...] = ("face",)) -> MorphableModel:
    """Split each triangle of some parts into four at the midpoints of its edges.

    The surface stays where it is, under any identity and expression: midpoints are linear in
    their edge's ends, so the bases are interpolated with them, and landmarks keep their corners
    and weights. Vertices of a part keep their order and its midpoints follow them; the loops run
    through the midpoints too. The default model goes from 22,752 to 50,623 vertices when its
    face is split: what lies inside the head is small in pictures and stays as it is.

    Args:
        model: left as it is.
        parts: names of the parts to split.

    Raises:
        ValueError: the model has no such part, or a loop does not run along edges.
    """
    unknown = set(parts) - set(model.parts)
    if unknown:
        raise ValueError(f"the face model has no part {min(unknown)!r}")
    layout = _layout(model, parts)
    first, second = torch.from_numpy(layout.ends).unbind(1)

    def spread(values: Tensor, axis: int) -> Tensor:
        # A kept vertex is the midpoint of itself and itself, exactly.
        return (values.index_select(axis, first) + values.index_select(axis, second)) / 2

    mean = spread(model.mean, 0)
    lips, *lids = (layout.loop(loop) for loop in (model.inner_lip_loop, *model.eyelid_loops))
    renumber = torch.from_numpy(layout.renumber)
    face = mean[: layout.parts["face"].vertex_stop]
    return MorphableModel(
        mean=mean,
        identity_basis=spread(model.identity_basis, 1),
        expression_basis=spread(model.expression_basis, 1),
        mean_color=spread(model.mean_color, 0),
        color_basis=spread(model.color_basis, 1),
        triangles=torch.from_numpy(layout.triangles),
        parts=layout.parts,
        expression_names=model.expression_names,
        inner_lip_loop=lips,
        eyelid_loops=torch.stack(lids),
        landmarks=LandmarkEmbedding(renumber[model.landmark_corners], model.landmark_weights),
        mirror=torch.from_numpy(mirror_indices(face.numpy())),
        info={**model.info, "subdivided": list(parts)},
    )


@dataclass(frozen=True)
class _Layout:
    """Where everything lies in the denser mesh.

    Attributes:
        ends: (V', 2) vertices of the given mesh between which each new one lies; twice the same
            for one that is kept.
        renumber: (V,) new index of each vertex of the given mesh.
        edges: (E,) keys of the edges that were split, sorted.
        midpoints: (E,) new index of each one's midpoint.
        triangles: (F', 3) of the denser mesh.
        parts: its ranges.
    """

    ends: np.ndarray
    renumber: np.ndarray
    edges: np.ndarray
    midpoints: np.ndarray
    triangles: np.ndarray
    parts: dict[str, MeshPart]

    def loop(self, loop: Tensor) -> Tensor:
        """A closed loop with the midpoints of its edges, where these were split."""
        here = loop.numpy()
        keys = _edge_keys(np.stack([here, np.roll(here, -1)], axis=1), len(self.renumber))
        place = np.searchsorted(self.edges, keys).clip(max=max(len(self.edges) - 1, 0))
        split = self.edges[place] == keys if len(self.edges) else np.zeros(len(keys), bool)
        if not split.any():
            return torch.from_numpy(self.renumber[here])
        if not split.all():
            raise ValueError("a loop of the face model leaves the edges of its part")
        return torch.from_numpy(
            np.stack([self.renumber[here], self.midpoints[place]], axis=1).ravel()
        )


def _layout(model: MorphableModel, split: tuple[str, ...]) -> _Layout:
    count = len(model.mean)
    all_triangles = model.triangles.numpy()
    renumber = np.empty(count, np.int64)
    ends, triangles, edges, midpoints = [], [], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    parts = {}
    vertices = faces = 0
    for name, part in sorted(model.parts.items(), key=lambda item: item[1].vertex_start):
        kept = np.arange(part.vertex_start, part.vertex_stop)
        renumber[kept] = np.arange(vertices, vertices + len(kept))
        block = all_triangles[part.triangle_start : part.triangle_stop]
        ends.append(np.stack([kept, kept], axis=1))
        first = vertices
        vertices += len(kept)
        if name in split:
            keys, block = _quarter(block, renumber, vertices)
            edges.append(keys)
            midpoints.append(np.arange(vertices, vertices + len(keys)))
            ends.append(np.stack(np.divmod(keys, count), axis=1))
            vertices += len(keys)
        else:
            block = renumber[block]
        triangles.append(block)
        parts[name] = MeshPart(first, vertices, faces, faces + len(block))
        faces += len(block)
    # Parts come in the order of their vertices and share none, so all keys are sorted.
    return _Layout(
        np.concatenate(ends),
        renumber,
        np.concatenate(edges),
        np.concatenate(midpoints),
        np.concatenate(triangles),
        parts,
    )


def _quarter(block: np.ndarray, renumber: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys of a part's edges, sorted, and its triangles split; midpoints count from `first`."""
    sides = np.stack([block, np.roll(block, -1, axis=1)], axis=2)  # (F, 3, 2): ab, bc, ca
    keys, inverse = np.unique(_edge_keys(sides, len(renumber)), return_inverse=True)
    a, b, c = renumber[block].T
    ab, bc, ca = (first + inverse.reshape(-1, 3)).T
    children = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    quarters = np.stack([np.stack(child, axis=1) for child in children], axis=1)
    return keys, quarters.reshape(-1, 3)


def _edge_keys(ends: np.ndarray, count: int) -> np.ndarray:
    """One number an edge, whichever way it runs."""
    return ends.min(-1) * count + ends.max(-1)
