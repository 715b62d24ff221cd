"""Losses of the face autoencoder: pure functions, each a mean over the rows that it concerns.

Shape, colour and regularisation are the three groups of unsupervised face reconstruction (Tewari
et al., MoFA, ICCV 2017; Deng et al., CVPRW 2019); lid and lip distances follow DECA (Feng et al.,
SIGGRAPH 2021), divided by their spread in the data so that a small lid weighs as much as a jaw.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from xpress.models.gather import mean_count
from xpress.morphable.signals import expression_signals, gaze_signals

SIGNAL_SPREAD = (
    *(0.082, 0.084, 0.044, 0.027, 0.027, 0.047, 0.047),
    *(0.06, 0.03, 0.045, 0.045, 0.045, 0.05, 0.05, 0.009, 0.009),
)
"""Standard deviation of each of `signals.SIGNALS` over the training packs; of those from the nose
on, which differ more between people than a face moves them, 1.4 times that within people."""

GAZE_SPREAD = (0.035, 0.03)
"""The same of `signals.GAZE_SIGNALS`, shares of the eye's width."""

GAZE_LIDS = 0.035
"""Mean lid opening over the outer-eye-corner distance below which no iris is labelled well."""

TEACHER_MOVES = 0.01
"""Standard deviation of a score over a batch below which it is not learned from."""

CLOSURE_UNIT = (0.015, 0.03, 0.03)
"""Of mouth and lids, over the outer-eye-corner distance."""


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term; zero switches it off, and what only it needs is not computed."""

    landmarks: float = 20.0
    signals: float = 2.5
    gaze: float = 1.0
    teacher: float = 0.3
    closure: float = 2.0
    expression_shape: float = 30.0
    identity_shape: float = 25.0
    expression: float = 0.5
    exact_expression: float = 20.0
    pose: float = 0.5
    presence: float = 0.1
    skin: float = 5.0
    photometric: float = 0.0
    color: float = 0.02
    illumination: float = 0.1
    regularize_identity: float = 1e-3
    regularize_expression: float = 1e-3
    regularize_color: float = 2e-4
    regularize_illumination: float = 1e-3


def mean_of(values: Float[Tensor, " B"], rows: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean over some rows; zero, with a gradient of zero, where there is none.

    In several processes the mean of the results is the mean over all their rows.
    """
    return torch.where(rows, values, 0.0).sum() / mean_count(rows.sum())


def charbonnier(x: Tensor, epsilon: float) -> Tensor:
    """Smooth absolute value: quadratic below `epsilon`, linear above."""
    return (x.square() + epsilon**2).sqrt() - epsilon


def face_size(landmarks68: Float[Tensor, "B 68 2"]) -> Float[Tensor, " B"]:
    """√(box width · box height) in pixels, at least one."""
    box = landmarks68.amax(1) - landmarks68.amin(1)
    return box.prod(-1).clamp_min(1).sqrt()


def landmark_loss(
    predicted: Float[Tensor, "B L 2"],
    target: Float[Tensor, "B L 2"],
    weights: Float[Tensor, "B L"],
    size: Float[Tensor, " B"],
    epsilon: float = 0.01,
) -> Float[Tensor, " B"]:
    """Weighted mean distance over the face's size, a smooth norm that outliers cannot rule.

    Args:
        predicted: pixels.
        target: pixels.
        weights: zero drops a landmark.
        size: of the faces, pixels.
        epsilon: distance over size below which the loss is quadratic.
    """
    error = (predicted - target) / size[:, None, None]
    distance = (error.square().sum(-1) + epsilon**2).sqrt() - epsilon
    return (distance * weights).sum(1) / weights.sum(1).clamp_min(1e-6)


def signal_loss(
    predicted: Float[Tensor, "B 68 2"], target: Float[Tensor, "B 68 2"]
) -> Float[Tensor, " B"]:
    """Distances of lips, lids and brows in units of their spread."""
    spread = predicted.new_tensor(SIGNAL_SPREAD)
    error = (expression_signals(predicted) - expression_signals(target)) / spread
    return charbonnier(error, 0.5).clamp_max(8).mean(1)


def gaze_loss(
    predicted: Float[Tensor, "B 138 2"], target: Float[Tensor, "B 138 2"]
) -> Float[Tensor, " B"]:
    """Places of the irises in units of their spread."""
    spread = predicted.new_tensor(GAZE_SPREAD)
    error = (gaze_signals(predicted) - gaze_signals(target)) / spread
    return charbonnier(error, 0.5).clamp_max(4).mean(1)


def irises_seen(landmarks68: Float[Tensor, "B 68 2"]) -> Bool[Tensor, " B"]:
    """Whose lids are open far enough for labels of the irises."""
    return expression_signals(landmarks68)[:, 3:5].mean(1) > GAZE_LIDS


def teacher_loss(
    expression: Float[Tensor, "B K"], scores: Float[Tensor, "B K"], rows: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """One minus the correlation with another network's scores, shape by shape over the batch.

    The teacher's units are its own, so that it says when a shape is used and by whom more than by
    others, but not how far; that the landmarks say.

    Args:
        expression: activations.
        scores: of the same shapes.
        rows: which have scores; below eight rows there is nothing to correlate.
    """
    if int(rows.sum()) < 8:
        return expression.sum() * 0
    read, said = expression[rows], scores[rows]
    read, said = read - read.mean(0), said - said.mean(0)
    moved = said.square().mean(0).sqrt() > TEACHER_MOVES
    product = (read * said).sum(0)
    size = (read.square().sum(0) * said.square().sum(0) + 1e-12).sqrt()
    return ((1 - product / size) * moved).sum() / moved.sum().clamp_min(1)


def closure_loss(
    predicted: Float[Tensor, "B 68 2"], target: Float[Tensor, "B 68 2"]
) -> Float[Tensor, " B"]:
    """Openings of lips and lids on a scale that is fine where they close.

    A tenth of a lid's or a lip's way is little at half open and much when it should be shut.
    The scale is the area sine of the opening over `CLOSURE_UNIT`: linear below, logarithmic above.
    Differences count linearly, so that the likelier of closed and open is learned and not the
    mean of both.
    """
    unit = predicted.new_tensor(CLOSURE_UNIT)
    openings = [
        (expression_signals(points)[:, [0, 3, 4]] / unit).asinh() for points in (predicted, target)
    ]
    return charbonnier(openings[0] - openings[1], 0.15).mean(1)


def shape_loss(
    predicted: Float[Tensor, "B K"], target: Float[Tensor, "B K"], basis: Float[Tensor, "K L 3"]
) -> Float[Tensor, " B"]:
    """Distance of the landmarks that two coefficient vectors make, in the basis' units.

    Weighs each coefficient by what it moves, depth included, which no picture shows.
    """
    difference = torch.tensordot(predicted - target, basis, dims=1)
    return (difference.square().sum(-1) + 1e-6).sqrt().mean(1)


def pose_loss(predicted, target, size: int) -> Float[Tensor, " B"]:
    """Rotation, translation and scale of two `FaceParameters`, about equally weighted."""
    rotation = charbonnier(predicted.rotation - target.rotation, 0.05).sum(1) / 0.3
    translation = charbonnier(predicted.translation - target.translation, 1.0).sum(1) / size * 10
    scale = charbonnier((predicted.scale / target.scale.clamp_min(1e-3)).log(), 0.02) / 0.1
    return rotation + translation + scale


def photometric_loss(
    rendered: Float[Tensor, "B 3 H W"],
    image: Float[Tensor, "B 3 H W"],
    mask: Bool[Tensor, "B 1 H W"],
    robust: float = 3.0,
) -> Float[Tensor, " B"]:
    """Mean squared colour error inside the render.

    Args:
        rendered: RGB.
        image: RGB in [0, 1].
        mask: where the face is rendered.
        robust: pixels whose error exceeds this many standard deviations of their own picture are
            dropped as occluders (Li et al., FOCUS, 2023); infinity keeps all, as plain MSE.
    """
    error = (rendered - image).square().mean(1, keepdim=True)
    inside = mask.to(error.dtype)
    if robust != float("inf"):
        mean = (error.detach() * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp_min(1)
        limit = mean * robust**2
        inside = inside * (error.detach() <= limit[:, None, None, None])
    return (error * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp_min(1)


def presence_loss(logit: Float[Tensor, " B"], present: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
    """Binary cross-entropy of the crop showing a face."""
    return functional.binary_cross_entropy_with_logits(logit, present.to(logit.dtype))
