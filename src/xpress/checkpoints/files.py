"""Checkpoint files that are either complete or absent, and what tells the two apart."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from lightning_fabric.utilities.cloud_io import _is_local_file_protocol

from xpress.errors import InputError
from xpress.whole_files import written_beside

_Path = str | os.PathLike


class CheckpointNotWritten(InputError):
    """A checkpoint that the file system refused; the file that was there before is untouched."""


class CheckpointFiles(TorchCheckpointIO):
    """Writes beside, flushes to the disk, and renames.

    Lightning's own writes to the folder for temporary files and moves, which copies where that is
    another file system: a process killed meanwhile leaves a piece of a file under the final name.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Called by Lightning in the first process.

        Raises:
            CheckpointNotWritten: full disk, no permission and the like.
        """
        if not _is_local_file_protocol(str(path)):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        try:
            with written_beside(path) as partial, partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except (InputError, RuntimeError) as error:
            cause = _system_error(error)
            if cause is None and not isinstance(error, InputError):
                raise
            reason = error if cause is None else cause.strerror or cause
            raise CheckpointNotWritten(f"{path}: cannot be written ({reason})") from error


def read_checkpoint(path: _Path) -> dict[str, Any]:
    """The contents of a checkpoint; tensors stay in the file until they are used.

    Raises:
        InputError: missing, cut short, damaged, or not a checkpoint of a network.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    mend = "give another, or ckpt=last for the newest that is whole"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise InputError(f"{path}: not a checkpoint that is whole; {mend}")
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: not a checkpoint, or one cut short; {mend}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {mend}") from error
    except InputError:
        raise
    except Exception as error:  # unpickling errors have no common base
        raise InputError(f"{path}: not a checkpoint that can be loaded safely; {mend}") from error
    if not isinstance(loaded, dict) or "state_dict" not in loaded:
        raise InputError(f"{path}: not a checkpoint of a network; {mend}")
    return loaded


def _system_error(error: BaseException | None) -> OSError | None:
    """What the system said; torch's writer raises errors of its own on top of it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
