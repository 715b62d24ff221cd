"""A window on the screen, with its keys."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.live.display import Display

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


class Window(Display):
    """Shows pictures, scaled to whatever size the user gives the window.

    Args:
        title: of the window.

    Raises:
        InputError: there is no display, or the extra `live` is not installed.
    """

    tells = True

    def __init__(self, title: str = "xpress") -> None:
        try:
            import pygame
        except ImportError as error:
            raise InputError("output=window needs an extra: pip install 'xpress[live]'") from error
        self._pygame = pygame
        try:
            pygame.display.init()
        except pygame.error as error:
            raise InputError(_no_display(str(error))) from error
        # without a display SDL would draw where nobody sees it
        unseen = pygame.display.get_driver() in ("offscreen", "dummy")
        if unseen and "SDL_VIDEODRIVER" not in os.environ:
            pygame.display.quit()
            raise InputError(_no_display("none is set"))
        pygame.display.set_caption(title)
        self._surface: Any = None
        self._size = (0, 0)

    def show(self, image: UInt8[np.ndarray, "H W 3"], time: Fraction) -> None:
        """Show a picture; the window takes its size until the user gives it another."""
        pygame = self._pygame
        height, width = image.shape[:2]
        as_we_left_it = self._surface is None or self._surface.get_size() == self._size
        if as_we_left_it and self._size != (width, height):
            self._size = (width, height)
            self._surface = self._opened(self._size)
        picture = pygame.image.frombuffer(np.ascontiguousarray(image), (width, height), "RGB")
        across, down = self._surface.get_size()
        scale = min(across / width, down / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            picture = pygame.transform.smoothscale(picture, size)
        self._surface.fill((0, 0, 0))
        self._surface.blit(picture, ((across - size[0]) // 2, (down - size[1]) // 2))
        pygame.display.flip()

    def pressed(self) -> list[str]:
        """See `Display`; closing the window counts as well."""
        pygame = self._pygame
        pressed = []
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self.closed = True
            elif event.type == pygame.KEYDOWN:
                pressed.append(pygame.key.name(event.key))
        return pressed

    def __exit__(self, *error) -> None:
        self._pygame.display.quit()

    def _opened(self, size: tuple[int, int]):
        pygame = self._pygame
        try:
            return pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            raise InputError(f"output=window: no window can be opened ({error})") from error


def _no_display(reason: str) -> str:
    return (
        f"output=window: there is no display ({reason}); run it in a desktop session, or write "
        "output=out.mp4"
    )
