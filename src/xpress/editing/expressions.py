"""From wanted action units to an expression near a face's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from xpress.morphable.action_units import (
    ACTION_UNIT_NAMES,
    ACTION_UNITS,
    SIDES,
    ActionUnits,
    action_unit_matrix,
)

WANTED, KEPT = 3000.0, 10.0
"""Weights of wanted units and of the others that share shapes with them, over one for a shape."""
RELUCTANT = {"mouthFunnel": 4.0}
"""Weight of shapes that look like more than the unit they are counted for: parted lips seldom
protrude."""
SAME = 1e-6
"""Difference of intensities that counts as none."""
_BLINK = ACTION_UNITS.index(45)


class ExpressionSolver:
    """Expressions that show wanted action units.

    Intensities are absolute: AU12 = 0 takes a smile away. Only shapes of the wanted units move. A
    unit with one shape sets it; one with several (AU23, AU25) spreads over them by bounded least
    squares, as near to the face's own expression as possible, and keeps other units that share a
    shape with it as far as that goes: AU25 alone parts the lips and leaves the jaw.

    Args:
        expression_names: of the model's expression basis.
    """

    def __init__(self, expression_names: Sequence[str]) -> None:
        self.units = ActionUnits(expression_names)
        self._matrix = action_unit_matrix(expression_names)
        self._blinks = [expression_names.index(f"eyeBlink{side}") for side in SIDES]
        self._reluctance = np.array([RELUCTANT.get(name, 1.0) for name in expression_names])
        self._of_side = {
            side: np.array([name.endswith(side) for name in expression_names]) for side in SIDES
        }

    def __call__(
        self, expression: Float[np.ndarray, " Ke"], wanted: Mapping[str, float]
    ) -> Float[np.ndarray, " Ke"]:
        """The expression with some units changed.

        Args:
            expression: activations in [0, 1].
            wanted: intensities in [0, 1] by names such as AU12 or AU45_L, as
                `parse_action_units` returns them.

        Returns:
            Activations in [0, 1]; the same where the units have the wanted intensities already.
        """
        result = np.array(expression, np.float64)
        own = self.units(result)
        both = {ACTION_UNIT_NAMES.index(n): v for n, v in wanted.items() if not n.endswith(SIDES)}
        blink = both.pop(_BLINK, own[_BLINK])
        if abs(own[_BLINK] - blink) > SAME:
            result[self._blinks] = _blinked(result[self._blinks], blink)
        if any(abs(own[row] - value) > SAME for row, value in both.items()):
            self._solve(result, both)
        for name, value in wanted.items():
            if name.endswith(SIDES):
                row = self._matrix[ACTION_UNIT_NAMES.index(name[:-2])]
                result[(row != 0) & self._of_side[name[-2:]]] = value
        return result

    def reach(
        self, expression: Float[np.ndarray, " Ke"], units: Float[np.ndarray, "17"]
    ) -> Float[np.ndarray, " Ke"]:
        """The expression with all seventeen units as given, in the order of `ACTION_UNITS`."""
        return self(expression, dict(zip(ACTION_UNIT_NAMES, map(float, units), strict=True)))

    def _solve(self, result: Float[np.ndarray, " Ke"], wanted: Mapping[int, float]) -> None:
        """Change `result` in place so that rows of the table give the wanted values."""
        rows = list(wanted)
        moved = np.flatnonzero((self._matrix[rows] != 0).any(0))
        sharing = (self._matrix[:, moved] != 0).any(1)
        sharing[[*rows, _BLINK]] = False
        kept = np.flatnonzero(sharing)
        values = np.array([wanted[row] for row in rows])
        # Table sums below 0 and above 1 show as 0 and 1: slack takes up what lies beyond.
        slack = np.diag((values <= 0).astype(float) - (values >= 1))
        count, edge = len(moved), 1e-9
        system = np.zeros((count + len(rows) + len(kept), count + len(rows)))
        system[:count, :count] = np.diag(self._reluctance[moved])
        table = np.hstack([self._matrix[rows][:, moved], slack])
        system[count : count + len(rows)] = WANTED * table
        system[count + len(rows) :, :count] = KEPT * self._matrix[kept][:, moved]
        missing = values - self._matrix[rows] @ result
        aim = np.concatenate([np.zeros(count), WANTED * missing, np.zeros(len(kept))])
        low = np.concatenate([-result[moved] - edge, np.zeros(len(rows))])
        high = np.concatenate([1 - result[moved] + edge, np.full(len(rows), np.inf)])
        change = _bounded_least_squares(system, aim, low, high)[:count]
        result[moved] = np.clip(result[moved] + change, 0, 1)


def _bounded_least_squares(
    system: Float[np.ndarray, "R N"],
    aim: Float[np.ndarray, " R"],
    low: Float[np.ndarray, " N"],
    high: Float[np.ndarray, " N"],
) -> Float[np.ndarray, " N"]:
    free = np.linalg.lstsq(system, aim, rcond=None)[0]
    if (low <= free).all() and (free <= high).all():
        return free  # the bounds hold nothing back
    from scipy.optimize import lsq_linear  # takes longer to load than most photographs to edit

    return lsq_linear(system, aim, (low, high), method="bvls").x


def _blinked(lids: Float[np.ndarray, "2"], value: float) -> Float[np.ndarray, "2"]:
    """Both lids moved so that the stronger side has the value: to 1 both close, to 0 both open."""
    stronger = float(lids.max())
    if value < stronger:
        return lids * (value / stronger)
    return lids + (1 - lids) * ((value - stronger) / (1 - stronger))
