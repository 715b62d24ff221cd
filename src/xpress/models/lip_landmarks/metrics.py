"""Accuracy of lips, as the model card quotes it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.models.eye_landmarks.metrics import agreement, around_own_mean
from xpress.models.lip_landmarks.losses import LIP_SIGNALS, lip_signals


def lip_metrics(
    predicted: Float[Tensor, "B 40 2"],
    target: Float[Tensor, "B 40 2"],
    group: Int[Tensor, " B"],
) -> dict[str, float]:
    """Figures over a whole set.

    Args:
        predicted: points as read.
        target: as labelled.
        group: a number for each person.

    Returns:
        Mean distance of the points in percent of the lips' width; for each of `LIP_SIGNALS` its
        mean absolute error, correlation and gain as `eye_metrics` gives them.
    """
    figures = {"lip_error": 100 * (predicted - target).norm(dim=-1).mean().item()}
    pairs = torch.stack([lip_signals(predicted), lip_signals(target)], dim=-1)
    for name, pair in zip(LIP_SIGNALS, pairs.unbind(1), strict=True):
        figures[f"{name}/error"] = (pair[:, 0] - pair[:, 1]).abs().mean().item()
        figures |= agreement(name, pair)
        figures |= agreement(f"{name}/within", around_own_mean(pair, group))
    return figures
