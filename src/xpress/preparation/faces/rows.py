"""A face as a row of a pack: crops of the face, the mouth and both eyes with their labels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import Float, UInt8

from xpress.errors import InputError
from xpress.extraction.eye_reader import EYES
from xpress.extraction.face_sample import FaceSample
from xpress.media.crop import Crop
from xpress.media.mouth_crop import mouth_crop
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmarks.landmark_weights import FIRST_IRIS
from xpress.packs.action_units import UNITS
from xpress.packs.pixels import is_color

FACE_RATIO = 1.7
"""Side of a stored face over the landmarks' box: room for shifted and turned crops."""
MOUTH_RATIO, MOUTH_SIZE = 2.0, 128
"""Side of a stored mouth over the width of the lips, and in pixels."""
EYE_RATIO, EYE_SIZE = 2.2, 96
"""Side of a stored eye over its width, and in pixels at most: small eyes are not enlarged."""
LEAST_LIPS, LEAST_EYE = 20.0, 13.0
"""Width of lips and eyes in pixels of the picture; smaller ones show too little."""
QUALITY = 90
"""Of WebP."""
OUTER = slice(48, 60)
"""The outer lips among the 68 landmarks."""
_POINTS = pa.list_(pa.float32())
_IMAGE = ("image", pa.binary()), ("scale", pa.float64())
_MOUTH = pa.struct([*_IMAGE, ("landmarks68", _POINTS), ("contours", _POINTS)])
_EYE = pa.struct([*_IMAGE, ("lids", _POINTS), ("iris", _POINTS)])
LABELS = pa.schema(
    [
        ("image", pa.binary()),
        ("key", pa.string()),
        ("source", pa.string()),
        ("frame", pa.int32()),
        ("track", pa.int32()),
        ("identity", pa.string()),
        ("color", pa.bool_()),
        ("scale", pa.float64()),
        ("landmarks68", _POINTS),
        ("contours", _POINTS),
        ("annotation", pa.string()),
        (UNITS, _POINTS),
        ("mouth", _MOUTH),
        ("right_eye", _EYE),
        ("left_eye", _EYE),
        ("size", pa.float32()),
        ("sharpness", pa.float32()),
        ("yaw", pa.float32()),
        ("pitch", pa.float32()),
        ("presence", pa.float32()),
        ("visible", pa.float32()),
        ("uncertainty", pa.float32()),
    ]
)
"""Columns that say what a row shows and how well."""
IRISES = np.array(
    [
        [CONTOUR_MEDIAPIPE_INDEX.tolist().index(FIRST_IRIS + 5 * side + n) for n in range(5)]
        for side in range(2)
    ]
)
"""(2, 5) contour rows of the right and the left iris: centre and rim."""


def face_columns(
    image: UInt8[np.ndarray, "H W 3"],
    landmarks68: Float[np.ndarray, "68 2"],
    contours: Float[np.ndarray, "138 2"],
    size: int,
) -> dict[str, Any]:
    """The columns that hold pictures, and the points in their pixels.

    Args:
        image: the picture.
        landmarks68: in its pixels.
        contours: likewise.
        size: pixels of the face's side.
    """
    crop = Crop.around(landmarks68, FACE_RATIO, size)
    pixels = crop.cut(image)
    return _crop_columns(pixels, crop, landmarks68, contours) | {
        "color": is_color(pixels),
        "mouth": _mouth(image, landmarks68, contours),
        "right_eye": _eye(image, contours, 0),
        "left_eye": _eye(image, contours, 1),
    }


def _mouth(
    image: UInt8[np.ndarray, "H W 3"],
    landmarks68: Float[np.ndarray, "68 2"],
    contours: Float[np.ndarray, "138 2"],
) -> dict[str, Any] | None:
    """None where the lips are small or reach beyond the border."""
    lips = landmarks68[OUTER]
    if np.ptp(lips[:, 0]) < LEAST_LIPS or not _inside(lips, image):
        return None
    crop = mouth_crop(lips, MOUTH_RATIO, MOUTH_SIZE)
    return _crop_columns(crop.cut(image), crop, landmarks68, contours)


def _eye(
    image: UInt8[np.ndarray, "H W 3"], contours: Float[np.ndarray, "138 2"], side: int
) -> dict[str, Any] | None:
    """None where the eye is small or its crop reaches beyond the border."""
    lids, iris = contours[EYES[side, :16]], contours[IRISES[side]]
    width = float(np.linalg.norm(lids[8] - lids[0]))
    x, y = (lids[0] + lids[8]) / 2
    reach = EYE_RATIO * width / 2
    if width < LEAST_EYE or not _inside(
        np.array([[x - reach, y - reach], [x + reach, y + reach]]), image
    ):
        return None
    crop = Crop((float(x), float(y)), 2 * reach, min(EYE_SIZE, round(2 * reach)))
    return {
        "image": encoded(crop.cut(image)),
        "scale": crop.zoom,
        "lids": _flat(crop, lids),
        "iris": _flat(crop, iris),
    }


def _crop_columns(
    pixels: UInt8[np.ndarray, "S S 3"],
    crop: Crop,
    landmarks68: Float[np.ndarray, "68 2"],
    contours: Float[np.ndarray, "138 2"],
) -> dict[str, Any]:
    return {
        "image": encoded(pixels),
        "scale": crop.zoom,
        "landmarks68": _flat(crop, landmarks68),
        "contours": _flat(crop, contours),
    }


def _flat(crop: Crop, points: Float[np.ndarray, "N 2"]) -> np.ndarray:
    return crop.to_crop(points).astype(np.float32).ravel()


def _inside(points: Float[np.ndarray, "N 2"], image: np.ndarray) -> bool:
    height, width = image.shape[:2]
    return bool((points >= 0).all() and (points <= (width - 1, height - 1)).all())


def encoded(pixels: UInt8[np.ndarray, "H W 3"], quality: int = QUALITY) -> bytes:
    """A picture as WebP."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, content = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise InputError("OpenCV cannot write WebP; install opencv-python-headless")
    return content.tobytes()


def appearance(face: FaceSample) -> Float[np.ndarray, " K"]:
    """What tells people apart in what the encoder reads: shape and colour, standard deviations."""
    return np.concatenate([face.identity, face.color]).astype(np.float32)
