"""What readers of face models share: files that are missing or wrong are told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xpress.errors import InputError


@contextmanager
def reading(path: Path, what: str, needed: str) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into one line.

    Args:
        path: the file.
        what: what it should be.
        needed: which file from where is needed.

    Raises:
        InputError: the file is missing or is not `what`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; needed is {needed}")
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        raise InputError(
            f"{path}: reading it takes {error.name}; pip install 'xpress[face_models]'"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # every format has errors of its own, without a common base
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not {what} ({reason}); needed is {needed}") from error
