"""The window, drawn by SDL without a screen."""

from fractions import Fraction

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.live.window import Window

pygame = pytest.importorskip("pygame")


@pytest.fixture
def unseen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def test_pictures_keys_and_closing(unseen):
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, :15], image[:, 15:] = (250, 10, 20), (0, 200, 100)
    with Window() as window:
        window.show(image, Fraction(0))
        shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
        assert np.array_equal(shown, image)
        window.show(np.hstack([image, image]), Fraction(1, 25))
        assert pygame.display.get_surface().get_size() == (60, 20)
        window._surface = pygame.display.set_mode((60, 60))  # as when the user pulls at it
        window.show(image, Fraction(2, 25))
        shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
        assert tuple(shown[30, 5]) == (250, 10, 20)
        assert tuple(shown[2, 5]) == (0, 0, 0)  # its shape is kept
        for key in (pygame.K_n, pygame.K_UP, pygame.K_ESCAPE):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
        assert window.pressed() == ["n", "up", "escape"]
        assert not window.closed
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        assert window.pressed() == []
        assert window.closed
    assert not pygame.display.get_init()


def test_without_a_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="there is no display"):
        Window()
