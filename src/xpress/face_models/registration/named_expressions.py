"""ARKit's shapes by a rig's own expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import lsq_linear

EXPLAINED = 0.6
"""Share of a shape's motion from which on the rig's own expressions are taken for it."""
_RIDGE = 1e-4
"""Of the mean square of the rig's expressions: keeps coefficients small where that costs little."""


@dataclass(frozen=True)
class NamedExpressions:
    """The default model's shapes on another rig.

    Attributes:
        offsets: of the face's vertices at full activation.
        coefficients: of the rig's own expressions for each shape; zero where `own` is false.
        explained: share of each default shape's motion that the rig's expressions can make.
        given: shapes that the rig has under that name.
        own: shapes that are the rig's; the others were carried over from the default model.
    """

    offsets: Float[np.ndarray, "Ke Vf 3"]
    coefficients: Float[np.ndarray, "Ke Kr"]
    explained: Float[np.ndarray, " Ke"]
    given: Bool[np.ndarray, " Ke"]
    own: Bool[np.ndarray, " Ke"]


def name_expressions(
    shapes: Float[np.ndarray, "Ke Vf 3"],
    names: Sequence[str],
    expressions: Float[np.ndarray, "Kr Vf 3"],
    expression_names: Sequence[str],
    bounds: Float[np.ndarray, "Kr 2"],
    covered: Bool[np.ndarray, " Vf"],
) -> NamedExpressions:
    """Each of the default model's shapes by a rig's expressions.

    A rig's shape of the same name is taken as it is. Others are fitted by bounded least squares
    where the rig's mesh reaches; a shape that it cannot make well enough (many models have no
    blink) is carried over.

    Args:
        shapes: the default model's.
        names: theirs.
        expressions: the rig's, at the default model's vertices.
        expression_names: theirs; ARKit's spelling and `_L`/`_R` are known.
        bounds: of the rig's coefficients.
        covered: vertices that the rig's mesh reaches.
    """
    count = len(expressions)
    offsets = shapes.copy()
    coefficients = np.zeros((len(names), count))
    explained = np.zeros(len(names))
    if not count:
        none = explained > 0
        return NamedExpressions(offsets, coefficients, explained, none, none)
    flat = expressions[:, covered].reshape(count, -1).astype(float)
    gram = flat @ flat.T
    gram += _RIDGE * gram.diagonal().mean() * np.eye(count)
    root = np.linalg.cholesky(gram + 1e-12 * np.eye(count)).T
    places = {plain_name(name): i for i, name in enumerate(expression_names)}
    given = np.array([plain_name(name) in places for name in names])
    own = given.copy()
    for row, name in enumerate(names):
        wanted = shapes[row, covered].ravel().astype(float)
        if given[row]:
            coefficients[row, places[plain_name(name)]] = 1
        else:
            right = np.linalg.solve(root.T, flat @ wanted)
            coefficients[row] = lsq_linear(root, right, bounds.T).x
        left = wanted - coefficients[row] @ flat
        explained[row] = 1 - (left @ left) / max(wanted @ wanted, 1e-12)
        own[row] |= explained[row] >= EXPLAINED
    coefficients[~own] = 0
    offsets[own] = np.tensordot(coefficients[own], expressions, 1)
    return NamedExpressions(offsets, coefficients, explained, given, own)


def plain_name(name: str) -> str:
    """`eyeBlink_L` and `eyeBlinkLeft` alike, without regard to case."""
    for long, short in (("Left", "_L"), ("Right", "_R")):
        if name.endswith(long) and name not in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
            name = name.removesuffix(long) + short
    return name.lower()
