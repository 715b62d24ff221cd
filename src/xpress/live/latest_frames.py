"""The newest frame of a source that runs at its own pace: late frames are dropped, not queued."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8

from xpress.media.sources import CameraSource, FrameSource


@dataclass(frozen=True)
class LiveFrame:
    """A frame as it came.

    Attributes:
        time: seconds after the first frame.
        image: RGB.
        arrived: `time.monotonic` of its arrival.
        dropped: frames that nobody had time for since the one before.
    """

    time: Fraction
    image: UInt8[np.ndarray, "H W 3"]
    arrived: float
    dropped: int


class LatestFrames:
    """Plays a source on a thread; iterating gives what is newest then.

    A video is played at its own rate, as a camera would show it; a photograph is one frame.
    Use it as a context manager.

    Args:
        source: what `open_source` returns, but no recording.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._latest: tuple[Fraction, np.ndarray, float] | None = None
        self._number = self._seen = 0
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._play, name="live-frames", daemon=True)

    def __enter__(self) -> LatestFrames:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(5.0)

    def __iter__(self) -> Iterator[LiveFrame]:
        """Frames not given before, waiting for each; ends with the source, raises its errors."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._number > self._seen or self._ended)
                if self._number == self._seen:
                    if self._error is not None:
                        raise self._error
                    return
                dropped, self._seen = self._number - self._seen - 1, self._number
                assert self._latest is not None
                moment, image, arrived = self._latest
            yield LiveFrame(moment, image, arrived, dropped)

    def _play(self) -> None:
        start = time.monotonic()
        paced = not isinstance(self._source, CameraSource)
        try:
            for moment, image in self._source.timed():
                with self._changed:
                    due = start + float(moment) - time.monotonic()
                    if paced and due > 0:
                        self._changed.wait_for(lambda: self._ended, due)
                    if self._ended:
                        return
                    self._latest = (moment, image, time.monotonic())
                    self._number += 1
                    self._changed.notify_all()
        except BaseException as error:  # handed to who reads the frames
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
