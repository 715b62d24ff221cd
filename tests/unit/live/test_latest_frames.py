"""A source at its own pace: what is late is dropped, and counted."""

import time
from fractions import Fraction

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.live.latest_frames import LatestFrames
from xpress.media.sources import FrameSource


class Numbered(FrameSource):
    """Frames whose value is their number, `fps` a second; fails after `fails` of them."""

    kind = "video"

    def __init__(self, count: int, fps: int, fails: int | None = None) -> None:
        self.count, self.rate, self.fails = count, Fraction(fps), fails

    def timed(self):
        for i in range(self.count):
            if i == self.fails:
                raise InputError("clip.mp4: is cut")
            yield i / self.rate, np.full((2, 2, 3), i, np.uint8)


def test_a_slow_reader_gets_the_newest_and_every_frame_is_given_or_counted():
    with LatestFrames(Numbered(40, 100)) as frames:
        got = []
        for frame in frames:
            got.append(frame)
            assert frame.image[0, 0, 0] == round(frame.time * 100)
            time.sleep(0.05)
    numbers = [int(frame.image[0, 0, 0]) for frame in got]
    assert numbers == sorted(set(numbers))
    assert len(got) < 20
    assert len(got) + sum(frame.dropped for frame in got) == 40
    assert numbers[-1] == 39


def test_a_quick_reader_waits_for_the_sources_rate():
    start = time.monotonic()
    with LatestFrames(Numbered(6, 20)) as frames:
        arrivals = [frame.arrived for frame in frames]
    assert time.monotonic() - start >= 0.24
    assert len(arrivals) == 6 or np.diff(arrivals).min() > 0


def test_errors_come_through_and_leaving_early_stops_the_thread():
    with pytest.raises(InputError, match="is cut"), LatestFrames(Numbered(9, 1000, 3)) as frames:
        for _ in frames:
            pass
    with LatestFrames(Numbered(1000, 5)) as frames:
        next(iter(frames))
    assert not frames._thread.is_alive()
