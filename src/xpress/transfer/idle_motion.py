"""A still photograph's life of its own: breath, blinks, and a head that is never quite still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from xpress.transfer.head_motion import HeadMotion

SWAY = np.deg2rad([0.8, 1.6, 0.7])
"""Pitch, yaw and roll of the sway, radians (standard deviation)."""
WAY = np.array([0.12, 0.08])
"""Of the head along x and y, centimetres (standard deviation)."""
PERIODS = (2.9, 11.0)
"""Seconds of the quickest and the slowest part of the sway."""
PARTS = 5
"""Waves that a sway is made of."""
BREATH, BREATH_SECONDS = 0.09, 4.2
"""Way of the shoulders upwards in centimetres, and how long a breath takes."""
NOD = 0.25
"""Share of the breath that lifts the head."""
BLINK_EVERY, BLINK_SECONDS = (2.2, 5.5), 0.28
"""Bounds of the time between two blinks, and how long one takes."""
DRAWN = 600.0
"""Seconds after which the blinks come again as they came."""


class IdleMotion:
    """Mild motion over time; the same seed moves alike.

    Args:
        expression_names: of the face model.
        amount: factor on the motion; blinks stay whole.
        seed: of what is random.
    """

    def __init__(self, expression_names: Sequence[str], amount: float = 1.0, seed: int = 0) -> None:
        self.amount = amount
        chance = np.random.default_rng(seed)
        shape = (5, PARTS)
        slowest, quickest = 1 / PERIODS[1], 1 / PERIODS[0]
        self._frequency = np.exp(chance.uniform(np.log(slowest), np.log(quickest), shape))
        self._phase = chance.uniform(0, 2 * np.pi, shape)
        weight = 1 / self._frequency  # slow waves are larger
        self._weight = weight / np.sqrt((weight**2).sum(1, keepdims=True) / 2)
        gaps = chance.uniform(*BLINK_EVERY, int(DRAWN / BLINK_EVERY[0]))
        self._blinks = np.cumsum(gaps)
        self._lids = np.array([name.startswith("eyeBlink") for name in expression_names])

    def motion(self, time: float) -> HeadMotion:
        """Of head and shoulders, `time` seconds after the start; it starts and stays near rest."""
        waves = np.sin(2 * np.pi * self._frequency * time + self._phase) - np.sin(self._phase)
        sway = (self._weight * waves).sum(1) * np.concatenate([SWAY, WAY])
        breath = BREATH * (1 - np.cos(2 * np.pi * time / BREATH_SECONDS)) / 2
        lift = np.array([0.0, -NOD * breath])
        moved = HeadMotion(sway[:3], sway[3:] + lift, breath=breath)
        return moved.scaled(self.amount)

    def expression(
        self, expression: Float[np.ndarray, " Ke"], time: float
    ) -> Float[np.ndarray, " Ke"]:
        """An expression with the lids as far closed as a blink has them at a time."""
        if self.amount == 0:
            return expression
        since = (time % self._blinks[-1]) - self._blinks
        shut = float(np.max(np.sin(np.pi * np.clip(since / BLINK_SECONDS, 0, 1)) ** 2))
        closing = expression + shut * (1 - expression)
        return np.where(self._lids, closing, expression)
