"""A photograph's head, turned, moved and sized in front of its background."""

from __future__ import annotations

from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

from xpress.animation.head.cut_out import HeadCutOut, premultiply
from xpress.animation.warping.backward_flow import moving_box, resolve
from xpress.animation.warping.bands import bands
from xpress.animation.warping.compositing import NOTHING, Box, inside, intersect
from xpress.animation.warping.relighting import shading_change
from xpress.rendering.z_buffer import Buffers, rasterize_numpy
from xpress.transfer.head_motion import HeadMotion

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
        cut_out: of the target; several may share one.

    Attributes:
        box: x0, y0, x1, y1 of the pixels that may change.
    """

    def __init__(self, cut_out: HeadCutOut) -> None:
        self._target, self._lattice = cut_out, cut_out.lattice
        self.box: Box = cut_out.lattice.grid.box
        self._positions = self._ringed(cut_out.lattice.points + cut_out.offset)
        # kept from frame to frame: fresh memory costs more than what is written into it
        self._buffers: Buffers | None = None
        self._layer = cut_out.layer.copy()
        self._zoom = 2 if cut_out.alpha.size <= FINE else 1
        self._fine = _enlarged(self._layer, self._zoom)

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
        x0, y0, x1, y1 = box = moving_box(maps, self._lattice.grid)
        there = np.s_[y0:y1, x0:x1]
        own, plate = own[there], self._target.plate[there]
        for rows, positions, change in bands(maps, self._lattice.grid, box, zoom=self._zoom):
            shown = cv2.remap(self._fine, *positions, cv2.INTER_LINEAR)
            _lay(shown, plate[rows], change, own[rows])

    def _update(self, own: UInt8[np.ndarray, "h w 3"], changed: Box) -> None:
        """Take what an expression has changed."""
        x0, y0, x1, y1 = intersect(changed, self.box)
        if x1 <= x0 or y1 <= y0:
            return
        there = inside(self.box, (x0, y0, x1, y1))
        target = self._target
        premultiply(own[there], target.plate[there], target.alpha[there], self._layer[there])
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
        way[:, :2] += (motion.place * self._target.unit).astype(np.float32)
        way *= self._target.weight[:, None]
        if motion.breath:
            way[:, 1] -= np.float32(motion.breath * self._target.unit) * (1 - self._target.weight)
        right, left, down, up = self._target.hold
        x, y = way[:, 0], way[:, 1]
        way[:, 0] = np.where(x > 0, x * right, x * left)
        way[:, 1] = np.where(y > 0, y * down, y * up)
        return points + self._target.offset + way

    def _ringed(self, points: Float32[np.ndarray, "N C"]) -> Float32[np.ndarray, "M C"]:
        """The points with a ring around them, which carries what lies beyond the picture."""
        rows, columns = self._lattice.grid.size
        ringed = np.pad(points.reshape(rows, columns, -1), ((1, 1), (1, 1), (0, 0)), mode="edge")
        if points.shape[1] > 1:
            far = np.float32(RING * self._target.unit)
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
            out=self._buffers,
        )
        maps = np.zeros((*grid.size, 3), np.float32)
        resolve(self._buffers[0], self._buffers[1], lattice.triangles, attributes, maps)
        maps[..., 2] = np.exp(maps[..., 2]) - 1
        return maps

    def _relit(self, motion: HeadMotion) -> Float32[np.ndarray, " N"]:
        """Logarithm of the shading's change where the skin turns in the light."""
        lattice = self._lattice
        lit = np.flatnonzero(lattice.lit > 0)
        turn = cv2.Rodrigues(motion.rotation)[0].astype(np.float32)
        change = shading_change(lattice.normals, lattice.normals @ turn.T, self._target.light, lit)
        return change * lattice.lit * np.float32(SHADED)


def _enlarged(layer: UInt8[np.ndarray, "h w 4"], zoom: int) -> UInt8[np.ndarray, "z y 4"]:
    """Finer by cubic interpolation, so that linear sampling hardly blurs."""
    if zoom == 1:
        return layer
    return cv2.resize(layer, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _lay(person, plate, change, out):
    """The person over the background."""
    unseen = np.float32(NOTHING)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            a = np.int32(person[row, column, 3])
            if a == 0:
                for n in range(3):
                    out[row, column, n] = plate[row, column, n]
                continue
            g = change[row, column]
            if a == 255 and abs(g) < unseen:
                for n in range(3):
                    out[row, column, n] = person[row, column, n]
                continue
            g += np.float32(1)
            for n in range(3):
                behind = ((255 - a) * np.int32(plate[row, column, n]) + 127) // 255
                value = np.float32(person[row, column, n]) * g + behind + np.float32(0.5)
                out[row, column, n] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
