"""Which paths mean videos and pictures of faces, and which files they mean."""

from __future__ import annotations

import os
from pathlib import Path

from xpress.errors import InputError
from xpress.packs import is_packed
from xpress.packs.shards import is_pattern, is_remote

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts"),
    *(".mts", ".m2ts", ".3gp", ".ogv", ".gif"),
)
"""Suffixes that are looked for in a folder; what a file is, its content says."""
LABELS = (".parquet", ".csv")
"""Suffixes of files that bring landmarks of their own."""


def is_media(path: str | os.PathLike) -> bool:
    """Whether a path means videos or pictures of which a pack is to be made.

    A folder does, unless it holds Parquet files; a file does, unless it is of `LABELS`.
    """
    if is_remote(path) or is_pattern(path):
        return False
    local = Path(path)
    if local.is_dir():
        return not is_packed(local)
    return local.is_file() and local.suffix.lower() not in LABELS


def media_files(path: str | os.PathLike) -> list[Path]:
    """The videos and pictures below a folder, sorted; a file is itself.

    Hidden files and folders are left out.

    Raises:
        InputError: there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in PICTURES + VIDEOS
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and file.is_file()
    ]
    if not found:
        raise InputError(f"{path}: holds no picture, no video and no .parquet; check the path")
    return sorted(found)
