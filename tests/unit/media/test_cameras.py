from __future__ import annotations

import threading
import time
from fractions import Fraction

import cv2
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.media.cameras import Camera
from xpress.media.sources import open_source


class _Device:
    """A camera of 200 frames a second whose frame n is blue of value n; stops after `count`."""

    def __init__(self, index: int, count: int = 10_000, delay: float = 0.005) -> None:
        self.index, self.count, self.delay = index, count, delay
        self.number = 0
        self.released = threading.Event()

    def isOpened(self) -> bool:
        return True

    def get(self, _: int) -> float:
        return 200.0

    def set(self, *_) -> bool:
        return True

    def read(self):
        time.sleep(self.delay)
        if self.number >= self.count or self.released.is_set():
            return False, None
        frame = np.zeros((24, 32, 3), np.uint8)
        frame[..., 0] = self.number % 256
        self.number += 1
        return True, frame

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def device(monkeypatch) -> list[_Device]:
    made: list[_Device] = []

    def make(index: int) -> _Device:
        made.append(_Device(index))
        return made[0]

    monkeypatch.setattr(cv2, "VideoCapture", make)
    return made


def test_a_slow_reader_sees_the_present(device):
    with Camera(3) as camera:
        assert (camera.size, camera.fps, device[0].index) == ((32, 24), Fraction(200), 3)
        camera.read()
        time.sleep(0.15)
        behind = device[0].number - int(camera.read()[0, 0, 2])
        assert behind <= 3, "frames queued instead of being dropped"
    assert device[0].released.is_set()


def test_frames_are_rgb_and_never_repeat(device):
    with Camera() as camera:
        numbers = [int(camera.read()[0, 0, 2]) for _ in range(10)]
    assert numbers == sorted(set(numbers))


def test_iteration_ends_when_unplugged(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: _Device(index, count=8))
    with Camera() as camera:
        seen = [int(frame[0, 0, 2]) for frame in camera]
    assert seen[-1] == 7


def test_a_camera_without_picture(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: _Device(index, count=0))
    with pytest.raises(InputError, match="camera 1: sends no picture"):
        Camera(1)


def test_no_such_camera(capfd):
    with pytest.raises(InputError, match="camera 99: cannot be opened"):
        Camera(99)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [2, "2"])
def test_as_a_source(device, number):
    with open_source(number) as source:
        assert (source.kind, source.fps, source.size) == ("camera", 200, (32, 24))
        stream = source.timed()
        times = [next(stream)[0] for _ in range(5)]
    assert times[0] == 0
    assert times == sorted(times)
    assert device[0].released.is_set()
