"""Accuracy of landmarks and expression, as the model card quotes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from xpress.models.face_autoencoder.losses import face_size, irises_seen
from xpress.morphable.signals import GAZE_SIGNALS, SIGNALS, expression_signals, gaze_signals

CLOSED_QUANTILE = 0.1


def nme51(
    predicted: Float[Tensor, "B 68 2"], target: Float[Tensor, "B 68 2"]
) -> Float[Tensor, " B"]:
    """Mean error of the 51 inner landmarks over the outer-eye-corner distance."""
    eye = (target[:, 36] - target[:, 45]).norm(dim=-1).clamp_min(1e-3)
    return (predicted - target)[:, 17:].norm(dim=-1).mean(1) / eye


def nme68(
    predicted: Float[Tensor, "B 68 2"], target: Float[Tensor, "B 68 2"]
) -> Float[Tensor, " B"]:
    """Mean error of all landmarks over √(box width · box height)."""
    return (predicted - target).norm(dim=-1).mean(1) / face_size(target)


def correlation(a: Float[Tensor, "B K"], b: Float[Tensor, "B K"]) -> Float[Tensor, " K"]:
    """Pearson's, column by column; zero where a column is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp_min(1e-9)


def landmark_metrics(
    predicted: Float[Tensor, "B 68 2"], target: Float[Tensor, "B 68 2"]
) -> dict[str, float]:
    """Figures over a whole set.

    Returns:
        `nme51` and `nme68` in percent; for each signal its correlation with the labels, its gain
        (standard deviation over the labels') and mean absolute error; `eye_error` (lid distance
        over eye width) and `mouth_error` (inner lips over eye-corner distance); the shares of
        the labels' lowest decile of mouths and eyes whose prediction is below the labels' lowest
        quarter too.
    """
    figures = {
        "nme51": 100 * nme51(predicted, target).mean().item(),
        "nme68": 100 * nme68(predicted, target).mean().item(),
    }
    p, t = expression_signals(predicted), expression_signals(target)
    figures |= _agreement(SIGNALS, p, t)
    openings = [_eye_openings(points) for points in (predicted, target)]
    figures["eye_error"] = (openings[0] - openings[1]).abs().mean().item()
    figures["mouth_error"] = (p[:, 0] - t[:, 0]).abs().mean().item()
    figures["closed_mouths"] = _recognised(p[:, 0], t[:, 0])
    figures["closed_eyes"] = _recognised(openings[0].flatten(), openings[1].flatten())
    return figures


def gaze_metrics(
    predicted: Float[Tensor, "B 206 2"], target: Float[Tensor, "B 206 2"]
) -> dict[str, float]:
    """Correlation, gain and mean absolute error of the gaze, where the labels' lids are open.

    Nothing where fewer than two are.
    """
    seen = irises_seen(target[:, :68])
    if int(seen.sum()) < 2:
        return {}
    p, t = gaze_signals(predicted[seen, 68:]), gaze_signals(target[seen, 68:])
    return _agreement(GAZE_SIGNALS, p, t)


def _agreement(
    names: Sequence[str], p: Float[Tensor, "B K"], t: Float[Tensor, "B K"]
) -> dict[str, float]:
    correlations, gains = correlation(p, t), p.std(0) / t.std(0).clamp_min(1e-9)
    errors = (p - t).abs().mean(0)
    figures = {}
    for i, name in enumerate(names):
        figures[f"{name}/correlation"] = correlations[i].item()
        figures[f"{name}/gain"] = gains[i].item()
        figures[f"{name}/error"] = errors[i].item()
    return figures


def figure_table(figures: Mapping[str, Tensor], stage: str) -> str:
    """Logged figures `<stage>/<set>/<name>` as lines of names with one column a set."""
    split = [key.split("/", 2) for key in figures if key.startswith(f"{stage}/")]
    sets = sorted({parts[1] for parts in split if len(parts) == 3})
    names = sorted({parts[2] for parts in split if len(parts) == 3})
    lines = [f"{'':28}" + "".join(f"{name:>12}" for name in sets)]
    for name in names:
        values = [figures.get(f"{stage}/{one}/{name}") for one in sets]
        cells = "".join(f"{'' if v is None else f'{float(v):.4f}':>12}" for v in values)
        lines.append(f"{name:28}{cells}")
    return "\n".join(lines)


def _eye_openings(p: Float[Tensor, "B 68 2"]) -> Float[Tensor, "B 2"]:
    """Mean lid distance over the eye's width, right and left."""
    eyes = []
    for start in (36, 42):
        eye = p[:, start : start + 6]
        gap = ((eye[:, 1] - eye[:, 5]).norm(dim=-1) + (eye[:, 2] - eye[:, 4]).norm(dim=-1)) / 2
        eyes.append(gap / (eye[:, 0] - eye[:, 3]).norm(dim=-1).clamp_min(1e-3))
    return torch.stack(eyes, dim=1)


def _recognised(predicted: Float[Tensor, " N"], target: Float[Tensor, " N"]) -> float:
    closed = target <= target.quantile(CLOSED_QUANTILE)
    return (predicted[closed] <= target.quantile(0.25)).float().mean().item()
