"""Coefficients of one face model as those of another on the same mesh."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.morphable.face_model import FaceModel

_EVERY = 5
"""Vertices of the skin that are compared: one in so many."""
_MARKS = 4.0
"""Weight of a landmark over a vertex's: lips and lids have to be where they were seen."""
_RIDGE = 2e-3
"""Of the mean square of the basis: keeps coefficients near what the model holds likely."""


class ModelConversion:
    """The nearest face, and the nearest albedo, of another model on the same mesh.

    Expression coefficients are activations of the same shapes in both, so they stay as they are.

    Args:
        source: the model that coefficients are of.
        target: the model that they are wanted for.

    Raises:
        InputError: their meshes or shapes differ.
    """

    def __init__(self, source: FaceModel, target: FaceModel) -> None:
        if source.mean.shape != target.mean.shape or not np.array_equal(
            source.triangles, target.triangles
        ):
            raise InputError(
                "the face model has a mesh of its own, so it needs an encoder of its own; "
                "python -m xpress.face_models brings models onto the default mesh"
            )
        if source.expression_names != target.expression_names:
            raise InputError("the face model has other shapes; it needs an encoder of its own")
        self.source_sizes = source.sizes
        stop = source.parts["face"].vertex_stop
        skin = slice(0, stop, _EVERY)

        def seen(model: FaceModel, basis: Float[np.ndarray, "K V 3"]) -> np.ndarray:
            marks = _MARKS * model.landmark_points(basis)
            return np.concatenate([basis[:, skin], marks], 1).reshape(len(basis), -1).astype(float)

        self._shape = _affine(
            seen(source, source.mean[None]),
            seen(source, source.identity_basis),
            seen(target, target.mean[None]),
            seen(target, target.identity_basis),
        )
        self._albedo = _affine(
            *(
                basis[:, skin].reshape(len(basis), -1).astype(float)
                for model in (source, target)
                for basis in (model.mean_color[None], model.color_basis)
            )
        )

    def identity(self, coefficients: Float[np.ndarray, "*B Ki"]) -> Float[np.ndarray, "*B Kt"]:
        """The target's identity coefficients of the nearest face."""
        start, matrix = self._shape
        return start + coefficients @ matrix

    def color(self, coefficients: Float[np.ndarray, "*B Kc"]) -> Float[np.ndarray, "*B Kt"]:
        """The target's colour coefficients of the nearest albedo."""
        start, matrix = self._albedo
        return start + coefficients @ matrix


def _affine(
    mean: Float[np.ndarray, "1 D"],
    basis: Float[np.ndarray, "K D"],
    other_mean: Float[np.ndarray, "1 D"],
    other_basis: Float[np.ndarray, "Kt D"],
) -> tuple[Float[np.ndarray, " Kt"], Float[np.ndarray, "K Kt"]]:
    """Least squares in the other basis, of the mean's difference and of each basis vector."""
    if not len(other_basis):
        return np.zeros(0), np.zeros((len(basis), 0))
    gram = other_basis @ other_basis.T
    gram += _RIDGE * gram.diagonal().mean() * np.eye(len(gram))
    wanted = np.concatenate([mean - other_mean, basis])
    solved = np.linalg.solve(gram, other_basis @ wanted.T).T
    return solved[0], solved[1:]
