"""Outputs that are either complete or absent, and the paths that users give.

An output is written beside its place, into a hidden file with a name of its own, and renamed at the
end: of several runs on one output the last to finish wins, whole. The writer holds a lock on that
file, which the system lets go when the process ends, however it ends; so what a killed process has
left is known, and the next output in the same folder takes it away.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xpress.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves stays there
    fcntl = None  # type: ignore[assignment]

_PARTIAL = re.compile(r"\..*\.[0-9a-f]{12}\.partial(\.\w+)?", re.DOTALL)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_STEM = 24  # characters: a long name has to stay within the system's bounds
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def local_path(path: str | os.PathLike) -> Path:
    """A path that a user gives; a leading `~` is the home folder.

    Raises:
        InputError: it is an address of the network, or the system takes no such name.
    """
    text = os.fsdecode(path)
    if _ADDRESS.match(text):
        raise InputError(f"{text}: an address; download the file and give its path")
    try:
        found = Path(text).expanduser()
        found.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # told where it matters
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{text}: {reason}; give another path") from error
    except (RuntimeError, ValueError) as error:  # no such user's home; a null character
        raise InputError(f"{text!r}: {error}; give another path") from error
    return found


def check_writable(path: Path) -> None:
    """Make the parent folder of an output and see whether files can be written there.

    Raises:
        InputError: `path` is a folder, or its folder cannot be made or written to.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file in it")
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path}: {path.parent} is no folder; choose another output") from error
    except OSError as error:
        raise InputError(cannot_write(path, error)) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: the folder {path.parent} cannot be written to; choose another")


def cannot_write(path: Path, error: BaseException) -> str:
    """The one line about an output that the system refuses."""
    reason = getattr(error, "strerror", None) or error
    return f"{path}: cannot be written ({reason}); choose another output"


class PartialOutput:
    """A hidden file, or folder, beside an output until it takes the output's name.

    Args:
        output: what it becomes.
        folder: whether a folder is made.
        private: nobody else may look into a folder, which becomes no output.

    Attributes:
        output: as given; a folder with its links followed.
        path: the partial file, empty; it keeps the suffix, by which encoders choose the format.

    Raises:
        InputError: the output's folder cannot be made or written to.
    """

    def __init__(
        self, output: str | os.PathLike, folder: bool = False, private: bool = False
    ) -> None:
        self.output = Path(output).resolve() if folder else Path(output)
        self._folder, self._mode = folder, 0o700 if private else 0o777
        if not private:
            inside = folder and self.output.is_dir()
            check_writable(self.output / "file" if inside else self.output)
        sweep(self.output.parent)
        try:
            self.path, self._lock = self._claim()
        except OSError as error:
            raise InputError(cannot_write(self.output, error)) from error
        self._ended = False

    def commit(self, instead: bool = False) -> None:
        """Give it its output's name; raises `OSError` where the system refuses.

        Args:
            instead: a folder takes the place of one that exists, with all that is in it, in one
                step where the system can exchange two folders (Linux). Else its files move into
                that folder, one after the other.
        """
        if not self._folder or not self.output.is_dir():
            self.path.replace(self.output)
        else:
            shutil.copymode(self.output, self.path)
            if not (instead and not _is_current(self.output) and _exchange(self.path, self.output)):
                self._move_files()
            shutil.rmtree(self.path, ignore_errors=True)
        self._end()

    def _move_files(self) -> None:
        for file in sorted(self.path.rglob("*")):
            place = self.output / file.relative_to(self.path)
            if file.is_dir():
                place.mkdir(exist_ok=True)
            else:
                file.replace(place)

    def discard(self) -> None:
        """Remove what is there; does nothing after `commit`."""
        if self._ended:
            return
        if self._folder:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            with suppress(OSError):
                self.path.unlink()
        self._end()

    def _claim(self) -> tuple[Path, int | None]:
        while True:
            name = f".{self.output.stem[:_STEM]}.{secrets.token_hex(6)}.partial"
            path = self.output.with_name(name if self._folder else name + self.output.suffix)
            if self._folder:
                path.mkdir(self._mode)
                descriptor = os.open(path, os.O_RDONLY)
            else:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            if fcntl is None:
                os.close(descriptor)
                return path, None
            # between making and locking it another process may have taken it for a left one
            if _lock(descriptor, unknown=True) and path.exists():
                return path, descriptor
            os.close(descriptor)

    def _end(self) -> None:
        self._ended = True
        if self._lock is not None:
            os.close(self._lock)


@contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a partial file to write; rename it to `path` at the end, remove it on any error.

    Raises:
        InputError: the output cannot be written.
    """
    partial = PartialOutput(path)
    try:
        yield partial.path
        partial.commit()
    except OSError as error:
        raise InputError(cannot_write(partial.output, error)) from error
    except InputError as error:
        raise InputError(str(error).replace(str(partial.path), str(path))) from error
    finally:
        partial.discard()


@contextmanager
def held_alone(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on a file, which is made; a process that ends lets it go, however it ends.

    Args:
        path: of the file.
        wait: until another process lets it go; else False is given where one holds it.

    Raises:
        InputError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(cannot_write(path, error)) from error
    try:
        if fcntl is None:
            yield True
        elif wait:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield True
        else:
            yield _lock(descriptor, unknown=True)
    finally:
        os.close(descriptor)


def scratch_folder() -> PartialOutput:
    """A folder for what is needed while a command runs; `discard` it at the end.

    Raises:
        InputError: there is no place for temporary files.
    """
    try:
        return PartialOutput(Path(tempfile.gettempdir()) / "xpress", folder=True, private=True)
    except FileNotFoundError as error:
        raise InputError("no folder for temporary files; name one with TMPDIR") from error


def sweep(folder: Path) -> None:
    """Remove the partial files and folders whose process is gone."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _PARTIAL.fullmatch(entry.name):
                _remove_if_left(Path(entry.path))


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):
        # not blocking: a pipe of such a name would be waited on for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not _lock(descriptor, unknown=False):
                return
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(descriptor)


def _lock(descriptor: int, unknown: bool) -> bool:
    """Whether the lock is ours now; `unknown` where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True


def _is_current(folder: Path) -> bool:
    """Whether this process, and so perhaps a shell, stands in a folder and would lose it."""
    with suppress(OSError):
        return Path.cwd().is_relative_to(folder)
    return False


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders take each other's name in one step; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux
        return False
    done: int = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    return done == 0
