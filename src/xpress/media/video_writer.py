"""H.264 files from RGB frames, with another file's sound."""

from __future__ import annotations

import contextlib
import math
import os
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.media.audio import DISK_ERRORS, AudioTrack
from xpress.media.containers import seconds
from xpress.media.label import Label, append_xmp_box
from xpress.media.video_reader import default_matrix
from xpress.whole_files import PartialOutput, cannot_write

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")
"""Suffixes that `VideoWriter` knows; `VideoReader` reads whatever FFmpeg reads."""

_FINEST_TICK = 10_000  # ticks a second that variable frame times are rounded to, at least


class VideoWriter:
    """Write frames as H.264 (yuv420p, faststart) beside the output and rename at the end.

    Use it as a context manager: leaving it normally completes the file, an exception removes it.
    Odd sizes are padded to even ones by repeating the last row or column, as 4:2:0 needs. Colours
    are BT.709 primaries with the matrix players assume for the size (BT.601 for SD, BT.709 for
    HD), and the file is tagged so.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        fps: Fraction | float | int,
        size: tuple[int, int],
        audio_from: str | os.PathLike | None = None,
        crf: int = 18,
        preset: str = "veryfast",
        label: Label | None = None,
    ) -> None:
        """Open the partial file.

        Args:
            path: output; .mp4, .mov or .mkv.
            fps: frames per second.
            size: (width, height) in pixels of the frames to come.
            audio_from: file whose first sound track is kept in full length, copied unless the
                container cannot hold its codec; None or a file without sound gives silence.
            crf: x264's constant rate factor, lower is better.
            preset: x264's speed preset.
            label: what the file says of itself.

        Raises:
            InputError: unknown suffix, or a file that cannot be written or read.
        """
        self.path = Path(path)
        self.size = size
        if self.path.suffix.lower() not in VIDEO_SUFFIXES:
            raise InputError(
                f"{path}: videos are not written as "
                f"{self.path.suffix or 'a file without suffix'!r}; use {', '.join(VIDEO_SUFFIXES)}"
            )
        self.fps = Fraction(fps).limit_denominator(100_000)
        fine = math.ceil(_FINEST_TICK / self.fps.numerator)
        self._tick = Fraction(1, self.fps.numerator * fine)
        self._next_pts = 0
        self._audio: AudioTrack | None = None
        self._matrix = default_matrix(*size)
        self._label = label
        self._partial = PartialOutput(self.path)
        self._container: av.container.OutputContainer | None = None
        try:
            self._open(crf, preset, audio_from)
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise self._refused(error) from error
        except BaseException:
            self.abort()
            raise

    def _open(self, crf: int, preset: str, audio_from: str | os.PathLike | None) -> None:
        options = {} if self.path.suffix.lower() == ".mkv" else {"movflags": "+faststart"}
        self._container = av.open(str(self._partial.path), "w", container_options=options)
        stream = self._container.add_stream(
            "libx264", rate=self.fps, options={"crf": str(crf), "preset": preset}
        )
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        # threads that share a frame: with a frame for each, x264 would hold ten frames more
        stream.thread_type = "SLICE"
        context = stream.codec_context
        context.time_base = self._tick
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.colorspace = 1 if self._matrix == Colorspace.ITU709 else 6  # H.273: SMPTE 170M
        self._stream = stream
        self._converter = _converter(stream.width, stream.height, self._tick, self._matrix)
        if audio_from is not None:
            self._audio = AudioTrack.open(audio_from, self._container)
        if self._label is not None:
            self._container.metadata.update(self._label.tags)
        self._container.start_encoding()  # a refusal shows now, not after the first seconds

    def _refused(self, error: BaseException) -> InputError:
        """The one line about a file that is not written: for its place, or for a broken sound."""
        known = getattr(error, "errno", None) in DISK_ERRORS
        if self._audio is None or known or not isinstance(error, av.FFmpegError):
            return InputError(cannot_write(self.path, error))
        reason = " ".join(str(error.strerror).lower().split())
        return InputError(
            f"{self._audio.path}: its sound cannot be copied ({reason}); convert it to AAC"
        )

    def write(
        self, frame: UInt8[np.ndarray, "H W 3"], time: Fraction | float | int | None = None
    ) -> None:
        """Append one frame.

        Args:
            frame: RGB of the size given at the start.
            time: seconds after the first frame, for variable rates; None means one frame's
                duration after the last. Times must rise.

        Raises:
            InputError: the disk is full or the sound's file is broken.
            ValueError: the frame has another size.
        """
        if frame.shape[1::-1] != tuple(self.size):
            raise ValueError(f"frame of size {frame.shape[1::-1]} in a video of {self.size}")
        pts = self._next_pts
        duration = int(1 / (self.fps * self._tick))
        if time is not None:
            # at least one tick on: two frames at one time would make the file invalid
            pts = max(round(Fraction(time) / self._tick), pts - duration + 1, 0)
        self._next_pts = pts + duration
        picture = self._to_yuv(frame)
        picture.pts, picture.time_base, picture.duration = pts, self._tick, duration
        self._encode(picture)

    def close(self) -> None:
        """Finish the streams and give the file its name; without a frame nothing is written.

        Raises:
            InputError: no frame was written, or the file cannot be completed.
        """
        if self._container is None:
            return
        try:
            if self._next_pts == 0:
                raise InputError(f"{self.path}: there is no frame to write; check the input")
            self._encode(None)
            if self._audio is not None:
                self._audio.advance(None)
                self._audio.close()
            self._container.close()
            self._container = None
            self._put_label()
            self._partial.commit()
        except (av.FFmpegError, OSError) as error:
            raise self._refused(error) from error
        finally:
            self.abort()

    def _put_label(self) -> None:
        """What the muxer cannot write, put into the finished file without touching its streams."""
        if self._label is None:
            return
        if self.path.suffix.lower() != ".mkv":
            append_xmp_box(self._partial.path, self._label.xmp)
        if self._label.sign is not None:
            self._label.sign(self._partial.path)

    def abort(self) -> None:
        """Remove what has been written; does nothing after `close`."""
        if self._audio is not None:
            self._audio.close()
        if self._container is not None:
            with contextlib.suppress(av.FFmpegError, OSError):  # the file goes away anyhow
                self._container.close()
            self._container = None
        self._partial.discard()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _to_yuv(self, frame: UInt8[np.ndarray, "H W 3"]) -> av.VideoFrame:
        height, width = frame.shape[:2]
        if width % 2 or height % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        rgb = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(frame), format="rgb24")
        rgb.pts, rgb.time_base = 0, self._tick
        self._converter.push(rgb)
        return cast(av.VideoFrame, self._converter.pull())

    def _encode(self, picture: av.VideoFrame | None) -> None:
        assert self._container is not None, "write after close"
        try:
            for packet in self._stream.encode(picture):
                time = seconds(packet.dts, packet.time_base)
                self._container.mux(packet)
                if self._audio is not None and time is not None:
                    # in step with the pictures, or the muxer would hold one of both in memory
                    self._audio.advance(time)
        except (av.FFmpegError, OSError) as error:
            raise self._refused(error) from error


PathLike = str | os.PathLike


def _converter(width: int, height: int, tick: Fraction, matrix: Colorspace) -> Graph:
    """RGB to yuv420p with chroma at the left of each pixel pair, where H.264 decoders expect it.

    `VideoFrame.reformat` centres it, which moves colours by half a pixel with each copy.
    """
    name = "bt709" if matrix == Colorspace.ITU709 else "bt601"
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=tick
        ),
        graph.add(
            "scale",
            f"out_color_matrix={name}:out_range=tv:out_chroma_loc=left:"
            "flags=area+accurate_rnd+full_chroma_inp",
        ),
        graph.add("format", "pix_fmts=yuv420p"),
        graph.add("buffersink"),
    ).configure()
    return graph
