"""Where live pictures go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8


class Display(ABC):
    """Shows pictures one after the other; use it as a context manager.

    Attributes:
        tells: whether words belong over the picture.
        closed: whether the user has closed it.
    """

    tells = False
    closed = False

    @abstractmethod
    def show(self, image: UInt8[np.ndarray, "H W 3"], time: Fraction) -> None:
        """Show a picture; `time` is in seconds after the first."""

    def pressed(self) -> list[str]:
        """Names of the keys pressed since the last call, as `a`, `up` or `escape`."""
        return []

    def __enter__(self):
        return self

    @abstractmethod
    def __exit__(self, *error) -> None:
        """Close it."""
