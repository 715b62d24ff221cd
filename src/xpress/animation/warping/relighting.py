"""Light of the target's picture, and how the skin's shading changes when its normals turn."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int
from numba import njit

from xpress.rendering.lighting import SH_0, SH_1, SH_2, SH_20, SH_22, spherical_harmonics

LOWEST, HIGHEST = 0.6, 1.6
"""Limits of the shading's change."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
RIDGE = 0.02


def is_degenerate(illumination: Float32[np.ndarray, "9 3"]) -> bool:
    """Whether an illumination says nothing: zero, not finite, or black from the front."""
    front = spherical_harmonics(np.array([[0, 0, 1]], np.float32))[0] @ illumination
    return not (np.isfinite(illumination).all() and front.min() > 0.05)


def estimate_illumination(
    colors: Float32[np.ndarray, "V 3"],
    albedo: Float32[np.ndarray, "V 3"],
    normals: Float32[np.ndarray, "V 3"],
) -> Float32[np.ndarray, "9 3"]:
    """Least-squares light from seen colours in [0, 1]; outliers are dropped once.

    The higher bands are damped towards frontal light, which keeps a beard from becoming a lamp.
    """
    if len(colors) < 30:
        light = np.zeros((9, 3), np.float32)
        light[0] = 1 / SH_0
        return light
    bands = spherical_harmonics(normals).astype(np.float64)
    found = np.zeros((9, 3))
    for channel in range(3):
        design = bands * albedo[:, channel, None]
        keep = np.ones(len(design), bool)
        for _ in range(2):
            gram = design[keep].T @ design[keep]
            damping = np.full(9, np.trace(gram) / 9 * RIDGE)
            damping[0] *= 1e-3
            right = design[keep].T @ colors[keep, channel]
            solution = np.linalg.solve(gram + np.diag(damping + 1e-9), right)
            error = np.abs(design @ solution - colors[:, channel])
            keep = error < 2.5 * np.median(error) + 1e-6
        found[:, channel] = solution
    return found.astype(np.float32)


def luminance_light(illumination: Float32[np.ndarray, "9 3"]) -> Float32[np.ndarray, " 9"]:
    """One light for all channels: colour casts are too noisy to be divided."""
    return (illumination @ LUMA).astype(np.float32)


def shading_change(
    old: Float32[np.ndarray, "V 3"],
    new: Float32[np.ndarray, "V 3"],
    light: Float32[np.ndarray, " 9"],
    vertices: Int[np.ndarray, " N"],
) -> Float32[np.ndarray, " V"]:
    """Logarithm of the shading at new normals over that at old ones, within the limits.

    Args:
        old: unit normals in camera space.
        new: likewise.
        light: of `luminance_light`.
        vertices: where it is wanted; zero elsewhere.
    """
    out = np.zeros(len(old), np.float32)
    floor = 0.25 * float(spherical_harmonics(np.array([[0, 0, 1]], np.float32))[0] @ light)
    _log_ratio(old, new, light, max(floor, 1e-3), vertices, out)
    return out


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _shade(x, y, z, light):
    return (
        light[0] * SH_0
        + SH_1 * (light[1] * y + light[2] * z + light[3] * x)
        + SH_2 * (light[4] * x * y + light[5] * y * z + light[7] * x * z)
        + light[6] * SH_20 * (3 * z * z - 1)
        + light[8] * SH_22 * (x * x - y * y)
    )


@njit(cache=True, nogil=True)
@no_type_check
def _log_ratio(old, new, light, floor, vertices, out):
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for v in vertices:
        before = max(_shade(old[v, 0], old[v, 1], old[v, 2], light), floor)
        after = max(_shade(new[v, 0], new[v, 1], new[v, 2], light), floor)
        out[v] = min(max(np.log(after / before), low), high)
