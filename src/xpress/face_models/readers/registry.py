"""The face models that can be read, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from xpress.errors import InputError
from xpress.face_models.readers import bfm2009, bfm_hdf5, flame, gltf, ict, npz, surrey
from xpress.face_models.readers.face_rig import FaceRig
from xpress.whole_files import local_path

READERS: dict[str, Callable[[Path], FaceRig]] = {
    "bfm2009": bfm2009.read_bfm2009,
    "bfm2017": bfm_hdf5.read_bfm2017,
    "bfm2019": bfm_hdf5.read_bfm2019,
    "flame": flame.read_flame,
    "gltf": gltf.read_gltf,
    "ict": ict.read_ict_folder,
    "npz": npz.read_npz,
    "surrey": surrey.read_surrey,
}


NEEDED: dict[str, str] = {
    "bfm2009": bfm2009.NEEDED,
    "bfm2017": bfm_hdf5.NEEDED["2017"],
    "bfm2019": bfm_hdf5.NEEDED["2019"],
    "flame": flame.NEEDED,
    "gltf": gltf.NEEDED,
    "ict": ict.NEEDED,
    "npz": npz.NEEDED,
    "surrey": surrey.NEEDED,
}
"""Which file from where each of them reads."""


def needed(name: str) -> str:
    """Which file from where a reader needs.

    Raises:
        InputError: no such reader.
    """
    _check(name)
    return NEEDED[name]


def read_rig(
    name: str, path: str | os.PathLike, landmarks: str | os.PathLike | None = None
) -> FaceRig:
    """Read a face model.

    Args:
        name: of `READERS`.
        path: the model's file, or its folder where it is several.
        landmarks: text file with 68 vertices of the mesh, one a line in iBUG's order and -1 for
            unknown ones; they take the place of those that the file states.

    Raises:
        InputError: no such reader, a file is missing or wrong; the message says which file from
            where is needed.
    """
    _check(name)
    place = local_path(path)
    try:
        rig = READERS[name](place)
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error
    return rig if landmarks is None else replace(rig, landmarks=_marked(rig, Path(landmarks)))


def _check(name: str) -> None:
    if name not in READERS:
        raise InputError(f"morphable={name}: no such reader; choose {', '.join(sorted(READERS))}")


def _marked(rig: FaceRig, path: Path) -> dict[int, np.ndarray]:
    try:
        vertices = np.loadtxt(path, dtype=int, ndmin=1).ravel()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of vertices ({error})") from error
    if len(vertices) != 68 or vertices.max() >= len(rig.mean):
        raise InputError(
            f"{path}: needs 68 vertices below {len(rig.mean)}, one a line and -1 for unknown ones"
        )
    return {i: rig.mean[vertex] for i, vertex in enumerate(vertices) if vertex >= 0}
