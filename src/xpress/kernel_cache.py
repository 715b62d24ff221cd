"""Where compiled kernels are kept, also where nothing of the installation can be written to.

Numba keeps them beside the source or in the user's cache folder, and refuses to start where it can
write to neither, as in a container with a read-only installation and without a home. Then they go
to a folder for temporary files, with what was compiled when the image was made; and where there is
none either, they are compiled in each process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def prepare(package: Path) -> None:
    """See to it that numba finds a place; called before anything is compiled.

    Args:
        package: folder of the package whose kernels are compiled.
    """
    if _writable(Path(os.environ.get(VARIABLE) or package)) or _writable(_users()):
        return
    folder = _temporary()
    if folder is None:
        _keep_none()
        return
    _copy_compiled(package, folder)
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:
        from numba.core import config

        vars(config)["CACHE_DIR"] = str(folder)


def _users() -> Path:
    """Numba's folder of the user."""
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given or os.path.expanduser("~/.cache")) / "numba"  # noqa: PTH111 (no home: as is)


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which may have to be made itself."""
    with suppress(OSError):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return False


def _temporary() -> Path | None:
    """A folder that is this user's alone: what lies in it is run."""
    with suppress(OSError):
        owner = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir()) / f"xpress-kernels-{owner}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        mine = not hasattr(os, "getuid") or status.st_uid == owner
        if stat.S_ISDIR(status.st_mode) and mine and not status.st_mode & 0o022:
            return folder
        return Path(tempfile.mkdtemp(prefix="xpress-kernels-"))
    return None


def _copy_compiled(package: Path, folder: Path) -> None:
    """Take over what lies beside the sources; numba looks there only where it may write."""
    for source in package.rglob("__pycache__/*.nb[ic]"):
        home = source.parent.parent
        digest = hashlib.sha1(str(home).encode(), usedforsecurity=False).hexdigest()
        place = folder / f"{home.name}_{digest}" / source.name  # as numba names it
        if not place.exists():
            with suppress(OSError):
                place.parent.mkdir(exist_ok=True)
                shutil.copy2(source, place)


def _keep_none() -> None:
    """Compile in each process: nothing can be written anywhere."""
    from numba.core.dispatcher import Dispatcher

    setattr(Dispatcher, "enable_caching", lambda self: None)  # noqa: B010
