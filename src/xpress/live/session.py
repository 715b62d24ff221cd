"""A live reenactment: its targets, what its keys change, and the picture of each moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from xpress.extraction.face_sample import FaceSample
from xpress.media.images import read_image
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.reenactment.target_video import TargetAnimator
from xpress.transfer.live_driver import LiveDriver

STEP = 0.1
"""By which a key changes the strength."""
STRONGEST = 2.0

HELP = (
    "n rest   up/down strength   t target   g gaze   h head",
    "f freeze   s side by side   m mirror   q quit",
)
"""The keys, in the lines that a window shows."""

Image = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class _Target:
    image: Image
    faces: Sequence[FaceSample]


class LiveSession:
    """Moves one of several photographs with the face that is live.

    Args:
        reenactor: loaded networks.
        targets: photographs; the first is shown first.
        options: how; keys change the session's own copy.

    Raises:
        InputError: a picture cannot be read or shows no face, or an option is wrong.
    """

    def __init__(
        self, reenactor: Reenactor, targets: Sequence[Path], options: ReenactmentOptions
    ) -> None:
        self._reenactor = reenactor
        self.options = options
        self._targets = []
        for path in targets:
            image = read_image(path)
            faces = reenactor.find(image, options.face, str(path))
            self._targets.append(_Target(image, faces))
        self.number = 0
        self.frozen = self.beside = self.mirrored = self.quit = False
        self._driver = LiveDriver(reenactor.resting, options.smoothing)
        self._animator = self._prepared()
        self._shown = self._targets[0].image
        self._actions: dict[str, Callable[[], None]] = {
            "n": self._driver.take_rest,
            "up": lambda: self._strengthen(STEP),
            "down": lambda: self._strengthen(-STEP),
            "t": self._next_target,
            "g": self._turn_gaze,
            "h": self._turn_head,
            "f": lambda: self._toggle("frozen"),
            "s": lambda: self._toggle("beside"),
            "m": lambda: self._toggle("mirrored"),
            "q": lambda: self._toggle("quit"),
            "escape": lambda: self._toggle("quit"),
        }

    def press(self, key: str) -> None:
        """Do what a key says; others are ignored."""
        self._actions.get(key, lambda: None)()

    def seen(self, image: Image) -> Image:
        """The source's picture as it is read, mirrored where that is wanted."""
        return np.ascontiguousarray(image[:, ::-1]) if self.mirrored else image

    def draw(
        self, time: Fraction, image: UInt8[np.ndarray, "Hs Ws 3"], face: FaceSample | None
    ) -> Image:
        """The picture of a moment.

        Args:
            time: seconds after the first frame.
            image: the source's picture as `seen` gave it.
            face: found in it, or None.
        """
        frame = self._driver(time, face)
        if frame is not None and not self.frozen:
            self._shown = self._animator.render(frame)
        return _side_by_side(image, self._shown) if self.beside else self._shown

    def state(self) -> str:
        """What the keys have set, in a few words."""
        words = [f"strength {self.options.strength:.1f}", f"gaze {self.options.gaze}"]
        words.append(f"head {self.options.head}")
        if len(self._targets) > 1:
            words.append(f"target {self.number + 1}/{len(self._targets)}")
        words += [name for name in ("frozen", "mirrored") if getattr(self, name)]
        return "   ".join(words)

    def _prepared(self) -> TargetAnimator:
        animator = self._reenactor.target_animator(self.options)
        target = self._targets[self.number]
        strength = self.options.strength
        animator.set(target.image, [self._reenactor.rested(f, strength) for f in target.faces])
        return animator

    def _changed(self, **options) -> None:
        self.options = replace(self.options, **options)
        self._animator = self._prepared()

    def _strengthen(self, step: float) -> None:
        self._changed(strength=round(min(max(self.options.strength + step, 0.0), STRONGEST), 3))

    def _turn_gaze(self) -> None:
        self._changed(gaze="target" if self.options.gaze == "source" else "source")

    def _turn_head(self) -> None:
        still = self.options.head == "target"
        self._changed(head="source" if still else "target")

    def _next_target(self) -> None:
        self.number = (self.number + 1) % len(self._targets)
        self._shown = self._targets[self.number].image
        self._animator = self._prepared()

    def _toggle(self, name: str) -> None:
        setattr(self, name, not getattr(self, name))


def _side_by_side(
    left: UInt8[np.ndarray, "Hl Wl 3"], right: UInt8[np.ndarray, "H W 3"]
) -> UInt8[np.ndarray, "H Wb 3"]:
    """Two pictures of one height, the right one's."""
    height = right.shape[0]
    width = max(1, round(left.shape[1] * height / left.shape[0]))
    return np.hstack([cv2.resize(left, (width, height), interpolation=cv2.INTER_AREA), right])
