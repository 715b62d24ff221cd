"""The Basel Face Model of 2009 with the expression basis of the FaceWarehouse data.

Paysan et al., "A 3D Face Model for Pose and Illumination Invariant Face Recognition", AVSS 2009.
`01_MorphableModel.mat` holds `shapeMU` (160470, 1), `shapePC` (160470, 199) of unit vectors,
`shapeEV` (199, 1) standard deviations in micrometres, the same of `tex` in [0, 255], and `tl`
(106466, 3) triangles from one, clockwise. Guo et al., "CNN-based Real-time Dense Face
Reconstruction", TPAMI 2019, gave the expressions: `Exp_Pca.bin` is an int32 number of components,
the mean (3 · 53215 float32) and the components one after another, with deviations in
`std_exp.txt`; `BFM_exp_idx.mat` (or `BFM_front_idx.mat`'s companion `model_info.mat`) says in
`trimIndex` which of the 53,490 vertices the 53,215 are, from one. Structure as in
`convert-bfm2009-to-eos.py` of patrikhuber/eos and `load_data.py` of
microsoft/Deep3DFaceReconstruction.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import (
    CENTIMETRES,
    FaceRig,
    column_basis,
    symmetric_bounds,
)
from xpress.face_models.readers.files import reading

MODEL, EXPRESSIONS, DEVIATIONS = "01_MorphableModel.mat", "Exp_Pca.bin", "std_exp.txt"
TRIMMED = ("BFM_exp_idx.mat", "model_info.mat")
NEEDED = (
    f"a folder with {MODEL} from https://faces.dmi.unibas.ch/bfm (PublicMM1), {EXPRESSIONS} and "
    f"{DEVIATIONS} from https://github.com/Juyong/3DFace, and {TRIMMED[0]} from "
    "https://github.com/microsoft/Deep3DFaceReconstruction (BFM/)"
)
VERTICES = 53490
IBUG = {
    17: 38792,
    19: 40087,
    21: 40514,
    22: 41091,
    24: 41511,
    26: 42825,
    30: 8319,
    33: 8334,
    36: 2088,
    39: 5959,
    42: 10603,
    45: 14472,
    48: 5006,
    51: 8344,
    54: 11714,
    57: 8374,
    62: 8354,
    66: 8366,
}
"""Vertex of some iBUG-68 landmarks, from zero: eos' `share/ibug_to_bfm2009.txt`, made of the
model's own MPEG-4 points."""


def read_bfm2009(path: Path) -> FaceRig:
    """The model of a folder; without the files of expressions it has none.

    Raises:
        InputError: missing, or no such files.
    """
    folder = path if path.is_dir() else path.parent
    model = folder / MODEL if path.is_dir() else path
    with reading(model, "the Basel Face Model 2009", NEEDED):
        from scipy.io import loadmat

        data = loadmat(str(model), variable_names=_ARRAYS)
        missing = [name for name in _ARRAYS if name not in data]
        if missing:
            raise InputError(f"{model}: lacks {' and '.join(missing)}; needed is {NEEDED}")
        size = CENTIMETRES["um"]
        mean = size * data["shapeMU"].reshape(-1, 3).astype(np.float32)
        expression = size * _expressions(folder, len(mean))
        return FaceRig(
            mean=mean,
            triangles=data["tl"].astype(np.int64)[:, [0, 2, 1]] - 1,
            identity=size * column_basis(data["shapePC"], data["shapeEV"].ravel(), 199),
            expression=expression,
            expression_names=[f"expression_{i}" for i in range(len(expression))],
            expression_bounds=symmetric_bounds(len(expression)),
            neutral=np.zeros(len(expression)),
            mean_color=data["texMU"].reshape(-1, 3).astype(np.float32) / 255,
            color=column_basis(data["texPC"], data["texEV"].ravel() / 255, 199),
            landmarks={i: mean[v] for i, v in IBUG.items()} if len(mean) == VERTICES else {},
            source=f"Basel Face Model 2009, {model.stem}",
        )


_ARRAYS = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl")


def _expressions(folder: Path, count: int) -> Float[np.ndarray, "K V 3"]:
    """Offsets of one standard deviation, zero where the trimmed mesh has no vertices.

    The mean of the file is left out, as everybody does: zero is the resting face.
    """
    path = folder / EXPRESSIONS
    if not path.is_file():
        return np.zeros((0, count, 3), np.float32)
    with reading(path, "the expression basis of 2009", NEEDED):
        kept = _trimmed(folder, count)
        number = int(np.fromfile(path, np.int32, 1)[0])
        values = np.fromfile(path, np.float32, offset=4)
        if number <= 0 or values.size != 3 * len(kept) * (number + 1):
            raise InputError(
                f"{path}: is not {number} components of {len(kept)} vertices; needed is {NEEDED}"
            )
        deviations = folder / DEVIATIONS
        with reading(deviations, "the deviations of expressions", NEEDED):
            deviation = np.loadtxt(deviations).ravel()
        if len(deviation) < number:
            raise InputError(f"{deviations}: has {len(deviation)} numbers instead of {number}")
        offsets = np.zeros((number, count, 3), np.float32)
        components = values[3 * len(kept) :].reshape(number, -1, 3)
        offsets[:, kept] = components * deviation[:number, None, None].astype(np.float32)
        return offsets


def _trimmed(folder: Path, count: int) -> Int[np.ndarray, " N"]:
    from scipy.io import loadmat

    for name in TRIMMED:
        path = folder / name
        if path.is_file():
            with reading(path, "the list of vertices that have expressions", NEEDED):
                kept = loadmat(str(path))["trimIndex"].ravel().astype(np.int64) - 1
                if kept.min() < 0 or kept.max() >= count:
                    raise ValueError(f"it names vertices beyond the {count} of the model")
                return kept
    raise InputError(f"{folder}: {EXPRESSIONS} without {TRIMMED[0]}; needed is {NEEDED}")
