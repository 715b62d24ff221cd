"""What goes into and comes out of a `Reenactor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
            for photographs and target for videos.
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
