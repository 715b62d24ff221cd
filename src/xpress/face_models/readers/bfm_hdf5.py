"""Basel Face Models of 2017 and 2019, statismo's HDF5.

Gerig et al., "Morphable Face Models - An Open Framework", FG 2018; the 2019 files have the same
structure. Each of `shape`, `expression` and `color` holds `model/mean` (3V,), `model/pcaBasis`
(3V, K) of unit vectors and `model/pcaVariance` (K,), millimetres and colours in [0, 1];
`shape/representer/cells` (3, F) are the triangles. `metadata/landmarks/json` is text: names with
coordinates on the mean face, as a list of `id` and `coordinates` or as a dictionary. Structure as
in `share/scripts/convert-bfm2017-to-eos.py` of patrikhuber/eos and in scalismo-faces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import (
    CENTIMETRES,
    FaceRig,
    column_basis,
    symmetric_bounds,
)
from xpress.face_models.readers.files import reading

if TYPE_CHECKING:
    import h5py

NEEDED = {
    "2017": (
        "model2017-1_face12_nomouth.h5 or model2017-1_bfm_nomouth.h5 from "
        "https://faces.dmi.unibas.ch/bfm/bfm2017.html"
    ),
    "2019": (
        "model2019_face12.h5, model2019_bfm.h5 or model2019_fullHead.h5 from "
        "https://faces.dmi.unibas.ch/bfm/bfm2019.html"
    ),
}
LANDMARKS = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "center.lips.upper.outer": 51,
    "left.lips.corner": 54,
    "center.lips.lower.outer": 57,
    "center.lips.upper.inner": 62,
    "center.lips.lower.inner": 66,
}
"""iBUG-68 numbers, from zero, of the file's landmarks; its sides are the face owner's."""
_MODES = 200
"""Components that are read at most; the files have 199 of shape and colour."""


def read_bfm2017(path: Path) -> FaceRig:
    """The Basel Face Model 2017: `face12` or the mask of the model of 2009.

    Raises:
        InputError: missing, or no such file.
    """
    return _read(path, "2017")


def read_bfm2019(path: Path) -> FaceRig:
    """The Basel Face Model 2019: `face12`, the mask of 2009, or the full head.

    Raises:
        InputError: missing, or no such file.
    """
    return _read(path, "2019")


def _read(path: Path, year: str) -> FaceRig:
    what = f"a Basel Face Model {year} in HDF5"
    with reading(path, what, NEEDED[year]):
        import h5py

        with h5py.File(path, "r") as file:
            missing = [name for name in ("shape", "expression", "color") if name not in file]
            if missing:
                raise InputError(
                    f"{path}: has no {' and '.join(missing)} model; needed is {NEEDED[year]}"
                )
            return _rig(file, f"Basel Face Model {year}, {path.stem}")


def _rig(file: h5py.File, source: str) -> FaceRig:
    size = CENTIMETRES["mm"]
    mean, identity = _component_model(file["shape/model"])
    offset, expression = _component_model(file["expression/model"])
    mean_color, color = _component_model(file["color/model"])
    cells = np.asarray(file["shape/representer/cells"]).astype(np.int64)
    mean, offset = mean * size, offset * size
    expression = expression * size
    return FaceRig(
        mean=mean,
        triangles=np.ascontiguousarray(cells.T if cells.shape[0] == 3 else cells),
        identity=identity * size,
        expression=expression,
        expression_names=[f"expression_{i}" for i in range(len(expression))],
        expression_bounds=symmetric_bounds(len(expression)),
        neutral=_resting(expression, offset),
        mean_color=mean_color,
        color=color,
        landmarks={
            LANDMARKS[name]: np.asarray(place, float) * size
            for name, place in _landmarks(file).items()
            if name in LANDMARKS
        },
        source=source,
    )


def _component_model(
    group: h5py.Group,
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "K V 3"]]:
    """Mean and offsets of one standard deviation."""
    mean = np.asarray(group["mean"], np.float32).reshape(-1, 3)
    deviation = np.sqrt(np.asarray(group["pcaVariance"], float).ravel().clip(min=0))
    columns = np.asarray(group["pcaBasis"][:, :_MODES])
    return mean, column_basis(columns, deviation, _MODES)


def _resting(
    expression: Float[np.ndarray, "K V 3"], offset: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, " K"]:
    """Coefficients that take the mean expression away: the shape's mean is a resting face."""
    flat = expression.reshape(len(expression), -1).astype(float)
    if not len(flat):
        return np.zeros(0)
    gram = flat @ flat.T
    ridge = 1e-6 * gram.diagonal().mean() * np.eye(len(gram))
    return np.linalg.solve(gram + ridge, flat @ -offset.ravel().astype(float))


def _landmarks(file: h5py.File) -> Mapping[str, Any]:
    if "metadata/landmarks/json" not in file:
        return {}
    content = file["metadata/landmarks/json"][()]
    text = content if isinstance(content, bytes) else np.asarray(content).ravel()[0]
    if not isinstance(text, (bytes, str)):
        text = np.asarray(content, np.uint8).tobytes()
    found = json.loads(text)
    if isinstance(found, dict):
        return found
    return {mark["id"]: mark["coordinates"] for mark in found}
