"""The face model in torch: differentiable, and moved from device to device with networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from xpress.arrays import is_array
from xpress.morphable.face_model import FaceModel, LinearFaceModel, MeshPart, check_sizes


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Points on the mesh as weighted corners of a triangle.

    Attributes:
        corners: vertex indices.
        weights: barycentrics, summing to one.
    """

    corners: Int[Tensor, "L 3"]
    weights: Float[Tensor, "L 3"]


class MorphableModel(LinearFaceModel, nn.Module):
    """`LinearFaceModel` whose arrays are tensors.

    Args:
        mean: mean shape.
        identity_basis: offsets of one standard deviation.
        expression_basis: offsets at full activation.
        mean_color: albedo in [0, 1].
        color_basis: albedo offsets of one standard deviation.
        triangles: vertex indices, counter-clockwise seen from outside.
        parts: named ranges of the mesh; "face" starts at zero.
        expression_names: ARKit names with `_L`/`_R` for the sides of the face's owner.
        inner_lip_loop: closed loop where the lips meet the mouth's interior.
        eyelid_loops: the same for the two eye openings, left eye first.
        landmarks: embedding of the 68 landmarks followed by the contour points.
        mirror: index of each face vertex's mirror image.
        info: what the model was built from (JSON-able).

    Raises:
        ValueError: shapes do not belong together.
    """

    def __init__(
        self,
        mean: Float[Tensor, "V 3"],
        identity_basis: Float[Tensor, "Ki V 3"],
        expression_basis: Float[Tensor, "Ke V 3"],
        mean_color: Float[Tensor, "V 3"],
        color_basis: Float[Tensor, "Kc V 3"],
        triangles: Int[Tensor, "F 3"],
        parts: Mapping[str, MeshPart],
        expression_names: Sequence[str],
        inner_lip_loop: Int[Tensor, " N"],
        eyelid_loops: Int[Tensor, "2 M"],
        landmarks: LandmarkEmbedding,
        mirror: Int[Tensor, " Vf"],
        info: Mapping | None = None,
    ) -> None:
        super().__init__()
        check_sizes(expression_names, expression_basis, triangles, mean)
        tensors = {
            "mean": mean,
            "identity_basis": identity_basis,
            "expression_basis": expression_basis,
            "mean_color": mean_color,
            "color_basis": color_basis,
            "triangles": triangles.long(),
            "inner_lip_loop": inner_lip_loop.long(),
            "eyelid_loops": eyelid_loops.long(),
            "landmark_corners": landmarks.corners.long(),
            "landmark_weights": landmarks.weights,
            "mirror": mirror.long(),
        }
        for name, tensor in tensors.items():
            # The model is an asset of its own: checkpoints of networks do not repeat it.
            self.register_buffer(name, tensor.contiguous(), persistent=False)
        self.parts = dict(parts)
        self.expression_names = list(expression_names)
        self.info = dict(info or {})

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    mean_color: Tensor
    color_basis: Tensor
    triangles: Tensor
    inner_lip_loop: Tensor
    eyelid_loops: Tensor
    landmark_corners: Tensor
    landmark_weights: Tensor
    mirror: Tensor

    @classmethod
    def of(cls, model: FaceModel) -> MorphableModel:
        """The same model in torch; memory is shared."""
        values: dict[str, Any] = dict(vars(model))
        values |= {n: torch.from_numpy(v) for n, v in values.items() if is_array(v)}
        corners, weights = values.pop("landmark_corners"), values.pop("landmark_weights")
        return cls(**values, landmarks=LandmarkEmbedding(corners, weights))

    @classmethod
    def load(cls, path: str | os.PathLike) -> MorphableModel:
        """As `FaceModel.load`."""
        return cls.of(FaceModel.load(path))

    @classmethod
    def default(cls) -> MorphableModel:
        """The model in the package; shared, so treat it as read-only."""
        return _default()


@cache
def _default() -> MorphableModel:
    return MorphableModel.of(FaceModel.default())
