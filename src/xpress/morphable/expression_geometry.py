"""The signals of an expression as linear functions of it, in the face's own frame.

`morphable.signals` measures them in a picture; on the frontal model each is linear in the
activations, so a wanted mouth opening or lid gap can be solved for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from xpress.morphable.landmarks.face_landmarks import OUTER_EYE_CORNERS, LinearLandmarks
from xpress.morphable.regions import moved_by
from xpress.morphable.signals import SIGNALS, frontal_signals

OPENING, WIDTH, SMILE, LID_RIGHT, LID_LEFT, BROW_RIGHT, BROW_LEFT = range(7)
JAW, UPPER_LIP, LOWER_LIP, CORNER_RIGHT, CORNER_LEFT, STRETCH_RIGHT, STRETCH_LEFT = range(7, 14)
LOWER_LID_RIGHT, LOWER_LID_LEFT = 14, 15
LIDS = [LID_RIGHT, LID_LEFT]
CORNERS = [CORNER_RIGHT, CORNER_LEFT]

ROWS = {
    "mouth": [OPENING, WIDTH, SMILE, *range(JAW, STRETCH_LEFT + 1)],
    "eyes": [*LIDS, LOWER_LID_RIGHT, LOWER_LID_LEFT],
    "brows": [BROW_RIGHT, BROW_LEFT],
}
"""Signals of each of the `REGIONS`."""
REACHED = {
    "mouth": [OPENING, WIDTH, JAW, UPPER_LIP, *CORNERS],
    "eyes": LIDS,
    "brows": ROWS["brows"],
}
"""Those of them that say where jaw, lips, lids and brows are; the others follow from them."""
_RIDGE = 1e-4
"""Squared eye distances per activation: keeps weak shapes from large steps."""
_FIRST = 4.0
"""How much more the gaps of lips and lids count than other signals where bounds allow not all:
a face with closed lips and a wrong chin is seen by nobody, one with open lips by everybody."""
_ENOUGH = 5e-4
"""Eye distances that nobody sees."""


@dataclass(frozen=True)
class MeasuredExpression:
    """An expression and the signals that it gives its owner's face.

    What the encoder puts into the identity of one frame moves the face as well, so the signals
    say more than the expression alone.

    Attributes:
        expression: activations in [0, 1].
        signals: in the order of `morphable.signals.SIGNALS`, eye distances.
    """

    expression: Float[np.ndarray, " Ke"]
    signals: Float[np.ndarray, " S"]

    def towards(self, other: MeasuredExpression, share: float) -> MeasuredExpression:
        """On the way to another: itself at 0, the other at 1."""
        return MeasuredExpression(
            self.expression + share * (other.expression - self.expression),
            self.signals + share * (other.signals - self.signals),
        )


class ExpressionGeometry:
    """Mouth opening, width and smile, lid gaps and brow heights of expressions.

    All are in distances of the mean face's outer eye corners, in the order of
    `morphable.signals.SIGNALS`.

    Args:
        model: the face model reduced to its landmarks.
        expression_names: of its expression basis.
    """

    def __init__(self, model: LinearLandmarks, expression_names: Sequence[str]) -> None:
        self.names = list(expression_names)
        marks = model.numpy()
        self._mean, self._identity, self._expression = (
            frontal_signals(points).astype(np.float64)
            for points in (marks.mean[None], marks.identity_basis, marks.expression_basis)
        )
        self._mean = self._mean[0]
        eye = np.abs(np.diff(marks.mean[list(OUTER_EYE_CORNERS), 0]))[0]
        for part in (self._mean, self._identity, self._expression):
            part /= eye
        self._owned = np.zeros((len(SIGNALS), len(self.names)), bool)
        for region, rows in ROWS.items():
            self._owned[rows] = moved_by(self.names, [region])
        self._gaze = np.array([name.startswith("eyeLook") for name in self.names])
        self._owned[:, self._gaze] = False

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of identity and of expression coefficients."""
        return len(self._identity), len(self._expression)

    def neutral(self, identity: Float[np.ndarray, "*B Ki"]) -> Float[np.ndarray, "*B S"]:
        """Signals of an identity without expression."""
        return self._mean + identity @ self._identity

    def changes(self, expression: Float[np.ndarray, "*B Ke"]) -> Float[np.ndarray, "*B S"]:
        """What an expression adds to them, whoever the person is."""
        return expression @ self._expression

    def measure(
        self, expression: Float[np.ndarray, " Ke"], identity: Float[np.ndarray, " Ki"]
    ) -> MeasuredExpression:
        """An expression on an identity's face."""
        return MeasuredExpression(expression, self.neutral(identity) + self.changes(expression))

    def reach(
        self,
        expression: Float[np.ndarray, " Ke"],
        wanted: Float[np.ndarray, " S"],
        rows: Sequence[int],
        movable: np.ndarray | None = None,
        rounds: int = 6,
        ease: Float[np.ndarray, " Ke"] | None = None,
    ) -> Float[np.ndarray, " Ke"]:
        """The expression in [0, 1] nearest to the given one whose signals are the wanted ones.

        Least-norm steps towards the signals, each without the shapes that a bound holds back. The
        norm is of the steps over their `ease`.

        Args:
            expression: where to start, may lie outside the box.
            wanted: `changes` to reach.
            rows: which of the signals are to be reached.
            movable: shapes that may change; gaze never does.
            rounds: steps at most.
            ease: how readily each shape takes a step, its usual one about 1.
        """
        used = self._owned[rows] if movable is None else self._owned[rows] & movable
        weight = np.where(np.isin(rows, [OPENING, *LIDS]), _FIRST, 1.0)
        full = self._expression.T[rows] * weight[:, None]
        steer = np.where(used, full, 0.0)
        ease = np.ones(len(full.T)) if ease is None else ease
        x = np.clip(expression, 0, 1)
        for _ in range(rounds):
            missing = wanted[rows] * weight - full @ x
            if np.abs(missing).max() < _ENOUGH:
                break
            step = _least_norm(steer, missing, ease)
            held = ((x <= 0) & (step < 0)) | ((x >= 1) & (step > 0))
            x = np.clip(x + _least_norm(np.where(held, 0.0, steer), missing, ease), 0, 1)
        return x


def _least_norm(
    steer: Float[np.ndarray, "R Ke"], missing: Float[np.ndarray, " R"], ease: np.ndarray
) -> np.ndarray:
    eased = steer * ease
    solved = np.linalg.solve(eased @ eased.T + _RIDGE * np.eye(len(missing)), missing)
    return ease * (eased.T @ solved)
