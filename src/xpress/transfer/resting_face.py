"""What counts as the resting face of a source and of a target.

A first frame or a photograph catches a moment: closed eyes, a smile, an open mouth. Transferred
relative to such a moment, a driver whose mouth closes would press the target's lips through each
other, and one whose eyes open would tear the target's open. So

* of a clip, the resting mouth is that of the frames with the mouth most closed, the resting eyes
  are those of the frames with the lids well open, the resting brows are the usual ones; each is a
  mean of whole expressions, which keeps shapes together that the encoder uses together;
* of a photograph, what is transient is taken back: lips are closed, half of the smile and of the
  squint goes, and lids that are shut are opened; brows and gaze stay the person's own.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from xpress.morphable.expression_geometry import (
    LIDS,
    OPENING,
    ROWS,
    SMILE,
    WIDTH,
    ExpressionGeometry,
    MeasuredExpression,
)
from xpress.morphable.regions import moved_by

LOOK_AHEAD = 4.0
"""Seconds of a clip that its resting face is estimated from; memory is bounded by it."""
CLOSED_SHARE = 0.1
"""Share of the frames, those with the mouth most closed, that the resting mouth is taken from."""
OPEN_LIDS = (0.5, 0.9)
"""Quantiles of the lids' opening between which eyes count as resting."""
SHUT = 0.6
"""Lid opening over the identity's own below which a photograph's eyes are opened."""
KEPT = 0.5
"""Share of a photograph's mouth shape and squint that counts as the person's own."""

_PARTING = ("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthShrug")
_SQUINT = ("eyeSquint", "cheekSquint")


class RestingFace:
    """Estimates resting expressions.

    Args:
        geometry: of the face model.
    """

    def __init__(self, geometry: ExpressionGeometry) -> None:
        self.geometry = geometry
        self._region = {name: moved_by(geometry.names, [name]) for name in ("mouth", "eyes")}
        names = geometry.names
        self._parting = np.array([name.startswith(_PARTING) for name in names])
        self._squint = np.array([name.startswith(_SQUINT) for name in names])

    def of_clip(
        self,
        expressions: Float[np.ndarray, "T Ke"],
        identities: Float[np.ndarray, "T Ki"],
    ) -> MeasuredExpression:
        """Of the frames of a clip's first seconds, in any order, with each frame's identity."""
        signals = self.geometry.neutral(identities) + self.geometry.changes(expressions)
        opening, lids = signals[:, OPENING], signals[:, LIDS].mean(1)
        # values that occur, so that there are frames between them, however few there are
        low, high = np.quantile(lids, OPEN_LIDS, method="nearest")
        calm = {
            "mouth": opening <= np.quantile(opening, CLOSED_SHARE),
            "eyes": (lids >= low) & (lids <= high),
        }
        expression, rest = np.median(expressions, axis=0), np.median(signals, axis=0)
        for region, frames in calm.items():
            shapes, rows = self._region[region], ROWS[region]
            expression[shapes] = expressions[frames].mean(0)[shapes]
            rest[rows] = signals[frames].mean(0)[rows]
        return MeasuredExpression(expression, rest)

    def of_photo(
        self, expression: Float[np.ndarray, " Ke"], identity: Float[np.ndarray, " Ki"]
    ) -> MeasuredExpression:
        """Of a single picture's expression and identity."""
        base = self.geometry.neutral(identity)
        rest = expression.copy()
        own_mouth = self._region["mouth"] & ~self._parting
        rest[own_mouth | self._squint] *= KEPT
        rest[self._parting] = 0.0
        wanted = self.geometry.changes(rest)
        now = self.geometry.changes(expression)
        # lips that just touch, with as much of the mouth's shape as is kept
        wanted[OPENING] = -base[OPENING]
        wanted[[WIDTH, SMILE]] = KEPT * now[[WIDTH, SMILE]]
        shut = base[LIDS] + wanted[LIDS] < SHUT * base[LIDS]
        wanted[LIDS] = np.where(shut, 0.0, wanted[LIDS])
        rest = self.geometry.reach(rest, wanted, [OPENING, WIDTH, SMILE, *LIDS])
        return self.geometry.measure(rest, identity)
