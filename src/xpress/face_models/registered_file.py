"""Registered face models as files, made once for each model."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig
from xpress.face_models.registration.register import Registration, register
from xpress.morphable.face_model import FaceModel
from xpress.whole_files import local_path

VERSION = 2
"""Of the registration; another one makes models anew."""
FILE = "morphable.safetensors"


def registered(
    reader: str,
    path: str | os.PathLike,
    landmarks: str | os.PathLike | None = None,
    identity_modes: int = 80,
    color_modes: int = 40,
) -> Registration:
    """Read a face model and bring it onto the default model's mesh.

    Args:
        reader: see `read_rig`.
        path: the model's file or folder.
        landmarks: vertices of the 68 landmarks, see `read_rig`.
        identity_modes: how many identity coefficients to keep.
        color_modes: how many colour coefficients.

    Raises:
        InputError: as `read_rig` and `register`, with the file's name.
    """
    rig = read_rig(reader, path, landmarks)
    print(f"{path}: {len(rig.mean)} vertices are registered to the default mesh", flush=True)
    try:
        return register(rig, identity_modes, color_modes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def registered_file(
    reader: str, path: str | os.PathLike, landmarks: str | os.PathLike | None = None
) -> Path:
    """The file of a registered model, made where the user's cache does not have it yet.

    It lies in a folder of its own, which `weights=` takes.

    Raises:
        InputError: as `registered`, or the cache cannot be written to.
    """
    place = local_path(path)
    digest = hashlib.sha256(f"{VERSION} {reader}".encode())
    for file in [*_files(place), *([] if landmarks is None else [local_path(landmarks)])]:
        digest.update(file.name.encode() + b"\0")
        if file.is_file():
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    target = _cache() / digest.hexdigest()[:24] / FILE
    if not target.exists():
        model = registered(reader, place, landmarks).model
        target.parent.mkdir(parents=True, exist_ok=True)
        model.save(target)
    FaceModel.load(target)
    return target


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "xpress" / "face_models"
