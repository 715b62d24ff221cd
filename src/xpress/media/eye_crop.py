"""The crop of one eye that the eye painter sees, and maps of its lids and iris in that crop.

Every eye lies alike: its corners on one row, the outer one on the left. Left eyes are mirrored.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

WIDTH, HEIGHT = 64, 48
"""Pixels of the crop."""
EYE_WIDTH = 32.0
"""Pixels of the crop from corner to corner."""
CENTER = (31.5, 25.5)
"""Where the middle between the corners lands, pixels of the crop."""
REGION_CENTER, REGION_AXES = (31.5, 23.5), (23.0, 14.0)
"""Middle and half axes of what is painted, pixels of the crop."""
REGION_POWER = 3.0
"""Of the superellipse that bounds it: fuller than an ellipse, without corners."""
REGION_FADE = 3.5
"""Pixels of the crop over which the painting is faded in from the region's edge."""
LID_REACH, IRIS_REACH = 6.0, 8.0
"""Pixels of the crop at which the maps of distances end."""
UPPER_LID, LOWER_LID = 11.0, 8.0
"""Pixels of the crop beside the rims over which lids are stretched."""
FLOW_SCALE = 8.0
"""Pixels of the crop to a unit of the flow that the generator gives."""
POINTS = 17
"""Of an eye: the lids' 16 from the outer corner over the upper lid and back below, then the
iris's centre."""
CORNERS = (0, 8)
"""Rows of the outer and the inner corner among the 16 points of the lids."""


def eye_matrix(
    outer: Float[np.ndarray, " 2"],
    inner: Float[np.ndarray, " 2"],
    left: bool,
    width: float | None = None,
    zoom: float = 1.0,
    shift: Float[np.ndarray, " 2"] | tuple[float, float] = (0.0, 0.0),
    roll: float = 0.0,
) -> Float[np.ndarray, "2 3"]:
    """The affine from pixels of a picture to pixels of the crop.

    Args:
        outer: corner of the eye away from the nose, pixels of the picture.
        inner: the other.
        left: whether it is the face owner's left eye, which is mirrored.
        width: pixels of the picture that become `EYE_WIDTH`; the corners' distance where None.
        zoom: of the content, about its middle.
        shift: of the content in eye widths, after it was turned.
        roll: turn of the content in radians.
    """
    along = np.asarray(inner, float) - outer
    length = max(float(np.hypot(*along)), 1e-3)
    angle = np.arctan2(along[1], along[0]) + roll
    x = np.array([np.cos(angle), np.sin(angle)])
    y = np.array([-x[1], x[0]]) * (-1 if left else 1)
    linear = np.stack([x, y]) * (zoom * EYE_WIDTH / max(width or length, 1.0))
    middle = (np.asarray(outer, float) + inner) / 2
    offset = np.array(CENTER) + np.asarray(shift) * EYE_WIDTH - linear @ middle
    return np.concatenate([linear, offset[:, None]], axis=1)


def cut_eye(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"]
) -> UInt8[np.ndarray, "H W 3"]:
    """The crop that an affine of `eye_matrix` gives."""
    return cv2.warpAffine(
        image,
        matrix,
        (WIDTH, HEIGHT),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def transform(
    matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "*N 2"]
) -> Float[np.ndarray, "*N 2"]:
    """Points under an affine map."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def lid_map(lids: Float[np.ndarray, "16 2"]) -> Float32[np.ndarray, "H W"]:
    """How far each pixel lies between the lids: positive in the opening, negative outside.

    Vertical distances to the nearer lid over `LID_REACH`, in [-1, 1]. Shut lids leave a ridge of
    zero along the line where they meet.

    Args:
        lids: pixels of the crop, from the outer corner over the upper lid and back below.
    """
    columns, rows = np.arange(WIDTH), np.arange(HEIGHT)[:, None]
    upper, lower = _lid_rows(lids)
    within = np.minimum(columns - lids[CORNERS[0], 0], lids[CORNERS[1], 0] - columns)
    depth = np.minimum(np.minimum(rows - upper, lower - rows), within)
    return (depth / LID_REACH).clip(-1, 1).astype(np.float32)


def iris_map(center: Float[np.ndarray, " 2"], radius: float) -> Float32[np.ndarray, "H W"]:
    """How far each pixel lies inside the iris, over `IRIS_REACH`, in [-1, 1].

    Args:
        center: pixels of the crop; the lids may hide it.
        radius: likewise.
    """
    x, y = np.arange(WIDTH) - center[0], np.arange(HEIGHT)[:, None] - center[1]
    return ((radius - np.hypot(x, y)) / IRIS_REACH).clip(-1, 1).astype(np.float32)


def lid_flow(
    reference: Float[np.ndarray, "16 2"],
    wanted: Float[np.ndarray, "16 2"],
    turn: Float[np.ndarray, " 2"],
) -> Float32[np.ndarray, "H W 2"]:
    """Where a picture of an eye shows what the wanted eye shows at each pixel, roughly.

    The skin of each lid is stretched between its rim and a line that stays, the eyeball between
    the lids moves as a whole.

    Args:
        reference: lids in the picture, pixels of the crop.
        wanted: lids.
        turn: how far the iris moves from the picture to the wanted eye, pixels of the crop.

    Returns:
        Backward flow (x, y): the wanted eye's pixel p is the picture's p + flow(p).
    """
    rows = np.arange(HEIGHT)[:, None]
    (upper, lower), (new_upper, new_lower) = _lid_rows(reference), _lid_rows(wanted)
    middle = (new_upper + new_lower) / 2
    new_upper, new_lower = np.minimum(new_upper, middle), np.maximum(new_lower, middle)
    top = np.minimum(upper, new_upper) - UPPER_LID
    bottom = np.maximum(lower, new_lower) + LOWER_LID
    of_upper = ((rows - top) / (new_upper - top)).clip(0, 1) * (upper - new_upper)
    of_lower = ((bottom - rows) / (bottom - new_lower)).clip(0, 1) * (lower - new_lower)
    of_skin = np.where(rows <= middle, of_upper, of_lower)
    ball = (np.minimum(rows - new_upper, new_lower - rows) + 0.5).clip(0, 1)
    flow = np.stack([-ball * turn[0], of_skin + ball * (-turn[1] - of_skin)], axis=-1)
    return flow.astype(np.float32)


def _lid_rows(lids: Float[np.ndarray, "16 2"]) -> tuple[np.ndarray, np.ndarray]:
    """The row of the upper and of the lower lid in each column."""
    columns = np.arange(WIDTH)
    above, below = lids[:9], np.concatenate([lids[8:], lids[:1]])[::-1]
    upper = np.interp(columns, np.maximum.accumulate(above[:, 0]), above[:, 1])
    return upper, np.interp(columns, np.maximum.accumulate(below[:, 0]), below[:, 1])


def painted_region() -> Float32[np.ndarray, "H W"]:
    """How far each pixel is painted: one in the middle, zero where the picture stays."""
    x = np.abs(np.arange(WIDTH) - REGION_CENTER[0]) / REGION_AXES[0]
    y = np.abs(np.arange(HEIGHT)[:, None] - REGION_CENTER[1]) / REGION_AXES[1]
    radius = (x**REGION_POWER + y**REGION_POWER) ** (1 / REGION_POWER)
    return ((1 - radius) * REGION_AXES[1] / REGION_FADE).clip(0, 1).astype(np.float32)
