"""Any rig as plain arrays in an `.npz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import CENTIMETRES, FaceRig, symmetric_bounds
from xpress.face_models.readers.files import reading
from xpress.morphable.mesh import triangulate

NEEDED = (
    "an .npz with vertices (V, 3), faces (F, 3 or 4), expression (K, V, 3) and expression_names, "
    "see docs/face_models.md"
)


def read_npz(path: Path) -> FaceRig:
    """A rig of arrays: y up, the face looking along +z.

    `vertices` (V, 3), `faces` (F, 3 or 4; a quad that repeats its last corner is a triangle),
    `expression` (Ke, V, 3) offsets at full activation with `expression_names`; if there are any,
    `identity` (Ki, V, 3) offsets of one standard deviation, `color_mean` (V, 3) in [0, 1] with
    `color` (Kc, V, 3), `landmarks68` (68,) vertices with -1 for the unknown, `unit` (m, dm, cm,
    mm or um; cm without it), and `expression_kind` (`blendshapes`, the default, with activations
    in [0, 1], or `components` in standard deviations).

    Raises:
        InputError: missing, or no such arrays.
    """
    with reading(path, "a rig of arrays", NEEDED):
        with np.load(path, allow_pickle=False) as archive:
            data = {name: archive[name] for name in archive.files}
        unit = str(data.get("unit", "cm"))
        if unit not in CENTIMETRES:
            raise InputError(f"{path}: unit {unit}; choose {', '.join(CENTIMETRES)}")
        size = CENTIMETRES[unit]
        vertices = data["vertices"].astype(np.float32) * size
        faces = data["faces"].astype(np.int64)
        names = [str(name) for name in data["expression_names"]]
        components = str(data.get("expression_kind", "blendshapes")) == "components"
        none = np.zeros((0, len(vertices), 3), np.float32)
        marks = data.get("landmarks68", np.zeros(0, int))
        colored = "color_mean" in data
        return FaceRig(
            mean=vertices,
            triangles=triangulate(faces) if faces.shape[1] == 4 else faces,
            identity=data.get("identity", none).astype(np.float32) * size,
            expression=data["expression"].astype(np.float32) * size,
            expression_names=names,
            expression_bounds=symmetric_bounds(len(names)) if components else _unit(len(names)),
            neutral=np.zeros(len(names)),
            mean_color=data["color_mean"].astype(np.float32) if colored else None,
            color=data.get("color", none).astype(np.float32) if colored else None,
            landmarks={i: vertices[v] for i, v in enumerate(marks.astype(int)) if v >= 0},
            source=path.stem,
        )


def _unit(count: int) -> np.ndarray:
    return np.tile([0.0, 1.0], (count, 1))
