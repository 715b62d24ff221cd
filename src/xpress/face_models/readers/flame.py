"""FLAME of 2020 and 2023, whose files are pickles; they are read without being run.

Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017. The
dictionary holds `v_template` (5023, 3) in metres, `f` (9976, 3), `shapedirs` (5023, 3, 400: 300 of
shape, then 100 of expression), `posedirs` (5023, 3, 36), `weights` (5023, 5), `J_regressor`
(5, 5023) sparse and `kintree_table` (2, 5): root, neck, jaw, left and right eye. Arrays of the
2020 files are chumpy's (`chumpy.ch.Ch` with its array as `x`), those of 2023 numpy's; keys as in
`smplx/body_models.py` of vchoutas/smplx. y is up and the face looks along +z.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import CENTIMETRES, FaceRig, symmetric_bounds
from xpress.face_models.readers.files import reading
from xpress.face_models.readers.pickled_arrays import read_pickled_arrays

NEEDED = (
    "generic_model.pkl (FLAME 2020) or flame2023.pkl (FLAME 2023) from "
    "https://flame.is.tue.mpg.de after signing"
)
SHAPES = 300
"""Columns of `shapedirs` before those of expression."""
ROOT, NECK, JAW, LEFT_EYE, RIGHT_EYE = range(5)
JOINTS = {"neck": NECK, "jaw": JAW, "left_eye": LEFT_EYE, "right_eye": RIGHT_EYE}
AXES = ("x", "y", "z")
_STEP = 0.2
"""Turn in radians at which the motion of a joint is taken for its linear form."""
_TURNS = {"jaw_x": (-0.1, 0.6), "jaw_y": (-0.2, 0.2), "jaw_z": (-0.1, 0.1)}
"""Radians that the jaw turns; neck and eyes are no part of a face's expression here: the head's
rotation is the pose's, and the default model's own eyeballs turn."""


class _Kept:
    """The state of an object that is not made: an array of chumpy's or a sparse matrix."""

    def __init__(self) -> None:
        self.state: Mapping[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}

    def array(self) -> np.ndarray:
        """The numbers that it holds."""
        state = self.state
        if "indptr" in state:
            return _dense(state)
        if "idxs" in state:  # chumpy's selection of another array's elements
            chosen = _array(state["a"]).ravel()[np.asarray(state["idxs"])]
            return chosen.reshape(tuple(state["preferred_shape"]))
        return _array(state["x"])


def _dense(state: Mapping[str, Any]) -> np.ndarray:
    """A compressed sparse column matrix."""
    rows, columns = state.get("_shape", state.get("shape"))
    dense = np.zeros((rows, columns))
    pointer = np.asarray(state["indptr"])
    column = np.repeat(np.arange(columns), np.diff(pointer))
    dense[np.asarray(state["indices"]), column] = np.asarray(state["data"])
    return dense


def _reconstructed(kind: Any, base: Any, state: Any) -> Any:
    """How the first protocols make objects."""
    del base, state
    if kind is not _Kept:
        raise InputError("an object of an unknown kind")
    return _Kept()


class _Set(list):
    """A set's elements; chumpy notes in one what has changed."""


_KNOWN = {
    ("chumpy.ch", "Ch"): _Kept,
    ("chumpy.reordering", "Select"): _Kept,
    ("scipy.sparse.csc", "csc_matrix"): _Kept,
    ("scipy.sparse._csc", "csc_matrix"): _Kept,
    ("copy_reg", "_reconstructor"): _reconstructed,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "set"): _Set,
    ("builtins", "set"): _Set,
}


def read_flame(path: Path) -> FaceRig:
    """FLAME with its jaw as linear expressions `jaw_x`, `jaw_y` and `jaw_z`, per radian.

    Raises:
        InputError: missing, or no such file.
    """
    with reading(path, "a FLAME model", NEEDED):
        data = FlameFile(path)
        size = CENTIMETRES["m"]
        components = data.directions[:, :, SHAPES:].transpose(2, 0, 1)
        jaw = np.stack([data.turned(*name.split("_")) for name in _TURNS])
        names = [f"expression_{i}" for i in range(len(components))]
        return FaceRig(
            mean=(data.template * size).astype(np.float32),
            triangles=data.faces,
            identity=(data.directions[:, :, :SHAPES].transpose(2, 0, 1) * size).astype(np.float32),
            expression=(np.concatenate([components, jaw]) * size).astype(np.float32),
            expression_names=[*names, *_TURNS],
            expression_bounds=np.concatenate(
                [symmetric_bounds(len(components)), np.array(list(_TURNS.values()))]
            ),
            neutral=np.zeros(len(names) + len(_TURNS)),
            pivot=data.joints[ROOT] * size,
            source=f"FLAME, {path.stem}",
        )


class FlameFile:
    """The arrays of a FLAME model, metres.

    Args:
        path: the pickle.

    Attributes:
        template: (V, 3) mean face.
        faces: (F, 3) triangles.
        directions: (V, 3, 400) shape, then expression.
        pose_directions: (V, 3, 36) corrections by the joints' rotation matrices but the root's.
        weights: (V, 5) of the joints.
        joints: (5, 3) of the mean face.
        parents: (5,) of the joints.
    """

    def __init__(self, path: Path) -> None:
        data = read_pickled_arrays(path, _KNOWN)
        if not isinstance(data, dict):
            raise InputError(f"{path}: holds no dictionary; needed is {NEEDED}")
        missing = [
            name
            for name in ("v_template", "f", "shapedirs", "posedirs", "weights", "J_regressor")
            if name not in data
        ]
        if missing:
            raise InputError(f"{path}: lacks {' and '.join(missing)}; needed is {NEEDED}")
        self.template = _array(data["v_template"]).astype(float)
        self.faces = _array(data["f"]).astype(np.int64)
        self.directions = _array(data["shapedirs"]).astype(float)
        count = len(self.template)
        self.pose_directions = _array(data["posedirs"]).astype(float).reshape(count, 3, -1)
        self.weights = _array(data["weights"]).astype(float)
        self.joints = _array(data["J_regressor"]).astype(float) @ self.template
        parents = _array(data["kintree_table"])[0].astype(np.int64)
        self.parents = np.where(parents > len(parents), -1, parents)
        if self.directions.shape[2] <= SHAPES:
            raise InputError(
                f"{path}: has {self.directions.shape[2]} components, FLAME has {SHAPES} of shape "
                f"before its expressions; needed is {NEEDED}"
            )

    def posed(self, rotations: Mapping[str, Float[np.ndarray, "3"]]) -> Float[np.ndarray, "V 3"]:
        """The mean face with joints turned: pose corrections, then linear blend skinning.

        Args:
            rotations: axis-angle by joint, of `JOINTS`.
        """
        count = len(self.joints)
        turns = np.tile(np.eye(3), (count, 1, 1))
        for name, rotation in rotations.items():
            turns[JOINTS[name]] = Rotation.from_rotvec(rotation).as_matrix()
        vertices = self.template + self.pose_directions @ (turns[1:] - np.eye(3)).ravel()
        world = np.zeros((count, 4, 4))
        for joint, parent in enumerate(self.parents):
            own = np.eye(4)
            own[:3, :3] = turns[joint]
            own[:3, 3] = self.joints[joint] - (self.joints[parent] if parent >= 0 else 0)
            world[joint] = own if parent < 0 else world[parent] @ own
        world[:, :3, 3] -= np.einsum("jab,jb->ja", world[:, :3, :3], self.joints)
        blended = np.einsum("vj,jab->vab", self.weights, world[:, :3])
        return np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3]

    def turned(self, joint: str, axis: str) -> Float[np.ndarray, "V 3"]:
        """Offsets per radian of a joint's turn about an axis, linear through a moderate turn."""
        rotation = np.zeros(3)
        rotation[AXES.index(axis)] = _STEP
        sides = [self.posed({joint: sign * rotation}) for sign in (1, -1)]
        return (sides[0] - sides[1]) / (2 * _STEP)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.array() if isinstance(value, _Kept) else value)
