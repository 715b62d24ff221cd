"""Video files as a stream of RGB frames."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.media.containers import open_container, picture_stream, seconds

# swscale's default table path takes a tenth of the time but darkens by one to two levels.
_ACCURATE = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

_STATED_DURATION = ("mov", "matroska", "avi", "flv", "asf")  # others infer it from what is there
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""H.273 matrix coefficients to swscale's names."""


def default_matrix(width: int, height: int) -> Colorspace:
    """The matrix that players assume of untagged video: BT.601 for SD, BT.709 above it."""
    return Colorspace.ITU709 if width >= 1280 or height > 576 else Colorspace.ITU601


class VideoReader:
    """A video file as uint8 RGB frames in presentation order.

    Iterating opens the file anew, streams it with FFmpeg's threads and closes it, so a reader can
    be iterated several times and holds nothing between. The rotation flag is applied and
    non-square pixels are resampled to square ones.

    Attributes:
        path: the file.
        fps: average frame rate in frames per second; fractional rates are exact.
        size: (width, height) in pixels of the yielded frames.
        frame_count: number of frames as far as the container knows, else estimated, else None.
        duration: seconds, or None when the container does not know.
        has_audio: whether there is sound.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        """Open, probe and decode the first frame.

        Raises:
            InputError: missing, no video, or cut off before its end.
        """
        self.path = Path(path)
        with open_container(self.path) as container:
            stream = self._stream(container)
            self._check_index(container)
            rate = stream.average_rate or stream.guessed_rate or stream.base_rate
            self.fps = Fraction(rate) if rate else Fraction(25)
            self.has_audio = bool(container.streams.audio)
            self.duration = _duration(container, stream)
            estimate = round(self.duration * self.fps) if self.duration is not None else 0
            self.frame_count: int | None = stream.frames or estimate or None
            decoded = self._decode(container, stream)
            _, first = next(decoded, (None, None))
            decoded.close()
            if first is None:
                raise InputError(f"{self.path}: holds no readable frame; give another video")
            aspect = stream.sample_aspect_ratio or Fraction(1)
            self._coded_size = (max(round(first.width * aspect), 1), first.height)
            self._turn = _Turn.of(first)
        width, height = self._coded_size
        self.size = (height, width) if self._turn.transposed else (width, height)

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        """The frames alone; see `timed`."""
        for _, frame in self.timed():
            yield frame

    def timed(self) -> Iterator[tuple[Fraction, UInt8[np.ndarray, "H W 3"]]]:
        """Each frame with its time in seconds after the first frame.

        Every stored frame comes exactly once, also at a variable frame rate: hand the times to
        `VideoWriter.write` and the copy keeps the timing. Times that miss the constant-rate grid
        by no more than the container's rounding are put on it, and times that do not rise go on by
        one frame.

        Raises:
            InputError: the stream breaks off or is corrupt; names the last good time.
        """
        with open_container(self.path) as container:
            stream = self._stream(container)
            tick = stream.time_base or Fraction(0)
            reformatter = VideoReformatter()
            start: Fraction | None = None
            last = -1 / self.fps
            for time, decoded in self._decode(container, stream):
                if time is None:
                    time = (start or Fraction(0)) + last + 1 / self.fps
                start = time if start is None else start
                relative = time - start
                grid = round(relative * self.fps) / self.fps
                now = grid if abs(relative - grid) <= tick and grid > last else relative
                # a clock that stands still or is set back, as in broken or joined streams
                last = now if now > last else last + 1 / self.fps
                yield last, self._to_rgb(decoded, reformatter)

    def _stream(self, container: InputContainer) -> av.VideoStream:
        stream = picture_stream(container)
        if stream is None:
            raise InputError(f"{self.path}: holds no video stream; give a file with pictures")
        stream.thread_type = "AUTO"
        return stream

    def _check_index(self, container: InputContainer) -> None:
        """Compare the indices with the file's length, so that a cut is told before any work."""
        length = self.path.stat().st_size
        missing = [
            seconds(entry.timestamp, stream.time_base)
            for stream in (*container.streams.video, *container.streams.audio)
            for entry in stream.index_entries
            if entry.pos + entry.size > length
        ]
        if missing:
            raise self._cut_off(min(missing))

    def _cut_off(self, good: Fraction) -> InputError:
        good = max(good, Fraction(0))
        mend = "copy or download it again"
        if good > 0:
            mend += (
                f", or keep the good part: ffmpeg -i {self.path.name} -t {float(good):.2f} good.mp4"
            )
        return InputError(
            f"{self.path}: the video is cut off or corrupt after {float(good):.2f} s; {mend}"
        )

    def _decode(
        self, container: InputContainer, stream: av.VideoStream
    ) -> Generator[tuple[Fraction | None, av.VideoFrame]]:
        """Decoded frames with the container's times; corruption raises `InputError`."""
        begin: Fraction | None = None
        good = reached = Fraction(0)
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    end = packet.pts + (packet.duration or 0)
                    reached = max(reached, seconds(end, packet.time_base))
                if packet.stream is not stream:
                    continue
                frames = _frames(packet)
                if frames is None and begin is not None:
                    raise self._cut_off(good)
                # before the first frame, streams that start amid a picture group are skipped
                for frame in frames or ():
                    time = seconds(frame.pts, frame.time_base)
                    begin = begin if begin is not None else time or Fraction(0)
                    good = good if time is None else max(good, time - begin)
                    yield time, frame
        except av.FFmpegError as error:
            raise self._cut_off(good) from error
        if begin is not None and self._ends_early(container, stream, reached):
            raise self._cut_off(good)

    def _ends_early(
        self, container: InputContainer, stream: av.VideoStream, reached: Fraction
    ) -> bool:
        """Whether the packets end clearly before the length that the header states."""
        indexed = stream.frames > 0  # `_check_index` has compared it already
        stated = container.format.name.startswith(_STATED_DURATION)
        if indexed or not stated or not container.duration:
            return False
        end = Fraction(container.duration + (container.start_time or 0), av.time_base)
        return reached + max(Fraction(1, 5), 3 / self.fps) < end

    def _to_rgb(
        self, frame: av.VideoFrame, reformatter: VideoReformatter
    ) -> UInt8[np.ndarray, "H W 3"]:
        matrix = _MATRICES.get(frame.colorspace, default_matrix(frame.width, frame.height))
        width, height = self._coded_size
        rgb = reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=matrix,
            interpolation=_ACCURATE,
        )
        return self._turn.apply(rgb.to_ndarray())


class _Turn:
    """One of the eight orientations that a display matrix without shear can state."""

    def __init__(self, transposed: bool, flip_x: bool, flip_y: bool) -> None:
        self.transposed = transposed
        self.flip_x = flip_x
        self.flip_y = flip_y

    @staticmethod
    def of(frame: av.VideoFrame) -> _Turn:
        """Read the 3x3 fixed-point matrix of ISO 14496-12: (x', y') = (x, y) · [[a, b], [c, d]]."""
        side_data: Any = frame.side_data.get("DISPLAYMATRIX")
        if side_data is None:
            return _Turn(False, False, False)
        a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].tolist()
        if abs(b) + abs(c) > abs(a) + abs(d):
            return _Turn(True, c < 0, b < 0)
        return _Turn(False, a < 0, d < 0)

    def apply(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H2 W2 3"]:
        """Turn the picture; the result is contiguous."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def _frames(packet: av.Packet) -> list[av.VideoFrame] | None:
    """The frames that a packet completes, or None if it is corrupt."""
    if packet.is_corrupt:
        return None
    try:
        return packet.decode()
    except av.FFmpegError:
        return None


def _duration(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Seconds of the video stream, else from its start to the container's end."""
    if stream.duration:
        return seconds(stream.duration, stream.time_base)
    if not container.duration:
        return None
    end = Fraction(container.duration + (container.start_time or 0), av.time_base)
    return max(end - seconds(stream.start_time or 0, stream.time_base), Fraction(0))
