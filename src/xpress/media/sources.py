"""One door to everything that can drive or be driven: photo, video, camera, parameters."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import UInt8
from safetensors import safe_open

from xpress.errors import InputError
from xpress.media.cameras import Camera
from xpress.media.images import is_image, read_image
from xpress.media.live_link import read_live_link
from xpress.media.video_reader import VideoReader
from xpress.structures import FaceParameters
from xpress.whole_files import local_path

Kind = Literal["image", "video", "camera", "parameters"]

DEFAULT_FPS = Fraction(25)
"""Frames per second of what has no rate of its own: photographs and parameters without one."""
_FASTEST = 1000
"""Frames per second that a recording may state."""


class FrameSource(ABC):
    """What `open_source` returns.

    Attributes:
        kind: what was found.
        name: path or camera number, for messages.
        path: the file, None for a camera.
        fps: frames per second; `DEFAULT_FPS` where the source has no rate.
        size: (width, height) in pixels, None for parameters.
        frame_count: frames, exact or estimated, None where it is not known.
        has_audio: whether the file has sound.
    """

    kind: ClassVar[Kind]
    name: str
    path: Path | None = None
    fps: Fraction = DEFAULT_FPS
    size: tuple[int, int] | None = None
    frame_count: int | None = None
    has_audio: bool = False

    @abstractmethod
    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """The frames with their times in seconds after the first, from the start each call."""

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        for _, frame in self.timed():
            yield frame

    def close(self) -> None:  # noqa: B027 - only a camera holds anything
        """Free what is held."""

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()


class ImageSource(FrameSource):
    """A photograph as a sequence of one frame, also at hand as `image`."""

    kind: ClassVar[Kind] = "image"

    def __init__(self, path: Path) -> None:
        """Read it; raises `InputError` as `read_image` does."""
        self.path = path
        self.name = str(path)
        self.image = read_image(path)
        self.size = (self.image.shape[1], self.image.shape[0])
        self.frame_count = 1

    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """The picture at time zero."""
        yield Fraction(0), self.image


class VideoSource(FrameSource):
    """A video file, read by `reader`."""

    kind: ClassVar[Kind] = "video"

    def __init__(self, path: Path) -> None:
        """Probe it; raises `InputError` as `VideoReader` does."""
        self.reader = VideoReader(path)
        self.path = path
        self.name = str(path)
        self.fps = self.reader.fps
        self.size = self.reader.size
        self.frame_count = self.reader.frame_count
        self.has_audio = self.reader.has_audio

    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """As `VideoReader.timed`."""
        return self.reader.timed()


class CameraSource(FrameSource):
    """A live camera; iterating gives its newest frame each time."""

    kind: ClassVar[Kind] = "camera"

    def __init__(self, index: int) -> None:
        """Open it; raises `InputError` as `Camera` does."""
        self.camera = Camera(index)
        self.name = f"camera {index}"
        self.fps = self.camera.fps
        self.size = self.camera.size

    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """Frames with the clock's time since the first of them."""
        start: float | None = None
        for frame in self.camera:
            now = time.monotonic()
            start = now if start is None else start
            yield Fraction(now - start).limit_denominator(1_000_000), frame

    def close(self) -> None:
        """Free the device."""
        self.camera.close()


class ParameterSource(FrameSource):
    """A recorded performance: face `parameters` with a leading frame axis, no pictures.

    An array `fps` beside the parameters, one number or (numerator, denominator), sets the rate.
    """

    kind: ClassVar[Kind] = "parameters"

    def __init__(self, path: Path) -> None:
        """Read it; raises `InputError` as `FaceParameters.load` does."""
        self.path = path
        self.name = str(path)
        self.parameters = FaceParameters.load(path)
        self.frame_count = len(self.parameters)
        if self.frame_count == 0:
            raise InputError(f"{path}: holds no frame; give another recording")
        self.fps = _stored_fps(path)

    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """There are no pictures: raises `InputError`, so that a wrong target is told."""
        raise InputError(f"{self.path}: holds face parameters, not pictures; give a photo or video")


class BlendshapeSource(FrameSource):
    """A `recording` of ARKit's blendshapes, no pictures."""

    kind: ClassVar[Kind] = "parameters"

    def __init__(self, path: Path) -> None:
        """Read it; raises `InputError` as `read_live_link` does."""
        self.path = path
        self.name = str(path)
        self.recording = read_live_link(path)
        self.frame_count = len(self.recording)
        self.fps = self.recording.fps

    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """There are no pictures: raises `InputError`, so that a wrong target is told."""
        raise InputError(f"{self.path}: holds blendshapes, not pictures; give a photo or video")


PathLike = str | os.PathLike


def open_source(
    source: str | os.PathLike | int,
) -> ImageSource | VideoSource | CameraSource | ParameterSource | BlendshapeSource:
    """Open a photo, video, recording (parameters, or a CSV of Live Link Face) or camera (number).

    The content decides, not the suffix: a PNG named .jpg is a photo, a text named .mp4 is an
    error. GIF animations are videos.

    Raises:
        InputError: missing, or none of these.
    """
    text = os.fspath(source) if not isinstance(source, int) else str(source)
    path = local_path(text)
    if text.isdecimal() and not path.exists():
        return CameraSource(int(text))
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a photo or video in it")
    if _holds_parameters(path):
        return ParameterSource(path)
    if path.suffix.lower() == ".csv":
        return BlendshapeSource(path)
    if is_image(path) or path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
        return ImageSource(path)
    return VideoSource(path)


def _holds_parameters(path: Path) -> bool:
    """Whether the file is a zip (`.npz`) or starts as safetensors do."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if path.suffix in (".npz", ".safetensors"):
        return True
    return head.startswith(b"PK\x03\x04")


def _stored_fps(path: Path) -> Fraction:
    """The array `fps` of a recording, else the default."""
    stored: np.ndarray | None = None
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="np") as file:
                stored = file.get_tensor("fps") if "fps" in file.keys() else None  # noqa: SIM118
        else:
            with np.load(path, allow_pickle=False) as archive:
                stored = archive.get("fps")
    except Exception as error:  # zip, header and dtype errors have no common base
        raise InputError(f"{path}: its frame rate cannot be read ({error})") from error
    if stored is None:
        return DEFAULT_FPS
    numbers = np.ravel(stored)
    rate = None
    if numbers.dtype.kind in "fiu" and numbers.size in (1, 2) and np.isfinite(numbers).all():
        above, below = (float(n) for n in (*numbers, 1)[:2])
        if below and 0 < above / below <= _FASTEST:
            rate = (Fraction(above) / Fraction(below)).limit_denominator(1001)
    if not rate:
        told = " ".join(map(str, numbers[:2])) or "no number"
        raise InputError(f"{path}: states {told} frames a second; extract it again")
    return rate
