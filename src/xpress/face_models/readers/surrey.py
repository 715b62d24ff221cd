"""The Surrey Face Model in the binary form of the library eos (cereal archives).

Huber et al., "A Multiresolution 3D Morphable Face Model and Fitting Framework", VISAPP 2016. An
archive holds a version and then a model of shape and one of colour: mean (3V,), orthonormal basis
(3V, K) and variances (K,), each as rows, columns and column-major float32, and the triangles; then,
from version 2 on, expressions if there are any (a component model, or blendshapes), and from 3 on
named landmarks. A file of blendshapes alone is a list of names and offsets. See
`MorphableModel.hpp`, `PcaModel.hpp`, `Blendshape.hpp` and `eigen_cerealisation.hpp` of
patrikhuber/eos (Apache-2.0).
Millimetres; y up, looking along +z.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import (
    CENTIMETRES,
    FaceRig,
    column_basis,
    symmetric_bounds,
)
from xpress.face_models.readers.files import reading

NEEDED = (
    "sfm_shape_3448.bin from https://github.com/patrikhuber/eos (share/), with "
    "expression_blendshapes_3448.bin beside it, or a model that eos saved"
)
BLENDSHAPES = "expression_blendshapes_{count}.bin"
IBUG = {
    8: 33,
    17: 225,
    18: 229,
    19: 233,
    20: 2086,
    21: 157,
    22: 590,
    23: 2091,
    24: 666,
    25: 662,
    26: 658,
    27: 2842,
    28: 379,
    29: 272,
    30: 114,
    31: 100,
    32: 2794,
    33: 270,
    34: 2797,
    35: 537,
    36: 177,
    37: 172,
    38: 191,
    39: 181,
    40: 173,
    41: 174,
    42: 614,
    43: 624,
    44: 605,
    45: 610,
    46: 607,
    47: 606,
    48: 398,
    49: 315,
    50: 413,
    51: 329,
    52: 825,
    53: 736,
    54: 812,
    55: 841,
    56: 693,
    57: 411,
    58: 264,
    59: 431,
    61: 416,
    62: 423,
    63: 828,
    65: 817,
    66: 442,
    67: 404,
}
"""Vertex of each iBUG-68 landmark, from zero, on the mesh of 3448 vertices: eos' own
`share/ibug_to_sfm.txt`."""
_VERTICES = 3448
_LATEST = 4


@dataclass(frozen=True)
class _Components:
    mean: np.ndarray
    basis: np.ndarray
    variance: np.ndarray
    triangles: np.ndarray


class _Archive:
    """Reads cereal's little-endian binary form."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def number(self, form: str) -> int:
        value = struct.unpack_from(form, self._content, self._place)[0]
        self._place += struct.calcsize(form)
        return value

    def block(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self._place + size > len(self._content):
            raise ValueError("it ends early")
        found = np.frombuffer(self._content, dtype, count, self._place)
        self._place += size
        return found

    def matrix(self) -> np.ndarray:
        rows, columns = self.number("<i"), self.number("<i")
        return self.block("<f4", rows * columns).reshape(columns, rows).T

    def components(self) -> _Components:
        mean, basis, variance = self.matrix(), self.matrix(), self.matrix()
        count = self.number("<Q")
        triangles = self.block("<i4", 3 * count).reshape(-1, 3).astype(np.int64)
        return _Components(mean.ravel(), basis, variance.ravel(), triangles)

    def blendshapes(self) -> dict[str, np.ndarray]:
        found = {}
        for _ in range(self.number("<Q")):
            name = self.block("u1", self.number("<Q")).tobytes().decode()
            found[name] = self.matrix().reshape(-1, 3)
        return found


def read_surrey(path: Path) -> FaceRig:
    """The Surrey Face Model, or any model that eos has saved.

    Raises:
        InputError: missing, or no such file.
    """
    with reading(path, "a model of the library eos", NEEDED):
        archive = _Archive(path.read_bytes())
        version = archive.number("<I")
        if not 1 <= version <= _LATEST:
            raise InputError(
                f"{path}: not a model of the library eos of version 1 to {_LATEST}; "
                f"needed is {NEEDED}"
            )
        shape, color = archive.components(), archive.components()
        offsets: dict[str, np.ndarray] = {}
        bounds = np.zeros((0, 2))
        if version >= 2 and not archive.number("<B"):
            if archive.number("<i") == 0:
                model = archive.components()
                basis = column_basis(model.basis, model.variance**0.5, len(model.variance))
                offsets = {f"expression_{i}": offset for i, offset in enumerate(basis)}
                bounds = symmetric_bounds(len(offsets))
            else:
                offsets = archive.blendshapes()
        beside = path.parent / BLENDSHAPES.format(count=len(shape.mean) // 3)
        if not offsets and beside.is_file():
            offsets = _Archive(beside.read_bytes()).blendshapes()
        if offsets and not len(bounds):
            bounds = np.tile([0.0, 1.0], (len(offsets), 1))
        return _rig(shape, color, offsets, bounds, path.stem)


def _rig(
    shape: _Components,
    color: _Components,
    offsets: dict[str, np.ndarray],
    bounds: np.ndarray,
    name: str,
) -> FaceRig:
    size = CENTIMETRES["mm"]
    mean = size * shape.mean.reshape(-1, 3)
    none = np.zeros((0, *mean.shape), np.float32)
    identity = column_basis(shape.basis, shape.variance**0.5, len(shape.variance))
    colored = len(color.mean) > 0
    albedo = (
        column_basis(color.basis, color.variance**0.5, len(color.variance)) if colored else None
    )
    known = IBUG if len(mean) == _VERTICES else {}
    return FaceRig(
        mean=mean,
        triangles=shape.triangles,
        identity=size * identity,
        expression=size * np.stack(list(offsets.values())) if offsets else none,
        expression_names=list(offsets),
        expression_bounds=bounds,
        neutral=np.zeros(len(offsets)),
        mean_color=color.mean.reshape(-1, 3) if colored else None,
        color=albedo,
        landmarks={i: mean[vertex] for i, vertex in known.items()},
        source=f"Surrey Face Model, {name}",
    )
