"""Outputs that are either complete or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xpress.errors import InputError


def prepare_output(path: str | os.PathLike) -> Path:
    """Make the parent folder of an output and return the hidden partial file beside it.

    The partial file keeps the suffix, because encoders choose the format by it.

    Raises:
        InputError: `path` is a folder, or its folder cannot be made or written to.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path}: {path.parent} is no folder; choose another output") from error
    except OSError as error:
        raise InputError(cannot_write(path, error)) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: the folder {path.parent} cannot be written to; choose another")
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def cannot_write(path: Path, error: BaseException) -> str:
    """The one line about an output that the system refuses."""
    reason = getattr(error, "strerror", None) or error
    return f"{path}: cannot be written ({reason}); choose another output"


@contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a partial file to write; rename it to `path` at the end, remove it on any error.

    Raises:
        InputError: the output cannot be written.
    """
    path = Path(path)
    partial = prepare_output(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise InputError(cannot_write(path, error)) from error
    finally:
        partial.unlink(missing_ok=True)
