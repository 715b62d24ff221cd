"""The face model at points of its surface, as a picture's pixels see it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel


@dataclass(frozen=True)
class SurfacePoints:
    """Points that stay where they are on the skin while the face moves.

    Attributes:
        corners: vertices of each point's triangle.
        weights: barycentrics.
        geometry: the model's shape and bases there.
        mean_color: albedo there.
        color_basis: offsets of one standard deviation there.
    """

    corners: Int[Tensor, "N 3"]
    weights: Float[Tensor, "N 3"]
    geometry: LandmarkModel
    mean_color: Float[Tensor, "N 3"]
    color_basis: Float[Tensor, "Kc N 3"]

    def __len__(self) -> int:
        return len(self.weights)

    def mix(self, attributes: Float[Tensor, "V C"]) -> Float[Tensor, "N C"]:
        """What vertices carry, at the points."""
        corners = attributes.index_select(0, self.corners.flatten()).unflatten(0, (-1, 3))
        return (corners * self.weights[..., None]).sum(1)


class FaceSurface:
    """Bases of the face's own vertices, laid out so that a point's rows lie together.

    Args:
        model: the face model.
    """

    def __init__(self, model: MorphableModel) -> None:
        stop = model.parts["face"].vertex_stop
        self.triangles = model.part_triangles("face")
        self.eye_distance = LandmarkModel.of(model).eye_distance
        self._modes = [1, *model.sizes[:2], 1, model.sizes[2]]
        parts = (
            model.mean[None],
            model.identity_basis,
            model.expression_basis,
            model.mean_color[None],
            model.color_basis,
        )
        joined = torch.cat([part[:, :stop] for part in parts])
        self._rows = joined.transpose(0, 1).flatten(1).contiguous()  # (V, modes · 3)
        self._mean, self._identity, self._expression = (
            part[:, :stop].flatten(1).contiguous() for part in parts[:3]
        )

    def vertices(
        self, identity: Float[Tensor, "1 Ki"], expression: Float[Tensor, "1 Ke"]
    ) -> Float[Tensor, "1 V 3"]:
        """The face's own vertices, model space."""
        flat = self._mean + identity @ self._identity + expression @ self._expression
        return flat.unflatten(1, (-1, 3))

    def at(self, triangles: Int[Tensor, " N"], weights: Float[Tensor, "N 3"]) -> SurfacePoints:
        """Points given by the number of a triangle of the face and barycentrics in it."""
        corners = self.triangles[triangles]
        rows = self._rows.index_select(0, corners.flatten()).unflatten(0, (-1, 3))
        mixed = torch.einsum("nc,ncm->nm", weights, rows).unflatten(1, (-1, 3)).transpose(0, 1)
        mean, identity, expression, color, basis = mixed.split(self._modes)
        geometry = LandmarkModel(mean[0], identity, expression, self.eye_distance)
        return SurfacePoints(corners, weights, geometry, color[0], basis)
