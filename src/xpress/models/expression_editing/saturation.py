"""Attention masks that stick at zero or one: the known failure of such generators."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

STEPS = 300
"""Steps over which the mean is taken, and after which it may be judged."""


class AttentionWatch:
    """Statistics of attention masks in training, and a warning, given once.

    Args:
        low: mean attention below which a network has failed.
        high: mean attention above which it has.
        mend_low: what then helps.
        mend_high: likewise.
    """

    def __init__(self, low: float, high: float, mend_low: str, mend_high: str) -> None:
        self.low, self.high = low, high
        self._mends = (mend_low, mend_high)
        self._mean, self._steps, self._told = 0.0, 0, False

    def update(self, attention: Float[Tensor, "B 1 H W"]) -> dict[str, Tensor]:
        """Take a step's masks in.

        Returns:
            `attention_mean`; `attention_low` and `attention_high`: shares of pixels below
            0.05 and above 0.95; `attention_saturated`: one while the mean of the last steps is out
            of bounds.
        """
        mean = attention.mean()
        self._steps += 1
        self._mean += (float(mean) - self._mean) / min(self._steps, STEPS)
        return {
            "attention_mean": mean,
            "attention_low": (attention < 0.05).float().mean(),
            "attention_high": (attention > 0.95).float().mean(),
            "attention_saturated": torch.tensor(float(self.saturated)),
        }

    @property
    def saturated(self) -> bool:
        """Whether the mean has been out of bounds for long."""
        return self._steps >= STEPS and not self.low <= self._mean <= self.high

    def warning(self) -> str | None:
        """One line, the first time that the masks are saturated."""
        if self._told or not self.saturated:
            return None
        self._told = True
        mend = self._mends[self._mean > self.high]
        return f"the attention mask is stuck at {self._mean:.2f} on average: {mend}"
