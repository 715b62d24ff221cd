"""Faces that come and go do so without a jump."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction

import numpy as np
import pytest

from xpress.transfer import fading as module
from xpress.transfer.fading import EASE, eased, fading

IMAGE = np.zeros((16, 16, 3), np.uint8)


def shares(seen: list[bool], rate: int) -> np.ndarray:
    """Of one face that is seen or not, frame by frame; before the first frame none is listed."""

    def frames() -> Generator:
        for number, here in enumerate(seen):
            faces = ["face" if here else None] if number else []
            yield Fraction(number, rate), IMAGE, faces

    got = list(fading(frames(), lambda face, share: (face, share)))
    assert [time for time, _, _ in got] == [Fraction(i, rate) for i in range(len(seen))]
    assert [len(faces) for _, _, faces in got] == [0] + [1] * (len(seen) - 1)
    return np.array([f[0][1] if f and f[0] is not None else 0.0 for _, _, f in got])


@pytest.mark.parametrize("rate", [24, 25, 60])
def test_faces_fade_over_a_fifth_of_a_second_both_ways(rate):
    long = rate // 2
    share = shares([False] * 3 + [True] * long + [False] * 4 + [True] * long, rate)
    steepest = 1.5 / float(EASE) / rate  # of a cubic that starts and ends at rest
    assert np.abs(np.diff(share)).max() < steepest + 1e-9
    assert share[3 + long // 2] == share[-1] == 1
    # as it came it goes
    np.testing.assert_allclose(share[3 : 3 + long], share[3 : 3 + long][::-1], atol=1e-9)


def test_a_face_that_stays_is_whole_from_the_first_frame_it_was_looked_for_in():
    share = shares([False] + [True] * 30, 25)
    assert share[1] == pytest.approx(eased(Fraction(1, 25)))
    assert (share[6:] == 1).all()


def test_pictures_that_are_read_ahead_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "HELD", 3 * IMAGE.nbytes)
    taken = []

    def frames() -> Generator:
        for number in range(20):
            taken.append(number)
            yield Fraction(number, 100), IMAGE, [None]

    for number, _ in enumerate(fading(frames(), lambda face, share: face)):
        assert len(taken) <= number + 4
