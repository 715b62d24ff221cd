"""What the source's expression becomes on the target's face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.reenactment.geometry import LIDS, OPENING, ROWS, ExpressionGeometry
from xpress.reenactment.regions import REGIONS, moved_by

MOTIONS = ("relative", "absolute")
LID_RANGE = (0.7, 1.4)
"""Bounds of the target's open lids over the source's, by which lid motion is scaled."""


class Transfer:
    """The source's expression on the target's face.

    relative: `target_neutral + strength · (source − source_neutral)`
    absolute: `target_neutral + strength · (source − target_neutral)`, at strength 1 the source's
    own. Both are brought into [0, 1]. Outside the regions the target keeps its own expression.

    With a `geometry`, two things that single activations cannot promise hold for relative motion:
    what the bounds cut off one shape is made up for by others, so that mouth, lids and brows
    still move as far as the source's; and lids move in proportion to their own opening, so that
    eyes close when the source's do.

    Args:
        expression_names: of the face model.
        motion: relative or absolute.
        strength: factor on the change, 0 or more.
        regions: of `REGIONS`; None moves everything.
        geometry: of the face model; None clips only.

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
    ) -> None:
        if motion not in MOTIONS:
            raise InputError(f"motion={motion}: choose {' or '.join(MOTIONS)}")
        if not 0 <= strength <= 10:
            raise InputError(f"strength={strength}: choose a factor from 0 to 10")
        self.motion = motion
        self.strength = strength
        self.moved = moved_by(expression_names, regions)
        self.geometry = geometry
        chosen = tuple(REGIONS) if regions is None else tuple(regions)
        self._rows = [row for region in chosen for row in ROWS[region]]

    def __call__(
        self,
        source: Float[np.ndarray, " Ke"],
        source_neutral: Float[np.ndarray, " Ke"],
        target_neutral: Float[np.ndarray, " Ke"],
        target: Float[np.ndarray, " Ke"],
        base: Float[np.ndarray, "2 7"] | None = None,
    ) -> Float[np.ndarray, " Ke"]:
        """Activations in [0, 1].

        Args:
            source: of the driver's frame.
            source_neutral: what counts as the driver's resting face.
            target_neutral: the target's resting face.
            target: the target's expression in the picture itself.
            base: `ExpressionGeometry.neutral` of the source's and of the target's identity.
        """
        origin = source_neutral if self.motion == "relative" else target_neutral
        mixed = target_neutral + self.strength * (source - origin)
        mixed = np.where(self.moved, mixed, target)
        if self.geometry is None or self.motion != "relative" or base is None:
            return np.clip(mixed, 0, 1)
        rest, start, now = self.geometry.changes(np.stack([target_neutral, source_neutral, source]))
        wanted = rest + self.strength * (now - start)
        wanted[OPENING] = max(wanted[OPENING], -base[1][OPENING])
        open_source = np.maximum(base[0] + start, 1e-3)[LIDS]
        open_target = np.maximum(base[1] + rest, 1e-3)[LIDS]
        ratio = np.clip(open_target / open_source, *LID_RANGE)
        wanted[LIDS] = rest[LIDS] + self.strength * ratio * (now - start)[LIDS]
        wanted[LIDS] = np.maximum(wanted[LIDS], -base[1][LIDS])
        return self.geometry.reach(mixed, wanted, self._rows, self.moved)
