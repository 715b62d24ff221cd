"""What reading pictures and reading sound from a container have in common."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import overload

import av
from av.container import InputContainer

from xpress.errors import InputError

_TEXT_DEMUXERS = ("tty",)  # FFmpeg draws plain text as a terminal's screen


def open_container(path: Path) -> InputContainer:
    """Open a local media file.

    Raises:
        InputError: missing, unreadable, or no media.
    """
    try:
        container = av.open(
            str(path),
            metadata_errors="ignore",
            # a playlist must not make the reader fetch other addresses
            options={"protocol_whitelist": "file"},
        )
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder; name a file in it") from error
    except PermissionError as error:
        raise InputError(f"{path}: cannot be read; check its permissions") from error
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: not a video or sound file, or cut off before its index; "
            "give a complete MP4, MOV, MKV or WebM file"
        ) from error
    if container.format.name in _TEXT_DEMUXERS:
        container.close()
        raise InputError(f"{path}: a text file; give a video")
    return container


def picture_stream(container: InputContainer) -> av.VideoStream | None:
    """The first video stream that is not the cover of a song."""
    cover = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & cover), None)


@overload
def seconds(ticks: int, base: Fraction | None) -> Fraction: ...
@overload
def seconds(ticks: int | None, base: Fraction | None) -> Fraction | None: ...
def seconds(ticks: int | None, base: Fraction | None) -> Fraction | None:
    """Ticks of a time base as seconds; None stays None, and no base counts as zero."""
    return None if ticks is None else ticks * (base or Fraction(0))
