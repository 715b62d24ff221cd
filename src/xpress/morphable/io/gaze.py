"""Eyeballs that follow the eyeLook shapes, for rigs that turn them with joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

HORIZONTAL = np.deg2rad(35.0)
"""Turn of the eyeball at full eyeLookIn or eyeLookOut, radians."""
VERTICAL = np.deg2rad(25.0)
"""Turn at full eyeLookUp or eyeLookDown, radians."""


def eyeball_rotation_offsets(
    vertices: np.ndarray, expression_names: Sequence[str], side: str
) -> np.ndarray:
    """Offsets (Ke, V, 3) of an eyeball's vertices (V, 3) under each expression.

    The rotation about the ball's centre is linearised, so that it fits the linear model: the
    pupil moves sideways as far as at the given angles, and the ball's radius grows by at most
    √(1 + sin²) of the angle at a full activation, 15% sideways and 9% up or down.
    """
    low, high = vertices.min(0), vertices.max(0)
    center = (low + high) / 2
    # The cornea bulges forward: the ball's radius comes from its width.
    center[2] = low[2] + (high[0] - low[0]) / 2
    arm = vertices - center
    offsets = np.zeros((len(expression_names), len(vertices), 3), np.float32)
    outward = 1.0 if side == "left" else -1.0
    axes = {
        "eyeLookOut": np.array([0.0, outward, 0.0]) * np.sin(HORIZONTAL),
        "eyeLookIn": np.array([0.0, -outward, 0.0]) * np.sin(HORIZONTAL),
        "eyeLookUp": np.array([-1.0, 0.0, 0.0]) * np.sin(VERTICAL),
        "eyeLookDown": np.array([1.0, 0.0, 0.0]) * np.sin(VERTICAL),
    }
    suffix = "_L" if side == "left" else "_R"
    for row, name in enumerate(expression_names):
        if name.endswith(suffix) and name.removesuffix(suffix) in axes:
            offsets[row] = np.cross(axes[name.removesuffix(suffix)], arm)
    return offsets
