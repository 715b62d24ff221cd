"""Landmarks that MediaPipe's face landmarker reads, where it is installed."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX

RATIO, SIZE = 2.2, 320
"""Of the part of the picture that it is given: faces that are small in a picture are not found."""
POINTS_68 = np.array(
    [
        *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
        *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
        *(168, 197, 5, 4, 75, 97, 2, 326, 305),
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
        *(78, 82, 13, 312, 308, 317, 14, 87),
    ]
)
"""Point of the Face Mesh for each of the 68."""
Points = tuple[Float[np.ndarray, "68 2"], Float[np.ndarray, "138 2"]]


@lru_cache(maxsize=1)
def landmarker(task: str | None) -> Any:
    """Load the landmarker from its `.task` file.

    Raises:
        InputError: MediaPipe is not installed, or there is no such file.
    """
    if task is None or not Path(task).is_file():
        raise InputError(
            "annotations=mediapipe: give annotator=face_landmarker.task, MediaPipe's model file"
        )
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions
    except ImportError as error:
        raise InputError(f"annotations=mediapipe: pip install mediapipe ({error})") from error
    options = FaceLandmarkerOptions(BaseOptions(model_asset_path=task), num_faces=1)
    return FaceLandmarker.create_from_options(options)


def read_points(
    image: UInt8[np.ndarray, "H W 3"], landmarks68: Float[np.ndarray, "68 2"], task: str | None
) -> Points | None:
    """The 68 landmarks and the contours of a found face; None where MediaPipe sees none.

    Args:
        image: the picture.
        landmarks68: about where the face is, pixels.
        task: see `landmarker`.
    """
    reader = landmarker(task)
    from mediapipe import Image, ImageFormat

    crop = Crop.around(landmarks68, RATIO, SIZE)
    found = reader.detect(Image(ImageFormat.SRGB, np.ascontiguousarray(crop.cut(image))))
    if not found.face_landmarks:
        return None
    mesh = np.array([(point.x, point.y) for point in found.face_landmarks[0]])
    points = crop.to_image(mesh * SIZE - 0.5)  # its pixels begin at their corner
    return points[POINTS_68], points[CONTOUR_MEDIAPIPE_INDEX]
