"""A camera that other programs see, showing our pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.live.display import Display


class VirtualCamera(Display):
    """Sends pictures to the system's virtual camera.

    Args:
        fps: that the camera states.

    Raises:
        InputError: the extra `live` is not installed.
    """

    def __init__(self, fps: float = 30.0) -> None:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise InputError(
                "output=virtualcam needs an extra: pip install 'xpress[live]'"
            ) from error
        self._module = pyvirtualcam
        self._fps = fps
        self._camera: Any = None

    def show(self, image: UInt8[np.ndarray, "H W 3"], time: Fraction) -> None:
        """Send a picture; the first one sets the camera's size.

        Raises:
            InputError: the system has no virtual camera.
        """
        height, width = image.shape[:2]
        if self._camera is None:
            even = (width - width % 2, height - height % 2)
            try:
                self._camera = self._module.Camera(*even, self._fps)
            except RuntimeError as error:
                reason = str(error).partition(". ")[0].partition("\n")[0]
                raise InputError(
                    f"output=virtualcam: no virtual camera ({reason}); load v4l2loopback on Linux, "
                    "install OBS on Windows and macOS"
                ) from error
        size = (self._camera.width, self._camera.height)
        if size != (width, height):
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        self._camera.send(image)

    def __exit__(self, *error) -> None:
        if self._camera is not None:
            self._camera.close()
