"""Parameters of the mirrored picture, without fitting it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from xpress.morphable.model import MorphableModel


def mirror_parameters(
    model: MorphableModel,
    identity: Float[Tensor, "N Ki"],
    expression: Float[Tensor, "N Ke"],
    rotation: Float[Tensor, "N 3"],
    translation: Float[Tensor, "N 2"],
    widths: Float[Tensor, " N"],
) -> dict[str, Tensor]:
    """Identity, expression, rotation and translation after x becomes W-1-x.

    Sides of expressions are swapped; identity goes through the linear map that explains the
    mirrored basis best in the basis itself; a turn about y or z changes sign.
    """
    flipped_translation = translation.clone()
    flipped_translation[:, 0] = widths - 1 - translation[:, 0]
    return {
        "identity": identity @ identity_mirror(model),
        "expression": expression[:, expression_mirror(model.expression_names)],
        "rotation": rotation * torch.tensor([1.0, -1.0, -1.0]),
        "translation": flipped_translation,
    }


def expression_mirror(names: list[str]) -> list[int]:
    """Index of each expression's counterpart on the other side of the face."""

    def other(name: str) -> str:
        for a, b in (("_L", "_R"), ("Left", "Right")):
            for here, there in ((a, b), (b, a)):
                if name.endswith(here):
                    return name.removesuffix(here) + there
        return name

    return [names.index(other(name)) for name in names]


def identity_mirror(model: MorphableModel) -> Float[Tensor, "Ki Ki"]:
    """M with `identity @ M` the coefficients of the mirrored face (least squares, small ridge)."""
    face = model.parts["face"].vertex_stop
    basis = model.identity_basis[:, :face]
    mirrored = basis[:, model.mirror] * torch.tensor([-1.0, 1.0, 1.0])
    flat, target = basis.flatten(1), mirrored.flatten(1)
    gram = flat @ flat.T
    gram += 1e-3 * gram.diagonal().mean() * torch.eye(len(gram))
    return torch.linalg.solve(gram, flat @ target.T).T
