"""What was read of a photo or video, in the form that the page draws."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from xpress.extraction.performance import Performance
from xpress.media.sources import ParameterSource
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.face_model import FaceModel

HEAD = struct.Struct("<III")
"""Of a mesh: vertices, triangles (0 where they are left out), frames."""


def values_over_time(path: Path, model: FaceModel) -> dict[str, Any]:
    """Rate, and the seventeen units of each frame, of a recording of `task=extract`."""
    performance = Performance.recorded(ParameterSource(path), model)
    expression = np.asarray(performance.parameters.expression, float)
    units = ActionUnits(model.expression_names)(expression)
    return {"fps": float(performance.fps), "units": units.round(3).tolist()}


def mesh_of_frame(path: Path, frame: int, whole: bool, model: FaceModel) -> bytes:
    """A frame's shape and light, little-endian; `mesh.js` reads it.

    Args:
        path: a recording of `task=extract`.
        model: whose coefficients it holds.
        frame: from 0; what lies outside is the nearest.
        whole: with colours and triangles, which all frames share.

    Returns:
        `HEAD`; the head's rotation, 9 floats by rows; the light, 27 floats, band by band; the
        vertices, 3 floats each, in model space around their middle; if `whole`, their albedo, 4
        bytes each, and the triangles, 3 numbers each.
    """
    parameters = ParameterSource(path).parameters
    number = min(max(frame, 0), len(parameters) - 1)
    p = parameters[number : number + 1]
    vertices = model.vertices(p.identity, p.expression)[0]
    vertices = vertices - (vertices.max(0) + vertices.min(0)) / 2
    turned = cv2.Rodrigues(np.asarray(p.rotation[0], np.float64))[0]
    triangles = model.triangles if whole else model.triangles[:0]
    parts = [
        HEAD.pack(len(vertices), len(triangles), len(parameters)),
        turned.astype("<f4").tobytes(),
        np.asarray(p.illumination[0]).astype("<f4").tobytes(),
        vertices.astype("<f4").tobytes(),
    ]
    if whole:
        colors = np.full((len(vertices), 4), 255, np.uint8)
        colors[:, :3] = (model.colors(p.color)[0].clip(0, 1) * 255).round()
        parts += [colors.tobytes(), triangles.astype("<u4").tobytes()]
    return b"".join(parts)
