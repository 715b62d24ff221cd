"""The sound track of one file inside another, packet by packet."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer

from xpress.errors import InputError
from xpress.media.containers import open_container, picture_stream, seconds

_COPIED = {
    "mp4": {"aac", "mp3", "mp2", "opus", "ac3", "eac3", "alac"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be"},
    "matroska": {"aac", "mp3", "mp2", "opus", "vorbis", "ac3", "eac3", "flac", "pcm_s16le"},
}
"""Codecs that common players accept in each container; others become AAC."""

DISK_ERRORS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS)
"""What is the output's fault, not the sound's."""

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_FALLBACK_RATE = 48000


class AudioTrack:
    """Feeds a file's first sound track into an output, in step with its pictures.

    Times count from the source's first picture (from zero in a file of sound only), as
    `VideoReader.timed` counts, so lips and voice stay together.
    """

    def __init__(self, path: Path, source: InputContainer, output: OutputContainer) -> None:
        """Use `AudioTrack.open`."""
        self.path = path
        self._source = source
        self._output = output
        self._stream = source.streams.audio[0]
        self._offset = _first_picture_time(path)
        self._reached = Fraction(-1)
        if self._stream.codec_context.name in _decoders(_COPIED[output.format.name]):
            self._out = output.add_stream_from_template(self._stream)
            self._packets = self._copied()
        else:
            context = self._stream.codec_context
            rate = context.sample_rate if context.sample_rate in _AAC_RATES else _FALLBACK_RATE
            # files that only count their channels name no layout an encoder would take
            layout = {1: "mono", 2: "stereo"}.get(context.layout.nb_channels, "stereo")
            self._out = output.add_stream("aac", rate=rate, layout=layout)
            self._packets = self._transcoded()

    @staticmethod
    def open(path: str | os.PathLike, output: OutputContainer) -> AudioTrack | None:
        """The track of `path` as a new stream of `output`, or None if it has no sound.

        Raises:
            InputError: the file cannot be read.
        """
        path = Path(path)
        source = open_container(path)
        if not source.streams.audio:
            source.close()
            return None
        try:
            if source.streams.audio[0].codec_context is None:
                raise InputError(f"{path}: its sound is of no known kind; convert it to AAC")
            return AudioTrack(path, source, output)
        except BaseException:
            source.close()
            raise

    def advance(self, until: Fraction | None) -> None:
        """Mux the packets up to `until` seconds; None means all that are left.

        Raises:
            InputError: the sound breaks off.
        """
        while until is None or self._reached < until:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError as error:
                good = max(float(self._reached), 0.0)
                raise InputError(
                    f"{self.path}: its sound breaks off after {good:.2f} s; download it again"
                ) from error
            if packet is None:
                return
            if packet.dts is not None:
                self._reached = seconds(packet.dts, packet.time_base)
            self._mux(packet)

    def _mux(self, packet: av.Packet) -> None:
        try:
            self._output.mux(packet)
        except av.FFmpegError as error:
            if error.errno in DISK_ERRORS:
                raise
            good = max(float(self._reached), 0.0)
            raise InputError(
                f"{self.path}: its sound is broken after {good:.2f} s; download it again"
            ) from error

    def close(self) -> None:
        """Close the source."""
        self._packets.close()
        self._source.close()

    def _copied(self) -> Generator[av.Packet]:
        tick = Fraction(1, self._stream.codec_context.sample_rate or _FALLBACK_RATE)
        last: int | None = None
        for packet in self._source.demux(self._stream):
            pts = packet.dts if packet.pts is None else packet.pts
            if packet.size == 0 or pts is None:  # the flush at the end
                continue
            # in samples, because AVI counts whole packets: too coarse to be shifted
            start = seconds(pts, packet.time_base) - self._offset
            length = seconds(packet.duration or 0, packet.time_base)
            if self._offset and start + length <= 0:
                continue
            packet.time_base = tick
            packet.pts = packet.dts = round(start / tick)
            packet.duration = round(length / tick)
            packet.stream = self._out
            if last is not None and packet.pts <= last:
                continue  # a clock that is set back, as in broken streams
            last = packet.pts
            yield packet

    def _transcoded(self) -> Generator[av.Packet]:
        context = self._out.codec_context
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=context.rate)
        for frame in self._source.decode(self._stream):
            if frame.pts is not None and frame.time_base:
                frame.pts -= round(self._offset / frame.time_base)
                if frame.pts < 0:
                    continue
            for resampled in resampler.resample(frame):
                yield from self._out.encode(resampled)
        for resampled in resampler.resample(None):
            yield from self._out.encode(resampled)
        yield from self._out.encode(None)


def _decoders(codecs: set[str]) -> set[str]:
    """FFmpeg's decoders of `codecs`, some of which have a second name."""
    return codecs | {f"{name}float" for name in codecs} | {f"lib{name}" for name in codecs}


def _first_picture_time(path: Path) -> Fraction:
    """Seconds on the container's clock at which its first picture is shown, zero without one.

    Decoded, because the start that AVI and broken edit lists state is not always the picture's.
    """
    with open_container(path) as container:
        stream = picture_stream(container)
        if stream is None:
            return Fraction(0)
        try:
            frame = next(container.decode(stream), None)
        except av.FFmpegError:
            frame = None
        if frame is None or frame.pts is None:
            return seconds(stream.start_time or 0, stream.time_base)
        return seconds(frame.pts, frame.time_base)
