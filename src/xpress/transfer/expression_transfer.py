"""What the source's expression becomes on the target's face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.morphable.expression_geometry import (
    LIDS,
    LOWER_LIP,
    OPENING,
    REACHED,
    ROWS,
    UPPER_LIP,
    WIDTH,
    ExpressionGeometry,
    MeasuredExpression,
)
from xpress.morphable.gaze import gaze_columns, gaze_of, looks_of
from xpress.morphable.regions import REGIONS, moved_by
from xpress.morphable.signals import SIGNALS

MOTIONS = ("relative", "absolute")
GAZES = ("source", "target", "viewer")
MOUTH = ROWS["mouth"]
LOOK_RANGE = np.array([0.8, 0.7])
"""Largest turn of the eyes sideways and up or down, activations: an iris shows between the lids."""
EASE, EASE_USED = 0.5, 3.0
"""How readily a shape makes up for what is missing: one that the driver does not use, and what use
adds, per activation."""
LID_RANGE = (1.0, 1.4)
"""Bounds of the target's open lids over the source's, by which lid motion is scaled; not below one,
because closed eyes are read as almost closed, and a slit is seen at once."""

GAIN_RANGE = (0.4, 1.0)
"""Bounds of the gains that are made up for: below, it would be noise that is magnified."""
MADE_UP = 0.8
"""Share of the lost motion that is made up for, on a logarithmic scale: all of it would magnify
the reader's errors as well."""

LIP_SHARE = 0.5
"""Share of the upper lip's emphasis that is given: with all of it corners and smile stay behind."""


class ExpressionTransfer:
    """The source's expression on the target's face.

    relative: `target_neutral + strength · (source − source_neutral)`
    absolute: `target_neutral + strength · (source − target_neutral)`, at strength 1 the source's
    own. Both are brought into [0, 1]. Outside the regions, and at strength 0, the target keeps its
    own expression.

    With a `geometry`, two things that single activations cannot promise hold for relative motion:
    what the bounds cut off one shape is made up for by others, rather by those that the source
    uses, so that jaw, lips and their corners, lids and brows still move as far as the source's;
    and lids move in proportion to their own opening, so that eyes close when the source's do.

    Both eyes turn by the same angles, by as much as the source's do.

    Args:
        expression_names: of the face model.
        motion: relative or absolute.
        strength: factor on the change, 0 or more.
        regions: of `REGIONS`; None moves everything.
        geometry: of the face model; None clips only.
        signal_gain: share of each signal's motion that the source's reader sees, as `calibrate`
            measures it; part of what is lost is made up for. None means all of it.
        gaze: source, with whose eyes the target's turn; target or viewer keep its own.

    Raises:
        InputError: an unknown motion or region, no region, or a strength out of range.
    """

    def __init__(
        self,
        expression_names: Sequence[str],
        motion: str = "relative",
        strength: float = 1.0,
        regions: Sequence[str] | None = None,
        geometry: ExpressionGeometry | None = None,
        signal_gain: Float[np.ndarray, " S"] | None = None,
        gaze: str = "source",
    ) -> None:
        if motion not in MOTIONS:
            raise InputError(f"motion={motion}: choose {' or '.join(MOTIONS)}")
        if gaze not in GAZES:
            raise InputError(f"gaze={gaze}: choose source, target or viewer")
        if not 0 <= strength <= 10:
            raise InputError(f"strength={strength}: choose a factor from 0 to 10")
        self.names = list(expression_names)
        self.motion = motion
        self.strength = strength
        self.moved = moved_by(expression_names, regions)
        self.geometry = geometry
        gain = np.ones(len(SIGNALS)) if signal_gain is None else signal_gain
        self._emphasis = np.clip(gain, *GAIN_RANGE) ** -MADE_UP
        # what else opens a mouth is made up for with its opening already
        self._emphasis[LOWER_LIP:] = self._emphasis[WIDTH] = 1.0
        self._emphasis[UPPER_LIP] **= LIP_SHARE
        chosen = tuple(REGIONS) if regions is None else tuple(regions)
        self._rows = [row for region in chosen for row in REACHED[region]]
        self._gaze = gaze_columns(expression_names)
        if gaze != "source":
            self.moved[self._gaze] = False

    def __call__(
        self,
        source: MeasuredExpression,
        source_rest: MeasuredExpression,
        target_rest: MeasuredExpression,
        target: Float[np.ndarray, " Ke"],
    ) -> Float[np.ndarray, " Ke"]:
        """Activations in [0, 1].

        Args:
            source: of the driver's frame.
            source_rest: what counts as the driver's resting face.
            target_rest: the target's resting face.
            target: the target's expression in the picture itself.
        """
        if self.strength == 0:
            return np.array(target, np.float64)
        rest = target_rest.expression
        origin = source_rest.expression if self.motion == "relative" else rest
        change = self.strength * (source.expression - origin)
        mixed = rest + change
        if self._gaze:
            mixed[self._gaze] = self._look(rest[self._gaze], change[self._gaze])
        mixed = np.where(self.moved, mixed, target)
        if self.geometry is None or self.motion != "relative":
            return np.clip(mixed, 0, 1)
        base = target_rest.signals - self.geometry.changes(rest)
        wanted = self._signals(source.signals, source_rest.signals, target_rest.signals) - base
        # A face that rests less than the source cannot rest more than it does: what would take a
        # shape below zero is let go, or lips and cheeks would pull faces to make up for it.
        spare = self.geometry.changes(np.where(self.moved, np.minimum(mixed, 0), 0))
        wanted[MOUTH] -= (self._emphasis * spare)[MOUTH]
        ease = EASE + EASE_USED * np.abs(change)
        return self.geometry.reach(mixed, wanted, self._rows, self.moved, ease=ease)

    def _look(
        self, rest: Float[np.ndarray, "8"], change: Float[np.ndarray, "8"]
    ) -> Float[np.ndarray, "8"]:
        """Both eyes turn alike, within the lids; how far apart they look stays the target's."""
        gaze, turn = gaze_of(rest), gaze_of(change)
        far = np.maximum(LOOK_RANGE, np.abs(gaze[:2]))
        gaze[:2] = np.clip(gaze[:2] + turn[:2], -far, far)
        return looks_of(gaze)

    def _signals(
        self,
        source: Float[np.ndarray, " S"],
        source_rest: Float[np.ndarray, " S"],
        target_rest: Float[np.ndarray, " S"],
    ) -> Float[np.ndarray, " S"]:
        """What the target's face is to show; lips and lids meet but do not cross."""
        opened = np.maximum(target_rest[LIDS], 1e-3) / np.maximum(source_rest[LIDS], 1e-3)
        factor = self.strength * self._emphasis
        factor[LIDS] *= np.clip(opened, *LID_RANGE)
        wanted = target_rest + factor * (source - source_rest)
        wanted[[OPENING, *LIDS]] = np.maximum(wanted[[OPENING, *LIDS]], 0.0)
        return wanted
