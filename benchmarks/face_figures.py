"""Figures of face parameters that no single picture gives: of people, of time, of known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

OUTER_EYE_CORNERS = (36, 45)
INNER = slice(17, 68)
"""The 51 landmarks without the face's outline."""


@dataclass(frozen=True)
class Agreement:
    """Columns of predictions against their truth.

    Attributes:
        correlation: Pearson's; zero where either column is constant.
        gain: standard deviation over the truth's.
    """

    correlation: Float[np.ndarray, " K"]
    gain: Float[np.ndarray, " K"]


def agreement(found: Float[np.ndarray, "N K"], truth: Float[np.ndarray, "N K"]) -> Agreement:
    """Correlation and gain of each column."""
    a, b = found - found.mean(0), truth - truth.mean(0)
    spread = np.sqrt((a**2).sum(0)), np.sqrt((b**2).sum(0))
    product = spread[0] * spread[1]
    correlation = np.divide((a * b).sum(0), product, out=np.zeros_like(product), where=product > 0)
    return Agreement(correlation, spread[0] / np.maximum(spread[1], 1e-12))


def within_over_between(values: Float[np.ndarray, "N D"], people: Sequence[str]) -> float:
    """Variance within people over variance between people, summed over the columns.

    One-way analysis of variance: pooled within people; between people the variance of their means
    less what the spread within them contributes to it, so that few pictures a person do not pass
    for different people.

    Args:
        values: a row a picture.
        people: who each row shows; those with one row are left out.
    """
    names, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    means, within, freedom = [], 0.0, 0
    for number in np.flatnonzero(counts > 1):
        own = values[person == number]
        means.append(own.mean(0))
        within += float(((own - means[-1]) ** 2).sum())
        freedom += len(own) - 1
    if len(means) < 2:
        raise ValueError(f"two people with two pictures each are needed, of {len(names)}")
    within /= freedom
    noise = within * float((1 / counts[counts > 1]).mean())
    between = float(np.var(np.array(means), axis=0, ddof=1).sum()) - noise
    return within / max(between, 1e-12)


def without_similarity(
    shapes: Float[np.ndarray, "N V 3"], mean: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "N V 3"]:
    """Shapes moved, turned and scaled onto the mean shape (least squares, Umeyama 1991).

    What is left is seen whatever the pose says; a wider face that stands farther off is the same.
    """
    centre = mean.mean(0)
    target = mean - centre
    out = np.empty_like(shapes)
    for i, shape in enumerate(shapes):
        own = shape - shape.mean(0)
        u, s, vt = np.linalg.svd(own.T @ target)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        out[i] = (s * sign).sum() / (own**2).sum() * (own @ (u * sign) @ vt) + centre
    return out


def acceleration(landmarks: Float[np.ndarray, "T 68 2"], inner: bool = True) -> float:
    """Mean length of the second difference over time, over the outer-eye-corner distance.

    Args:
        landmarks: iBUG-68, pixels.
        inner: of the 51 landmarks without the face's outline, whose points slide along it.
    """
    right, left = OUTER_EYE_CORNERS
    eye = float(np.linalg.norm(landmarks[:, right] - landmarks[:, left], axis=1).mean())
    second = np.diff(landmarks[:, INNER] if inner else landmarks, n=2, axis=0)
    return float(np.linalg.norm(second, axis=2).mean()) / eye


def lag(found: Float[np.ndarray, " T"], truth: Float[np.ndarray, " T"], reach: int = 6) -> float:
    """Frames by which `found` comes after `truth`: the peak of their correlation.

    A parabola through the best shift and its neighbours gives the part of a frame.
    """
    shifts = np.arange(-reach, reach + 1)
    frames = np.arange(reach, len(truth) - reach)
    values = np.array([np.corrcoef(found[frames + s], truth[frames])[0, 1] for s in shifts])
    best = int(np.clip(values.argmax(), 1, len(shifts) - 2))
    before, peak, after = values[best - 1 : best + 2]
    bend = before - 2 * peak + after
    return float(shifts[best] + (0.5 * (before - after) / bend if bend < 0 else 0.0))
