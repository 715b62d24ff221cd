"""ICT-FaceKit as its authors give it out: a folder of OBJ files.

Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020 (MIT licence).
`FaceXModel/` holds `generic_neutral_mesh.obj`, `identity000.obj` … at one standard deviation each,
and one file for each shape at full activation; all are of one mesh, in about centimetres. The
packed archive from which the package's own model was built is read by `xpress.morphable.io.ict`.
"""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.face_models.readers.face_rig import FaceRig
from xpress.face_models.readers.files import reading

NEUTRAL = "generic_neutral_mesh.obj"
NEEDED = f"the folder FaceXModel (with {NEUTRAL}) of https://github.com/USC-ICT/ICT-FaceKit"
SKIN = 11248
"""Vertices of face, head and neck, which come first; what lies inside is not registered."""
MODES = 100


def read_ict_folder(path: Path) -> FaceRig:
    """The skin of the model with its identity modes and shapes.

    Raises:
        InputError: no such folder, or files of different meshes.
    """
    neutral = path / NEUTRAL
    with reading(neutral, "ICT-FaceKit's neutral face", NEEDED):
        mean = _vertices(neutral)
        triangles = _triangles(neutral, len(mean))
    files = {file.stem: file for file in sorted(path.glob("*.obj")) if file != neutral}
    modes = [name for name in files if name.startswith("identity")][:MODES]
    shapes = [name for name in files if not name.startswith("identity")]
    offsets = {name: _offset(files[name], mean) for name in (*modes, *shapes)}
    none = np.zeros((0, len(mean), 3), np.float32)
    return FaceRig(
        mean=mean,
        triangles=triangles,
        identity=np.stack([offsets[n] for n in modes]) if modes else none,
        expression=np.stack([offsets[n] for n in shapes]) if shapes else none,
        expression_names=shapes,
        expression_bounds=np.tile([0.0, 1.0], (len(shapes), 1)),
        neutral=np.zeros(len(shapes)),
        source="ICT-FaceKit (MIT)",
    )


def _offset(path: Path, mean: np.ndarray) -> np.ndarray:
    with reading(path, "a shape of ICT-FaceKit", NEEDED):
        found = _vertices(path)
        if found.shape != mean.shape:
            raise InputError(
                f"{path}: has {len(found)} vertices, {NEUTRAL} has {len(mean)}; needed is {NEEDED}"
            )
        return found - mean


def _vertices(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8") as lines:
        own = itertools.islice((line[2:] for line in lines if line.startswith("v ")), SKIN)
        return np.loadtxt(io.StringIO("".join(own)), np.float32, usecols=(0, 1, 2), ndmin=2)


def _triangles(path: Path, count: int) -> np.ndarray:
    found = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("f "):
                corners = [int(text.partition("/")[0]) - 1 for text in line.split()[1:]]
                if max(corners) < count:
                    found += [(corners[0], b, c) for b, c in itertools.pairwise(corners[1:])]
    if not found:
        raise ValueError("it has no faces")
    return np.array(found)
