"""Tables of pose, landmarks and action units as OpenFace 2 has them.

Baltrušaitis et al., "OpenFace 2.0: Facial Behavior Analysis Toolkit", FG 2018.
"""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from xpress.morphable.action_units import ACTION_UNITS
from xpress.whole_files import written_beside

INTENSITY = 5.0
"""OpenFace's largest intensity, E of the Facial Action Coding System."""
PRESENT = 1.0
"""Intensity from which a unit counts as present, A of the system."""


def write_open_face(
    path: str | os.PathLike,
    units: Float[np.ndarray, "T 17"],
    rotation: Float[np.ndarray, "T 3"],
    fps: Fraction,
    landmarks68: Float[np.ndarray, "T 68 2"] | None = None,
    detected: Bool[np.ndarray, " T"] | None = None,
) -> None:
    """Write a CSV with a row a frame.

    Args:
        path: the file.
        units: action units in [0, 1], in the order of `ACTION_UNITS`.
        rotation: axis-angle in radians, model to camera space.
        fps: frames per second.
        landmarks68: in pixels; without them the columns are left out.
        detected: frames that show a face; all of them by default.

    Raises:
        InputError: the file cannot be written.
    """
    found = np.ones(len(units), bool) if detected is None else detected
    # OpenFace's camera looks along +z with y down: the same head turns the other way about y and z
    pose = Rotation.from_rotvec(rotation * [1, -1, -1]).as_euler("XYZ")
    names = ["frame", "face_id", "timestamp", "confidence", "success", *_names("pose_R", "xyz")]
    columns = [
        *(np.arange(1, len(units) + 1), np.zeros(len(units)), np.arange(len(units)) / float(fps)),
        *(found, found, *pose.T),
    ]
    if landmarks68 is not None:
        names += [*_names("x_", range(68)), *_names("y_", range(68))]
        columns += [*landmarks68[..., 0].T, *landmarks68[..., 1].T]
    intensities = units.T * INTENSITY
    names += [f"AU{n:02}_r" for n in ACTION_UNITS] + [f"AU{n:02}_c" for n in ACTION_UNITS]
    columns += [*intensities, *(intensities >= PRESENT)]
    whole = {"frame", "face_id", "success", *(f"AU{n:02}_c" for n in ACTION_UNITS)}
    formats = ["%d" if name in whole else "%.4f" for name in names]
    with written_beside(path) as partial:
        table = np.stack([np.asarray(column, float) for column in columns], 1)
        np.savetxt(partial, table, formats, ",", header=",".join(names), comments="")


def _names(prefix: str, suffixes) -> list[str]:
    return [f"{prefix}{suffix}" for suffix in suffixes]
