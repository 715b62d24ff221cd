"""A target's person, cut out of its picture once, and the background that is behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

from xpress.animation.head.background import background_plate
from xpress.animation.head.lattice import HeadLattice, border_hold, follow_weights, head_lattice
from xpress.animation.head.matte import person_matte
from xpress.animation.warping.mesh_evaluator import Projection
from xpress.morphable.face_model import FaceModel

BENT = 3.0
"""Centimetres under the jaw over which the matte ends: further down the picture is bent whole."""


@dataclass(frozen=True)
class HeadCutOut:
    """A target's person, cut out of its picture, and what lies behind; read only.

    Attributes:
        lattice: of the head.
        unit: pixels per centimetre.
        offset: see `Projection`.
        light: see `luminance_light`.
        weight: how far each point of the lattice follows the head.
        hold: see `border_hold`.
        alpha: the matte, in pixels of the lattice's box.
        plate: what lies behind, RGB.
        layer: the person alone, RGBA, premultiplied.
    """

    lattice: HeadLattice
    unit: float
    offset: Float32[np.ndarray, "3"]
    light: Float32[np.ndarray, " 9"]
    weight: Float32[np.ndarray, " N"]
    hold: Float32[np.ndarray, "4 N"]
    alpha: UInt8[np.ndarray, "h w"]
    plate: UInt8[np.ndarray, "h w 3"]
    layer: UInt8[np.ndarray, "h w 4"]

    @staticmethod
    def of(
        model: FaceModel,
        image: UInt8[np.ndarray, "H W 3"],
        projected: Float32[np.ndarray, "V 3"],
        projection: Projection,
        light: Float32[np.ndarray, " 9"],
    ) -> HeadCutOut:
        """Cut out a target's person and fill in what lies behind.

        Args:
            model: the face model.
            image: RGB.
            projected: vertices in pixels.
            projection: of the face.
            light: of `luminance_light`.
        """
        size, offset = image.shape[:2], projection.offset
        unit = float(np.linalg.norm(projection.linear[0]))
        lattice = head_lattice(model, projected, projection.linear, offset, size)
        x0, y0, x1, y1 = lattice.grid.box
        own = image[y0:y1, x0:x1]
        matte = person_matte(own, lattice.seeds, lattice.outside, unit, _shoulders(lattice))
        alpha = _whole_below(lattice, matte)
        plate = background_plate(own, alpha, unit)
        cells = cv2.resize(alpha, lattice.grid.size[::-1], interpolation=cv2.INTER_AREA)
        person = (cells > 64) | (lattice.seeds == cv2.GC_FGD)
        weight = follow_weights(lattice, person, unit)
        hold = border_hold(lattice, person, size, unit)
        layer = np.empty((*own.shape[:2], 4), np.uint8)
        premultiply(own, plate, alpha, layer)
        return HeadCutOut(lattice, unit, offset, light, weight, hold, alpha, plate, layer)


def _shoulders(lattice: HeadLattice) -> int:
    """The row of the box where the matte ends."""
    above = (lattice.height > lattice.jaw - BENT).mean(axis=1) > 0.5
    return max(int(above.sum() / lattice.grid.zoom[1]), 8)


def _whole_below(lattice: HeadLattice, alpha: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Beside neck and shoulders, where little moves, nothing is cut out: all bends a little."""
    share = ((lattice.jaw - lattice.height) / BENT).clip(0, 1).astype(np.float32)
    share = cv2.resize(share, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.round(alpha + share * (255 - alpha.astype(np.float32))).astype(np.uint8)


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def premultiply(image, plate, alpha, out):
    """The person's own light, without what of the background is mixed in at the edge."""
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            a = np.int32(alpha[row, column])
            out[row, column, 3] = a
            if a == 255:
                for n in range(3):
                    out[row, column, n] = image[row, column, n]
            elif a == 0:
                for n in range(3):
                    out[row, column, n] = 0
            else:
                for n in range(3):
                    rest = ((255 - a) * np.int32(plate[row, column, n]) + 127) // 255
                    value = np.int32(image[row, column, n]) - rest
                    out[row, column, n] = min(max(value, 0), a)
