"""The function behind `infer.py task=live`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np

from xpress.commands.output_files import (
    check_output,
    check_suffix,
    new_folders_kept_on_success,
)
from xpress.commands.pipeline import threads_limited
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.live.caption import captioned
from xpress.live.display import Display
from xpress.live.latest_frames import LatestFrames, LiveFrame
from xpress.live.recorded_video import RecordedVideo
from xpress.live.session import HELP, LiveSession
from xpress.media.images import is_image
from xpress.media.sources import CameraSource, FrameSource, VideoSource, open_source
from xpress.media.video import VIDEO_SUFFIXES
from xpress.provenance.provenance import MARKED, Provenance
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.whole_files import local_path

PathLike = str | os.PathLike

HELP_SHOWN = 6
"""Seconds for which the window tells its keys."""
_SHARE = 0.1
"""Of the newest frame in the rate and latency that are shown."""


def live(
    source: PathLike | int,
    output: str,
    target: PathLike | None = None,
    motion: str = "relative",
    strength: float = 1.0,
    face: str | int = "largest",
    mouth: str = "generator",
    gaze: str = "source",
    head: str | float = "source",
    smoothing: bool = True,
    overwrite: bool = True,
    threads: int = 2,
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
    provenance: Provenance = MARKED,
) -> None:
    """Move a photograph with a camera, frame by frame as they come.

    Frames that there is no time for are dropped, so that the picture is never late. The window
    tells its keys: rest, strength, target, gaze, head, freeze, side by side, mirror, quit.

    Args:
        source: number of a camera; or a video, which is played at its own rate.
        output: window, virtualcam, a video file, or where the face's parameters are sent to:
            osc://HOST:PORT (VMC protocol) or livelink://HOST:PORT.
        target: photograph, or a folder of them to switch between; not for osc and livelink.
        motion: relative or absolute.
        strength: factor on the expression's change.
        face: of the target: largest, all, or an index from the left.
        mouth: what fills the opened mouth: generator, model or none.
        gaze: whose eyes look: source, target or viewer.
        head: whose head moves: source, target, or a factor on the source's motion.
        smoothing: filter the source over time.
        overwrite: replace an output file that exists.
        threads: of the networks.
        weights: folder of own networks, see `Reenactor.from_pretrained`.
        reenactor: loaded weights; the package's by default.
        provenance: how an output file is marked.

    Raises:
        InputError: an input or option is wrong, or there is no camera or display.
    """
    with ExitStack() as stack:
        stack.enter_context(threads_limited(threads))
        opened = stack.enter_context(open_source(source))
        if not isinstance(opened, CameraSource | VideoSource):
            raise InputError(f"{opened.name}: task=live takes a camera or a video")
        if "://" in output:
            reader = reenactor or FaceReader.from_pretrained(weights or "default")
            _stream(stack, reader, opened, output, smoothing)
            return
        if target is None:
            raise InputError(f"output={output}: task=live needs target=… to show there")
        stack.enter_context(new_folders_kept_on_success(output))
        display = stack.enter_context(_display(output, opened, target, overwrite, provenance))
        options = ReenactmentOptions(motion, float(strength), None, face, smoothing, gaze, head)
        reenactor = reenactor or Reenactor.from_pretrained(weights or "default", mouth=mouth)
        session = LiveSession(reenactor, _pictures(local_path(target)), options)
        _show(stack, reenactor, opened, session, display, smoothing)


class _Meter:
    """Rate and latency of what is shown, and what was dropped."""

    def __init__(self) -> None:
        self.shown = self.dropped = 0
        self._period = self._latency = 0.0
        self._last: float | None = None

    def count(self, frame: LiveFrame) -> None:
        now = time.monotonic()
        self._latency += (now - frame.arrived - self._latency) * (_SHARE if self.shown else 1)
        if self._last is not None:
            share = _SHARE if self.shown > 1 else 1
            self._period += (now - self._last - self._period) * share
        self._last = now
        self.shown += 1
        self.dropped += frame.dropped

    def __str__(self) -> str:
        rate = 1 / self._period if self._period else 0
        latency = self._latency * 1000
        return f"{rate:.0f} frames a second, {latency:.0f} ms late, {self.dropped} dropped"


def _faces(
    reader: FaceReader,
    frames: LatestFrames,
    name: str,
    smoothing: bool,
    prepare=lambda image: image,
) -> Iterator[tuple[LiveFrame, np.ndarray, FaceSample | None]]:
    """Each frame as it was prepared, and its largest face."""
    current: list[LiveFrame] = []

    def timed() -> Iterator[tuple[Fraction, np.ndarray]]:
        for frame in frames:
            current[:] = [frame]
            yield frame.time, prepare(frame.image)

    for _, image, faces in reader.track_faces(timed(), "largest", name, smoothing):
        yield current[0], image, faces[0] if faces else None


def _show(
    stack: ExitStack,
    reenactor: Reenactor,
    source: FrameSource,
    session: LiveSession,
    display: Display,
    smoothing: bool,
) -> None:
    meter = _Meter()
    frames = stack.enter_context(LatestFrames(source))
    with suppress(KeyboardInterrupt):
        for frame, image, face in _faces(reenactor, frames, source.name, smoothing, session.seen):
            picture = session.draw(frame.time, image, face)
            meter.count(frame)
            if display.tells:
                lines = [str(meter), session.state() + ("" if face else "   no face")]
                picture = captioned(picture, lines, HELP if frame.time < HELP_SHOWN else ())
            display.show(picture, frame.time)
            for key in display.pressed():
                session.press(key)
            if session.quit or display.closed:
                break
    print(f"{meter.shown} frames shown: {meter}")


def _stream(
    stack: ExitStack, reader: FaceReader, source: FrameSource, output: str, smoothing: bool
) -> None:
    """Send the parameters of each frame's face; frames without one send nothing."""
    try:
        from xpress.live.face_streams import open_stream
    except ImportError as error:
        raise InputError(f"output={output} needs an extra: pip install 'xpress[live]'") from error
    from xpress.morphable.io.arkit import to_recording

    stream = stack.enter_context(closing(open_stream(output)))
    meter, names = _Meter(), reader.model.expression_names
    frames = stack.enter_context(LatestFrames(source))
    with suppress(KeyboardInterrupt):
        for frame, _, face in _faces(reader, frames, source.name, smoothing):
            if face is not None:
                recording = to_recording(face.parameters, names, source.fps)
                stream.send(recording, round(frame.time * source.fps))
            meter.count(frame)
    print(f"{output}: {meter.shown} frames sent: {meter}")


def _pictures(target: Path) -> list[Path]:
    """The photograph, or those of a folder in the order of their names."""
    if not target.is_dir():
        return [target]
    found = sorted(path for path in target.iterdir() if path.is_file() and is_image(path))
    if not found:
        raise InputError(f"{target}: holds no picture; name a photo or a folder of photos")
    return found


def _display(
    output: str, source: FrameSource, target: PathLike, overwrite: bool, provenance: Provenance
) -> Display:
    """What `output` names."""
    if output == "window":
        from xpress.live.window import Window

        return Window()
    if output == "virtualcam":
        from xpress.live.virtual_camera import VirtualCamera

        return VirtualCamera(float(source.fps))
    path = check_output(output, [source.path, target], overwrite)
    why = "task=live shows in a window, on virtualcam or in a video"
    check_suffix(path, VIDEO_SUFFIXES, why)
    provenance.check(path)
    return RecordedVideo(path, source.fps, provenance.label())
