"""Eye sockets, eyeballs and the mouth's interior of a model whose face was changed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import RBFInterpolator

from xpress.morphable.face_model import FaceModel

RIGID = ("gums_tongue", "teeth_upper", "teeth_lower", "eyeball_left", "eyeball_right")
"""Parts that are moved and resized, never bent."""
SOFT = ("eye_sockets", "mouth_socket")
_CONTROLS = 350
"""Vertices of the face, besides the openings' rims, from which the inside follows."""
_AROUND = 2.0
"""Centimetres around the openings in which they lie."""


class InnerParts:
    """How the inside of the default model follows its face, linearly.

    Args:
        model: the default model.
    """

    def __init__(self, model: FaceModel) -> None:
        self.mean = model.mean
        self.face = model.parts["face"].vertex_stop
        self._parts = {
            name: slice(part.vertex_start, part.vertex_stop)
            for name, part in model.parts.items()
            if name in (*RIGID, *SOFT)
        }
        rims = np.unique(np.concatenate([model.inner_lip_loop, *model.eyelid_loops]))
        face = self.mean[: self.face]
        low, high = face[rims].min(0) - _AROUND, face[rims].max(0) + _AROUND
        near = np.flatnonzero(((face > low) & (face < high)).all(1))
        spread = near[:: max(1, len(near) // _CONTROLS)]
        self._controls = np.union1d(rims, spread)

    def follow(
        self, offsets: Float[np.ndarray, "K Vf 3"], rigid: bool = True
    ) -> Float[np.ndarray, "K V 3"]:
        """The face's offsets with those of all other vertices.

        Args:
            offsets: of the face's vertices.
            rigid: whether teeth, gums and eyeballs follow too.
        """
        count = len(offsets)
        full = np.zeros((count, *self.mean.shape), np.float32)
        full[:, : self.face] = offsets
        if not count:
            return full
        known = offsets[:, self._controls].transpose(1, 0, 2).reshape(len(self._controls), -1)
        field = RBFInterpolator(self.mean[self._controls], known, kernel="linear", degree=0)
        for name, part in self._parts.items():
            if name in SOFT or rigid:
                moved = field(self.mean[part]).reshape(-1, count, 3).transpose(1, 0, 2)
                full[:, part] = moved if name in SOFT else _rigidly(self.mean[part], moved)
        return full


def _rigidly(
    points: Float[np.ndarray, "N 3"], offsets: Float[np.ndarray, "K N 3"]
) -> Float[np.ndarray, "K N 3"]:
    """The shift and change of size that come nearest to the offsets."""
    arm = points - points.mean(0)
    growth = (offsets * arm).sum((1, 2)) / (arm * arm).sum()
    return offsets.mean(1, keepdims=True) + growth[:, None, None] * arm
