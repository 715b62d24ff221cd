"""Which annotations belong to a video or picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

from xpress.errors import InputError
from xpress.packs.media_files import PICTURES, VIDEOS
from xpress.packs.pts import parse_pts
from xpress.preparation.annotations.coco import is_coco, read_coco
from xpress.preparation.annotations.entries import Entry
from xpress.preparation.annotations.tables import kind_of, read_openface_table, read_table
from xpress.preparation.annotations.wflw import is_wflw, read_wflw

Faces = dict[int, list[Entry]]
"""Annotated faces by frame."""
_KEPT = 8
"""Files of many pictures' annotations that are held in memory."""


def annotation_files(root: Path, recursive: bool = True) -> list[Path]:
    """The files in a folder that hold annotations, sorted; hidden ones are left out.

    Args:
        root: the folder.
        recursive: look below it, too.
    """
    found = [
        path
        for path in (root.rglob("*") if recursive else root.glob("*"))
        if path.suffix.lower() in (".pts", ".csv", ".json", ".txt")
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    ]
    return sorted(path for path in found if _reader(path) is not None)


def _reader(path: Path) -> Callable[[Path], list[Entry]] | None:
    suffix = path.suffix.lower()
    if suffix == ".pts":
        return _read_pts
    if suffix == ".csv":
        return {"openface": read_openface_table, "csv": read_table}.get(kind_of(path))
    if suffix == ".json":
        return read_coco if is_coco(path) else None
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return read_wflw if is_wflw(file.readline()) else None
    except OSError:
        return None


def _read_pts(path: Path) -> list[Entry]:
    """A file of 300-W or one of its kin, which lies beside its picture."""
    points = parse_pts(path)
    return [] if points is None else [Entry(path.stem, points.astype(float), "pts")]


def companions(file: Path, annotations: Sequence[Path]) -> tuple[Path, ...]:
    """The annotation files that may tell of a file.

    Those of one picture or video are called as it is; the others name theirs.
    """
    own = (path for path in annotations if path.stem == file.stem)
    shared = (p for p in annotations if p.stem != file.stem and p.suffix.lower() != ".pts")
    beside = [path for path in own if path.suffix.lower() != ".pts" or path.parent == file.parent]
    return tuple(sorted({*beside, *shared}))


def faces_of_file(file: Path, annotations: Iterable[Path]) -> Faces:
    """The annotated faces of a video or picture, by frame.

    Of several formats the first that knows the file counts: points of its own, then the others
    in the order of their names.

    Raises:
        InputError: an annotation cannot be read.
    """
    for path in sorted(annotations, key=lambda p: (p.suffix.lower() != ".pts", p)):
        faces: Faces = defaultdict(list)
        for entry in _by_name(path).get(_plain(file.name), ()):
            if _names(entry.name, file):
                faces[entry.frame].append(entry)
        if faces:
            return dict(faces)
    return {}


@lru_cache(maxsize=_KEPT)
def _by_name(path: Path) -> dict[str, list[Entry]]:
    reader = _reader(path)
    found: dict[str, list[Entry]] = defaultdict(list)
    try:
        for entry in reader(path) if reader else ():
            found[_plain(PurePosixPath(entry.name.replace("\\", "/")).name)].append(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: its annotations cannot be read ({error})") from error
    return found


def _plain(name: str) -> str:
    """Without the suffix: some annotations name it, some do not."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in PICTURES + VIDEOS else path.name


def _names(name: str, file: Path) -> bool:
    """Whether the end of the file's path is a name, which may lack the suffix."""
    wanted = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in wanted.parts if part not in (".", "..", "/")]
    own = file.as_posix()
    given = "/".join(parts)
    ends = (own, file.with_suffix("").as_posix())
    return any(end == given or end.endswith(f"/{given}") for end in ends)
