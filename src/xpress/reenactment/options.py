"""What goes into and comes out of a `Reenactor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ReenactmentOptions:
    """How a source moves a target.

    Attributes:
        motion: relative or absolute.
        strength: factor on the change.
        regions: what may move; None is all of the face.
        face: of the target: largest, all, or an index from the left.
        smoothing: filter pose and expression of videos over time.
        gaze: whose eyes look, source or target; with viewer the target's stay where they look
            while its head turns.
        head: whose head moves: target, source, or a factor on the source's motion; auto is source
            for photographs that a video drives, else target.
        idle: share of a mild motion of its own that a still photograph is given.
        seed: of that motion.
    """

    motion: str = "relative"
    strength: float = 1.0
    regions: Sequence[str] | None = None
    face: str | int = "largest"
    smoothing: bool = True
    gaze: str = "source"
    head: str | float = "auto"
    idle: float = 0.0
    seed: int = 0


def without_head(options: ReenactmentOptions) -> ReenactmentOptions:
    """For a source that is one picture: what its head does is not known, so auto leaves heads."""
    return replace(options, head="target") if options.head == "auto" else options
