"""Pictures continued beyond what is seen: skin under an eye opening, eyeball under a lid."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8


def extend_colors(
    image: UInt8[np.ndarray, "H W 3"], keep: Bool[np.ndarray, "H W"], softness: float
) -> UInt8[np.ndarray, "H W 3"]:
    """Replace what is not kept by the colours nearest to it, smoothed; kept pixels stay exact.

    Args:
        image: the picture.
        keep: pixels that are trusted; with none the picture is returned as it is.
        softness: sigma in pixels of the blur over what was filled in.
    """
    if not keep.any() or keep.all():
        return image.copy()
    nearest = nearest_kept(keep)
    # Averages of what is kept, so that no single lash or pore is drawn out into a streak.
    weight: np.ndarray = keep.astype(np.float32)
    total = cv2.GaussianBlur(image * weight[..., None], (0, 0), softness)
    weight = cv2.GaussianBlur(weight, (0, 0), softness)
    calm = (total / np.maximum(weight, 1e-3)[..., None]).clip(0, 255)
    filled = calm[nearest[..., 1], nearest[..., 0]]
    smooth = cv2.GaussianBlur(filled, (0, 0), softness)
    return np.where(keep[..., None], image, np.round(smooth).astype(np.uint8))


def nearest_kept(keep: Bool[np.ndarray, "H W"]) -> Int[np.ndarray, "H W 2"]:
    """Column and row of the nearest kept pixel; of each pixel itself where none is kept."""
    rows, columns = np.indices(keep.shape)
    if keep.any():
        _, labels = cv2.distanceTransformWithLabels(
            (~keep).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        source = np.zeros(int(labels.max()) + 1, np.int64)
        source[labels[keep]] = np.flatnonzero(keep)
        rows, columns = np.divmod(source[labels], keep.shape[1])
    return np.stack([columns, rows], axis=-1)


def crop_box(
    image: UInt8[np.ndarray, "H W 3"], box: tuple[int, int, int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a box; beyond the image its border is repeated."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return image[y0:y1, x0:x1]
    rows = np.clip(np.arange(y0, y1), 0, height - 1)
    columns = np.clip(np.arange(x0, x1), 0, width - 1)
    return np.ascontiguousarray(image[rows[:, None], columns])


def ellipse(radius: float) -> UInt8[np.ndarray, "k k"]:
    """A disc for erosion and dilation, at least 3 pixels wide."""
    side = 2 * max(round(radius), 1) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def opening_mask(
    size: tuple[int, int], contour: Float[np.ndarray, "N 2"], thickness: float = 0.0
) -> UInt8[np.ndarray, "h w"]:
    """One for pixels inside a closed contour or within about `thickness` of it."""
    mask = np.zeros(size, np.uint8)
    points = [np.round(contour * 16).astype(np.int32)]
    cv2.fillPoly(mask, points, 1, shift=4)
    if thickness >= 0.5:
        cv2.polylines(mask, points, True, 1, round(2 * thickness), shift=4)
    return mask
