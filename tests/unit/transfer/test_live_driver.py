"""A live driver: nothing waits, and the rest is learned on the way."""

from fractions import Fraction

import pytest

from xpress.transfer.live_driver import LiveDriver
from xpress.transfer.resting_face import LOOK_AHEAD, RestingFace

FPS = Fraction(25)


@pytest.fixture
def driver(geometry) -> LiveDriver:
    return LiveDriver(RestingFace(geometry))


def test_every_frame_is_answered_at_once_after_the_first_face(driver, world):
    assert driver(Fraction(0), None) is None
    first = driver(1 / FPS, world.sample(80, 80, 0.3))
    assert first is not None
    assert first.detected
    held = driver(2 / FPS, None)
    assert held is not None
    assert not held.detected
    assert held.measured is first.measured


def test_the_rest_becomes_that_of_the_first_seconds_and_stays(driver, world):
    jaw = world.model.expression_names.index("jawOpen")
    frames = int(LOOK_AHEAD * FPS)
    rests = []
    for i in range(2 * frames):
        open_mouth = 0.05 if i % 4 == 0 else 0.5
        opened = open_mouth if i < frames else 0.9
        frame = driver(i / FPS, world.sample(80, 80, opened))
        rests.append(frame.rest.expression[jaw])
    assert rests[frames - 1] == pytest.approx(0.05, abs=0.02)
    assert rests[-1] == pytest.approx(rests[frames + 1])


def test_taking_the_rest(driver, world):
    jaw = world.model.expression_names.index("jawOpen")
    for i in range(10):
        driver(i / FPS, world.sample(80, 80, 0.0))
    driver(10 / FPS, world.sample(80, 80, 0.4))
    driver.take_rest()
    frame = driver(11 / FPS, world.sample(80, 80, 0.0))
    assert frame.rest.expression[jaw] == pytest.approx(0.4)
