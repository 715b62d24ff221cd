"""Outputs are checked before the work and complete when they appear."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from re import Pattern
from typing import Any

from xpress.errors import InputError
from xpress.whole_files import PartialOutput, cannot_write, check_writable, local_path


def check_output(output: str | os.PathLike, inputs: Sequence[Any], overwrite: bool = True) -> Path:
    """The output as a path, once it is certain that it may be written.

    Raises:
        InputError: it is one of the inputs, exists and may not be replaced, or cannot be written.
    """
    path = local_path(output)
    for item in inputs:
        if item is not None and _same(path, item):
            raise InputError(f"{path}: is an input; choose another output")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; give overwrite=true or another output")
    check_writable(path)
    return path


def check_suffix(output: Path, allowed: Sequence[str], why: str) -> None:
    """Raise `InputError` unless the output ends as its kind of file does.

    Args:
        output: the file.
        allowed: suffixes.
        why: what it is that these are asked for, as "two photos give a photo".
    """
    if output.suffix.lower() not in allowed:
        raise InputError(f"{output}: {why}; name an output that ends in {', '.join(allowed)}")


@contextmanager
def new_folders_kept_on_success(output: str | os.PathLike) -> Iterator[None]:
    """Remove the folders that were made for an output when the work on it fails."""
    missing = [parent for parent in local_path(output).parents if not parent.exists()]
    try:
        yield
    except BaseException:
        for parent in missing:
            with suppress(OSError):
                parent.rmdir()
        raise


@contextmanager
def folder_beside(folder: Path, overwrite: bool, own: Pattern[str]) -> Iterator[Path]:
    """A temporary folder beside the output, which becomes the output at the end.

    A folder of that name that holds nothing else than what the task writes is replaced in one
    step where the system can do that; into others the files move one after the other.

    Args:
        folder: the output.
        overwrite: whether it may hold something.
        own: matches the paths in it, with `/`, of what the task writes.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder}: is not empty; give overwrite=true or another folder")
    partial = PartialOutput(folder, folder=True)
    try:
        yield partial.path
        partial.commit(instead=_holds_only(folder, own))
    except OSError as error:
        raise InputError(cannot_write(folder, error)) from error
    except InputError as error:
        raise InputError(str(error).replace(str(partial.path), str(folder))) from error
    finally:
        partial.discard()


def _holds_only(folder: Path, own: Pattern[str]) -> bool:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return all(own.fullmatch(path) for path in paths)


def _same(path: Path, item: str | os.PathLike | int) -> bool:
    """Whether an input is that file; a camera's number is none."""
    if isinstance(item, int):
        return False
    other = local_path(item)
    return other.exists() and path.resolve() == other.resolve()
