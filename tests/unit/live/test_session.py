"""What keys change in a live picture."""

from fractions import Fraction

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.live.session import LiveSession
from xpress.media.images import write_image
from xpress.reenactment.options import ReenactmentOptions

FPS = Fraction(25)


@pytest.fixture
def session(reenactor, world, tmp_path) -> LiveSession:
    for number, x in enumerate((60.0, 100.0)):
        write_image(tmp_path / f"{number}.png", world.frame((x, 90.0, 0.0, 0)))
    return LiveSession(reenactor, sorted(tmp_path.iterdir()), ReenactmentOptions())


@pytest.fixture
def play(session, world):
    """Draws the next frame of a driver with its jaw so far open; None shows no face."""
    count = iter(range(10_000))

    def draw(jaw: float | None) -> np.ndarray:
        image = world.frame(*([] if jaw is None else [(80.0, 80.0, jaw, 0)]))
        face = None if jaw is None else world.sample(80, 80, jaw)
        return session.draw(next(count) / FPS, session.seen(image), face)

    return draw


def _jaw(picture: np.ndarray, x: int = 60) -> float:
    return float(picture[91, x, 0]) / 255


def test_the_first_frame_moves_at_once_and_a_lost_face_is_held(session, play):
    play(None)
    play(0.0)
    opened = _jaw(play(0.6))
    assert opened > 0.2
    assert _jaw(play(None)) == pytest.approx(opened, abs=0.01)
    returned = [_jaw(play(0.0)) for _ in range(8)]
    assert returned[0] > 0.5 * opened  # it eases instead of snapping
    assert returned[-1] < 0.1


def test_keys(session, play):
    for _ in range(5):
        play(0.0)
    opened = _jaw(play(0.5))
    for _ in range(5):
        session.press("down")
    assert session.options.strength == pytest.approx(0.5)
    assert _jaw(play(0.5)) < 0.8 * opened
    session.press("f")
    frozen = play(0.5)
    assert np.array_equal(play(0.0), frozen)
    assert "frozen" in session.state()
    session.press("f")
    assert not np.array_equal(play(0.0), frozen)
    session.press("t")
    assert _jaw(play(0.5), x=100) > 0.05
    assert "target 2/2" in session.state()
    session.press("s")
    assert play(0.5).shape == (160, 320, 3)
    session.press("m")
    assert play(0.5)[80, 79, 2] > 120  # the driver's picture is mirrored: 80 is at 159 - 80
    assert session.options.gaze == "source"
    session.press("g")
    assert session.options.gaze == "target"
    session.press("h")
    assert session.options.head == "target"
    session.press("unknown")
    session.press("q")
    assert session.quit


def test_taking_the_rest_makes_the_face_as_it_is_the_resting_one(session, play):
    for _ in range(5):
        play(0.0)
    assert _jaw(play(0.5)) > 0.2
    session.press("n")
    assert _jaw(play(0.5)) < 0.05


def test_a_target_without_a_face_is_refused(reenactor, world, tmp_path):
    write_image(tmp_path / "empty.png", world.frame())
    with pytest.raises(InputError, match=r"empty\.png"):
        LiveSession(reenactor, [tmp_path / "empty.png"], ReenactmentOptions())
