from fractions import Fraction

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.morphable.expression_geometry import MeasuredExpression
from xpress.morphable.signals import SIGNALS
from xpress.transfer.driver import drive
from xpress.transfer.fading import EASE
from xpress.transfer.resting_face import LOOK_AHEAD, RestingFace

FPS = Fraction(25)


@pytest.fixture
def resting(geometry) -> RestingFace:
    return RestingFace(geometry)


def clip(world, jaws):
    """Times and faces; None is a frame without a face."""
    return [
        (i / FPS, None if jaw is None else world.sample(80, 80, jaw)) for i, jaw in enumerate(jaws)
    ]


def test_frames_without_a_face_hold_the_last_expression(world, resting):
    jaw = world.model.expression_names.index("jawOpen")
    frames = list(drive(clip(world, [None, 0.0, 0.5, None, None, 0.2]), resting, "x"))
    assert [f.detected for f in frames] == [False, True, True, False, False, True]
    got = [f.measured.expression[jaw] for f in frames]
    assert got[3:5] == [got[2]] * 2
    assert [f.time for f in frames] == [i / FPS for i in range(6)]


def test_a_face_that_comes_back_comes_in_over_a_fifth_of_a_second(world, resting):
    """No step is larger than half as much again as the steps of an even ramp."""
    jaw = world.model.expression_names.index("jawOpen")
    frames = list(drive(clip(world, [0.0] * 10 + [None] * 4 + [0.9] * 10), resting, "x"))
    got = np.array([f.measured.expression[jaw] for f in frames])
    np.testing.assert_allclose(got[:14], got[0], atol=1e-9)
    steps = np.diff(got)
    assert steps.min() >= -1e-9
    assert steps.max() < 1.5 * 0.9 * EASE**-1 / FPS
    assert got[18] == pytest.approx(0.9)  # five frames after the last without a face
    assert got[13] == pytest.approx(got[0])


def test_look_ahead_is_bounded_and_later_frames_do_not_matter(world, resting):
    pulled = []

    def endless():
        for i, item in enumerate(clip(world, [0.3] * 150 + [0.0] * 50)):
            pulled.append(i)
            yield item

    stream = drive(endless(), resting, "x")
    first = next(stream)
    assert len(pulled) == LOOK_AHEAD * FPS + 1
    jaw = world.model.expression_names.index("jawOpen")
    assert first.rest.expression[jaw] == pytest.approx(0.3)
    assert len([first, *stream]) == 200


def test_the_first_face_may_come_late(world, resting):
    late = [None] * int((LOOK_AHEAD + 1) * FPS) + [0.4] * 3
    frames = list(drive(clip(world, late), resting, "x"))
    assert len(frames) == len(late)
    assert not frames[0].detected
    assert frames[-1].detected


def test_no_face_at_all_names_the_source(world, resting):
    with pytest.raises(InputError, match=r"clip\.mp4: no face found in any frame"):
        next(drive(clip(world, [None] * 30), resting, "clip.mp4"))


def test_given_neutral_wins(world, resting):
    rest = MeasuredExpression(
        np.full(len(world.model.expression_names), 0.25), np.zeros(len(SIGNALS))
    )
    frame = next(drive(clip(world, [0.4] * 9), resting, "x", rest))
    assert frame.rest is rest


def test_a_still_is_relative_to_its_own_rest(world, resting):
    frame = next(drive(clip(world, [0.4]), resting, "x", still=True))
    jaw = world.model.expression_names.index("jawOpen")
    assert frame.measured.expression[jaw] - frame.rest.expression[jaw] > 0.3
