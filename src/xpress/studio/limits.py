"""What may be uploaded, found out from headers and packets before a picture is decoded."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from PIL import Image

from xpress.errors import InputError
from xpress.media.containers import picture_stream, seconds

Kind = Literal["photo", "video", "recording"]

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Of Pillow's; others run programs (EPS) or are not made by cameras."""
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif"
"""FFmpeg's names; playlists and lists of files would read what lies elsewhere."""
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".ogv"),
    *(".wmv", ".npz", ".safetensors", ".csv"),
)
"""Of files that are taken; the content decides what they are."""


@dataclass(frozen=True)
class Limits:
    """Bounds on one upload.

    Attributes:
        megabytes: of the file.
        picture_pixels: of a photograph.
        frame_pixels: of a video's frame.
        seconds: of a video.
        frames: of a video or a recording.
        recording_megabytes: of a recording, unpacked.
    """

    megabytes: int = 200
    picture_pixels: int = 24_000_000
    frame_pixels: int = 2560 * 1440
    seconds: int = 120
    frames: int = 7200
    recording_megabytes: int = 64


def check_upload(path: Path, limits: Limits) -> Kind:
    """What a file is, once it is certain that it is not too large to be read.

    Raises:
        InputError: it is none of the three, or beyond a limit.
    """
    if _is_recording(path):
        _check_recording(path, limits)
        return "recording"
    if _check_picture(path, limits):
        return "photo"
    _check_video(path, limits)
    return "video"


def _is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    return zipped or path.suffix in (".npz", ".safetensors", ".csv")


def _check_recording(path: Path, limits: Limits) -> None:
    size = path.stat().st_size
    if path.suffix not in (".safetensors", ".csv"):
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise InputError(
                f"{path}: not a recorded performance; give a params.npz or a CSV of Live Link Face"
            ) from error
    if size > limits.recording_megabytes << 20:
        raise InputError(
            f"{path}: {size >> 20} MB unpacked; recordings may have {limits.recording_megabytes} MB"
        )


def _check_picture(path: Path, limits: Limits) -> bool:
    """Whether it is a still picture; only its header is read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is measured here
            with Image.open(path, formats=PICTURE_FORMATS) as image:
                if image.format == "GIF" and getattr(image, "n_frames", 1) > 1:
                    return False
                width, height = image.size
    except Image.DecompressionBombError:
        raise InputError(f"{path}: too many pixels; scale the picture down") from None
    except Exception:  # Pillow's plugins have no common error
        return False
    if width * height > limits.picture_pixels:
        raise InputError(
            f"{path}: {width}×{height} pixels; photos may have "
            f"{limits.picture_pixels // 1_000_000} million, scale it down"
        )
    return True


def _check_video(path: Path, limits: Limits) -> None:
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        with av.open(str(path), metadata_errors="ignore", options=options) as container:
            stream = picture_stream(container)
            if stream is None:
                raise InputError(f"{path}: holds no pictures; give a photo or a video")
            _check_stream(path, container, stream, limits)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: neither a photo nor a video that can be read; "
            "give a JPEG, PNG, WebP, MP4, MOV, MKV or WebM file"
        ) from error


def _check_stream(path: Path, container, stream: av.VideoStream, limits: Limits) -> None:
    """Count packets, which also says how long streams are that state no length."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.frame_pixels:
        raise InputError(
            f"{path}: {width}×{height} pixels; videos may have "
            f"{limits.frame_pixels / 1e6:.1f} million a frame, scale it down"
        )
    frames, first = 0, None
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        frames += 1
        moment = seconds(packet.pts, packet.time_base)
        first = moment if first is None else min(first, moment)
        if moment - first > limits.seconds or frames > limits.frames:
            raise InputError(
                f"{path}: longer than {limits.seconds} seconds or {limits.frames} frames; "
                "cut it shorter"
            )
