"""Which files a pack is made of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xpress.errors import InputError
from xpress.extraction.weight_files import encoder_digest
from xpress.packs.media_files import media_files
from xpress.packs.shards import is_pattern
from xpress.preparation.annotations.lookup import annotation_files, companions
from xpress.preparation.faces.settings import VERSION, PrepareSettings
from xpress.whole_files import local_path


@dataclass(frozen=True)
class MediaFile:
    """A video or picture.

    Attributes:
        path: where it lies.
        name: what rows and the report call it: below the folder that was given.
        digest: of all that its rows depend on.
        annotations: files that may tell of its faces.
    """

    path: Path
    name: str
    digest: str
    annotations: tuple[Path, ...] = ()


def listed(inputs: Sequence[str | os.PathLike], settings: PrepareSettings) -> list[MediaFile]:
    """All files that are meant, in the order of their names.

    Args:
        inputs: folders, searched recursively, files, and patterns such as `videos/*.mp4`.
        settings: of the pack.

    Raises:
        InputError: nothing is found, or two files have one name.
    """
    if not inputs:
        raise InputError("input: nothing given; name a folder of videos and pictures")
    found: dict[str, Path] = {}
    known: dict[str, tuple[Path, ...]] = {}
    for given in inputs:
        root, files = _below(given)
        wanted = settings.annotations == "auto"
        annotations = annotation_files(root, recursive=root == Path(given)) if wanted else []
        for file in files:
            name = file.relative_to(root).as_posix()
            if found.setdefault(name, file) != file:
                raise InputError(
                    f"{file}: {found[name]} is called {name}, too; give the folder above both"
                )
            known[name] = companions(file, annotations)
    recipe = [VERSION, settings.of_files(), encoder_digest(settings.weights)]
    return [
        MediaFile(found[n], n, _digest(n, (found[n], *known[n]), recipe), known[n])
        for n in sorted(found)
    ]


def _below(given: str | os.PathLike) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and the files."""
    path = local_path(given)
    if path.is_dir():
        return path, media_files(path)
    if path.is_file():
        return path.parent, [path]
    if not is_pattern(given):
        raise InputError(f"{path}: no such file or folder; check the path")
    parts = path.parts
    first = next(n for n, part in enumerate(parts) if is_pattern(part))
    root = Path(*parts[:first])
    files = sorted(file for file in root.glob("/".join(parts[first:])) if file.is_file())
    if not files:
        raise InputError(f"{path}: no file has such a name; quote the pattern, check the path")
    return root, files


def _digest(name: str, paths: Sequence[Path], recipe: list) -> str:
    content = [*recipe, name]
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        content += [path.name, status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]
