"""Face parameters of a registered FLAME as FLAME's own."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import CENTIMETRES
from xpress.face_models.readers.flame import SHAPES
from xpress.morphable.face_model import FaceModel
from xpress.morphable.gaze import GAZE_SHAPES
from xpress.morphable.io.gaze import HORIZONTAL, VERTICAL
from xpress.structures import FaceParameters
from xpress.whole_files import written_beside

JAW_NAMES = ("jaw_x", "jaw_y", "jaw_z")


def write_flame_parameters(
    path: str | os.PathLike, model: FaceModel, parameters: FaceParameters, fps: Fraction
) -> None:
    """Write `flame_parameters` and the frame rate as `.npz`.

    Raises:
        InputError: the model is no FLAME, or the file cannot be written.
    """
    arrays = flame_parameters(model, parameters)
    with written_beside(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, fps=float(fps), **arrays)


def flame_parameters(model: FaceModel, parameters: FaceParameters) -> dict[str, np.ndarray]:
    """The dictionary that trackers of FLAME write, one row a frame.

    `shape` (300,) is the mean over the frames; `expr` (T, 100), `jaw_pose`, `neck_pose` (zero: the
    head's rotation is `rotation`) (T, 3), and `eyes_pose` (T, 6), the left eye's first, are
    FLAME's, in radians. With `rotation` (T, 3) about FLAME's root joint and `translation` (T, 3)
    in metres, x and -y times `scale` (T,), pixels a metre, are the pixels of the picture. Names
    as in the `flame_param` files of VHAP and GaussianAvatars.

    Args:
        model: FLAME as it was registered.
        parameters: numpy arrays, of that model.

    Raises:
        InputError: the model is no FLAME.
    """
    info = model.info
    names = list(info.get("expression_names", []))
    if not set(JAW_NAMES) <= set(names):
        raise InputError(
            "format=flame: the face model is no FLAME; give morphable=flame morphable.path=…, and "
            "for a params.npz one that was read with it"
        )
    own = np.array(info["neutral"]) + parameters.expression @ np.array(info["coefficients"])
    jaw = [names.index(name) for name in JAW_NAMES]
    components = [i for i, name in enumerate(names) if name.startswith("expression_")]
    shape = np.zeros(SHAPES)
    shape[: parameters.identity.shape[-1]] = parameters.identity.mean(0)
    frames = len(parameters)
    return {
        "shape": shape,
        "expr": own[:, components],
        "jaw_pose": own[:, jaw],
        "neck_pose": np.zeros((frames, 3)),
        "eyes_pose": eye_rotations(parameters.expression, model.expression_names),
        **_placed(model, parameters),
    }


def eye_rotations(
    expression: Float[np.ndarray, "T Ke"], names: list[str]
) -> Float[np.ndarray, "T 6"]:
    """Axis-angle of the left and of the right eye; x turns them down, y to the owner's left."""
    look = {name: expression[:, names.index(name)] for name in GAZE_SHAPES}
    turns = []
    for side, outward in (("L", 1.0), ("R", -1.0)):
        down = look[f"eyeLookDown_{side}"] - look[f"eyeLookUp_{side}"]
        out = look[f"eyeLookOut_{side}"] - look[f"eyeLookIn_{side}"]
        turns += [VERTICAL * down, HORIZONTAL * outward * out, np.zeros(len(expression))]
    return np.stack(turns, 1)


def _placed(model: FaceModel, parameters: FaceParameters) -> dict[str, np.ndarray]:
    """Rotation about the root joint, translation in metres and scale in pixels a metre."""
    info = model.info
    head = Rotation.from_rotvec(np.asarray(parameters.rotation, float))
    turn = head * Rotation.from_matrix(np.array(info["rotation"]))
    metre = CENTIMETRES["m"]
    scale = np.asarray(parameters.scale, float) * info["scale"] * metre
    pixels = np.zeros((len(parameters), 3))
    pixels[:, :2] = parameters.translation * np.array([1, -1])
    shift = head.apply(np.array(info["translation"])) * np.asarray(parameters.scale)[:, None]
    pivot = np.array(info["pivot"]) / metre
    moved = (pixels + shift) / scale[:, None] + turn.apply(pivot) - pivot
    moved[:, 2] = 0  # nothing tells how far away the head is
    return {"rotation": turn.as_rotvec(), "translation": moved, "scale": scale}
