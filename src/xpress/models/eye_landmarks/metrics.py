"""Accuracy of irises and lids, as the model card quotes it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.models.eye_landmarks.losses import iris_seen
from xpress.models.face_autoencoder.metrics import correlation
from xpress.morphable.signals import EYE_SIGNALS, eye_signals


def eye_metrics(
    predicted: Float[Tensor, "B 17 2"],
    target: Float[Tensor, "B 17 2"],
    eye: Int[Tensor, " B"],
) -> dict[str, float]:
    """Figures over a whole set.

    Args:
        predicted: points as read.
        target: as labelled.
        eye: a number for each eye of each person.

    Returns:
        Mean distance of the lid points in percent of the eye's width; for each signal its mean
        absolute error, its correlation with the labels and its gain (standard deviation over the
        labels'), both over all rows and, as `within`, around the eye's own mean where an eye has
        three rows or more. Irises count where the labelled lids are open.
    """
    apart = (predicted - target)[:, :16].norm(dim=-1).mean()
    figures = {"lid_error": 100 * apart.item()}
    p, t = eye_signals(predicted), eye_signals(target)
    seen = iris_seen(target) >= 1
    for column, name in enumerate(EYE_SIGNALS):
        rows = seen if name.startswith("iris") else torch.ones_like(seen)
        pair = torch.stack([p[rows, column], t[rows, column]], dim=1)
        figures[f"{name}/error"] = (pair[:, 0] - pair[:, 1]).abs().mean().item()
        figures |= agreement(name, pair)
        figures |= agreement(f"{name}/within", around_own_mean(pair, eye[rows]))
    return figures


def agreement(name: str, pair: Float[Tensor, "N 2"]) -> dict[str, float]:
    """Correlation and gain of what is read (first) with the labels; nothing of two rows or less."""
    if len(pair) < 3:
        return {}
    gain = pair[:, 0].std() / pair[:, 1].std().clamp_min(1e-9)
    found = correlation(pair[:, :1], pair[:, 1:])
    return {f"{name}/correlation": found.item(), f"{name}/gain": gain.item()}


def around_own_mean(
    pair: Float[Tensor, "N 2"], eye: Int[Tensor, " N"], least: int = 3
) -> Float[Tensor, "M 2"]:
    """Differences from the mean of each number of `eye` that has `least` rows or more."""
    _, number, count = eye.unique(return_inverse=True, return_counts=True)
    total = pair.new_zeros(len(count), 2).index_add(0, number, pair)
    return (pair - (total / count[:, None])[number])[count[number] >= least]
