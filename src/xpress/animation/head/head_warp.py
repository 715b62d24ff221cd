"""A photograph's head, turned, moved and sized in front of its background."""

from __future__ import annotations

from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

from xpress.animation.head.background import background_plate
from xpress.animation.head.lattice import border_hold, follow_weights, head_lattice
from xpress.animation.head.matte import person_matte
from xpress.animation.warping.backward_flow import moving_box, resolve
from xpress.animation.warping.compositing import NOTHING, Box, inside, intersect
from xpress.animation.warping.mesh_evaluator import Projection
from xpress.animation.warping.relighting import shading_change
from xpress.morphable.face_model import FaceModel
from xpress.rendering.z_buffer import Buffers, rasterize_numpy
from xpress.transfer.head_motion import HeadMotion

BENT = 3.0
"""Centimetres under the jaw over which the matte ends: further down the picture is bent whole."""
SHADED = 0.6
"""Share of the shading's change that is believed: an estimated light is rough."""
FINE = 600 * 600
"""Pixels of a head's box up to which it is enlarged before it is sampled, which keeps its detail;
larger pictures have none of that size."""
RING = 10.0
"""Centimetres beyond the lattice to which its border is carried on."""


class HeadWarp:
    """Turns the head of one target picture.

    The head is a lattice at the depth of the face's mesh, and of an ellipsoid where there is
    hair. Its points move rigidly, those of neck and shoulders ever less; drawn with a z-buffer
    they say for each new pixel what it shows of the picture, and nothing of what turns away. The
    person is laid over the background with a matte.

    Args:
        model: the face model.
    """

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._buffers: Buffers | None = None
        self.box: Box = (0, 0, 0, 0)

    def set_target(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        projected: Float32[np.ndarray, "V 3"],
        projection: Projection,
        light: Float32[np.ndarray, " 9"],
    ) -> None:
        """Cut out a target's person and fill in what lies behind.

        Args:
            image: RGB.
            projected: vertices in pixels.
            projection: of the face.
            light: of `luminance_light`.
        """
        size = image.shape[:2]
        self._unit = unit = float(np.linalg.norm(projection.linear[0]))
        self._offset, self._light = projection.offset, light
        lattice = head_lattice(self.model, projected, projection.linear, projection.offset, size)
        self._lattice, self.box = lattice, lattice.grid.box
        x0, y0, x1, y1 = self.box
        own = image[y0:y1, x0:x1]
        matte = person_matte(own, lattice.seeds, lattice.outside, unit, self._shoulders())
        self._alpha = self._whole_below(matte)
        self._plate = background_plate(own, self._alpha, unit)
        cells = cv2.resize(self._alpha, lattice.grid.size[::-1], interpolation=cv2.INTER_AREA)
        person = (cells > 64) | (lattice.seeds == cv2.GC_FGD)
        self._weight = follow_weights(lattice, person, unit)
        self._hold = border_hold(lattice, person, size, unit)
        self._positions = self._ringed(lattice.points + self._offset)
        self._layer = np.empty((*own.shape[:2], 4), np.uint8)
        _premultiply(own, self._plate, self._alpha, self._layer)
        # kept from frame to frame: fresh memory costs more than what is written into it
        self._full = np.empty((*own.shape[:2], 3), np.float32)
        self._points = np.empty((*own.shape[:2], 2), np.float32)
        self._shown = np.empty_like(self._layer)
        self._zoom = 2 if self._alpha.size <= FINE else 1
        self._fine = _enlarged(self._layer, self._zoom)

    def _shoulders(self) -> int:
        """The row of the box where the matte ends."""
        lattice = self._lattice
        above = (lattice.height > lattice.jaw - BENT).mean(axis=1) > 0.5
        return max(int(above.sum() / lattice.grid.zoom[1]), 8)

    def _whole_below(self, alpha: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        """Beside neck and shoulders, where little moves, nothing is cut out: all bends a little."""
        below = self._lattice.jaw - self._lattice.height
        share = (below / BENT).clip(0, 1).astype(np.float32)
        size = alpha.shape[::-1]
        share = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
        return np.round(alpha + share * (255 - alpha.astype(np.float32))).astype(np.uint8)

    def turn(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        motion: HeadMotion,
        changed: Box | None = None,
    ) -> None:
        """Move the head of a frame in place.

        Args:
            frame: the target with any expression.
            motion: of the head, from where the target has it.
            changed: where the frame may differ from the target.
        """
        x0, y0, x1, y1 = self.box
        own = frame[y0:y1, x0:x1]
        if changed is not None:
            self._update(own, changed)
        maps = self._maps(motion)
        self._full = cv2.resize(maps, own.shape[1::-1], self._full, interpolation=cv2.INTER_LINEAR)
        x0, y0, x1, y1 = moving_box(maps, self._lattice.grid)
        if x1 <= x0 or y1 <= y0:
            return
        there = np.s_[y0:y1, x0:x1]
        full, points, shown = self._full[there], self._points[there], self._shown[there]
        _positions(full, x0, y0, np.float32(self._zoom), points)
        cv2.remap(  # type: ignore[call-overload]
            self._fine, points, None, cv2.INTER_LINEAR, shown, cv2.BORDER_CONSTANT
        )
        _lay(shown, self._plate[there], full, own[there])

    def _update(self, own: UInt8[np.ndarray, "h w 3"], changed: Box) -> None:
        """Take what an expression has changed."""
        x0, y0, x1, y1 = intersect(changed, self.box)
        if x1 <= x0 or y1 <= y0:
            return
        there = inside(self.box, (x0, y0, x1, y1))
        _premultiply(own[there], self._plate[there], self._alpha[there], self._layer[there])
        if self._zoom == 1:
            return
        wide = intersect((x0 - 3, y0 - 3, x1 + 3, y1 + 3), self.box)
        enlarged = _enlarged(self._layer[inside(self.box, wide)], self._zoom)
        rows, columns = inside(wide, (x0, y0, x1, y1))
        self._fine[self._finer(*there)] = enlarged[self._finer(rows, columns)]

    def _finer(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Pixels of the enlarged layer."""
        zoom = self._zoom
        return (
            slice(zoom * rows.start, zoom * rows.stop),
            slice(zoom * columns.start, zoom * columns.stop),
        )

    def moved(self, motion: HeadMotion) -> Float32[np.ndarray, "N 3"]:
        """Where the lattice's points go: pixels of the picture and depth."""
        points = self._lattice.points
        turn = cv2.Rodrigues(motion.rotation)[0] * np.exp(motion.size)
        flip = np.array([1.0, -1.0, 1.0])
        linear = (flip[:, None] * turn * flip).astype(np.float32)
        way = points @ linear.T - points
        way[:, :2] += (motion.place * self._unit).astype(np.float32)
        way *= self._weight[:, None]
        if motion.breath:
            way[:, 1] -= np.float32(motion.breath * self._unit) * (1 - self._weight)
        right, left, down, up = self._hold
        x, y = way[:, 0], way[:, 1]
        way[:, 0] = np.where(x > 0, x * right, x * left)
        way[:, 1] = np.where(y > 0, y * down, y * up)
        return points + self._offset + way

    def _ringed(self, points: Float32[np.ndarray, "N C"]) -> Float32[np.ndarray, "M C"]:
        """The points with a ring around them, which carries what lies beyond the picture."""
        rows, columns = self._lattice.grid.size
        ringed = np.pad(points.reshape(rows, columns, -1), ((1, 1), (1, 1), (0, 0)), mode="edge")
        if points.shape[1] > 1:
            far = np.float32(RING * self._unit)
            ringed[:, 0, 0] -= far
            ringed[:, -1, 0] += far
            ringed[0, :, 1] -= far
            ringed[-1, :, 1] += far
        return ringed.reshape(-1, points.shape[1])

    def _maps(self, motion: HeadMotion) -> Float32[np.ndarray, "R C 3"]:
        """For each cell the way to what it shows of the picture, pixels, and its relative gain."""
        lattice = self._lattice
        grid = lattice.grid
        moved = self._ringed(self.moved(motion))
        change = self._ringed(self._relit(motion)[:, None])
        attributes = np.concatenate([(self._positions - moved)[:, :2], change], axis=1)
        self._buffers = rasterize_numpy(
            grid.to_cells(moved),
            lattice.triangles,
            *grid.size,
            cull_backfaces=True,
            out=self._reusable(),
        )
        maps = np.zeros((*grid.size, 3), np.float32)
        resolve(self._buffers[0], self._buffers[1], lattice.triangles, attributes, maps)
        maps[..., 2] = np.exp(maps[..., 2]) - 1
        return maps

    def _reusable(self) -> Buffers | None:
        fits = self._buffers is not None and self._buffers[0].shape == self._lattice.grid.size
        return self._buffers if fits else None

    def _relit(self, motion: HeadMotion) -> Float32[np.ndarray, " N"]:
        """Logarithm of the shading's change where the skin turns in the light."""
        lattice = self._lattice
        lit = np.flatnonzero(lattice.lit > 0)
        turn = cv2.Rodrigues(motion.rotation)[0].astype(np.float32)
        change = shading_change(lattice.normals, lattice.normals @ turn.T, self._light, lit)
        return change * lattice.lit * np.float32(SHADED)


def _enlarged(layer: UInt8[np.ndarray, "h w 4"], zoom: int) -> UInt8[np.ndarray, "z y 4"]:
    """Finer by cubic interpolation, so that linear sampling hardly blurs."""
    if zoom == 1:
        return layer
    return cv2.resize(layer, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _positions(flow, left, top, zoom, out):
    """Where in a picture enlarged by `zoom` each pixel with this flow comes from."""
    half = (zoom - np.float32(1)) / np.float32(2)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column, 0] = zoom * (np.float32(left + column) + flow[row, column, 0]) + half
            out[row, column, 1] = zoom * (np.float32(top + row) + flow[row, column, 1]) + half


@njit(cache=True, nogil=True)
@no_type_check
def _premultiply(image, plate, alpha, out):
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


@njit(cache=True, nogil=True)
@no_type_check
def _lay(person, plate, maps, out):
    """The person over the background."""
    unseen = np.float32(NOTHING)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            a = np.int32(person[row, column, 3])
            if a == 0:
                for n in range(3):
                    out[row, column, n] = plate[row, column, n]
                continue
            g = maps[row, column, 2]
            if a == 255 and abs(g) < unseen:
                for n in range(3):
                    out[row, column, n] = person[row, column, n]
                continue
            g += np.float32(1)
            for n in range(3):
                behind = ((255 - a) * np.int32(plate[row, column, n]) + 127) // 255
                value = np.float32(person[row, column, n]) * g + behind + np.float32(0.5)
                out[row, column, n] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
