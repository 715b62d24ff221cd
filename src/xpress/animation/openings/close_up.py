"""A fine raster around an opening of the face."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, Int32, UInt8
from numba import njit

from xpress.animation.openings.anatomy import OTHER, Surroundings
from xpress.animation.warping.inpainting import opening_mask
from xpress.animation.warping.raster import Grid
from xpress.rendering.z_buffer import rasterize_numpy

FINEST = 2.0
"""Most cells to a pixel."""
ROUGHLY = 0.05
"""How far outside the rim interior may be seen, over the opening's width."""


@dataclass(frozen=True)
class CloseUpFragments:
    """What a close-up shows in each of its cells.

    Attributes:
        part: interior part from zero, `SKIN`, or `OTHER` for nothing and for untrusted skin.
        face_index: triangle (of the close-up's own), -1 for nothing.
        barycentrics: weights of its corners.
    """

    part: Int32[np.ndarray, "h w"]
    face_index: Int32[np.ndarray, "h w"]
    barycentrics: Float32[np.ndarray, "h w 3"]


class CloseUp:
    """A fine raster around an opening of the face: which cell sees skin, tooth, tongue.

    Args:
        surroundings: of the opening.
        margins: room beside, above and below the rim, over the opening's width.
        cells: along the longer side of the raster, between one and `FINEST` to a pixel.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        margins: tuple[float, float, float],
        cells: int,
    ) -> None:
        self.surroundings = surroundings
        self.vertices, local = np.unique(surroundings.triangles, return_inverse=True)
        self.triangles = np.ascontiguousarray(local.reshape(-1, 3).astype(np.int32))
        self.part = surroundings.part
        self._chosen = np.empty(len(self.triangles), np.int32)
        self.margins, self.cells = margins, cells

    def twin(self) -> CloseUp:
        """The same raster, for another thread."""
        other = copy.copy(self)
        other._chosen = np.empty_like(self._chosen)
        return other

    def place(self, projected: Float32[np.ndarray, "V 3"]) -> None:
        """Lay the raster around the opening of a target with these vertices."""
        rim = projected[self.surroundings.loop, :2]
        low, high = rim.min(0), rim.max(0)
        self.width = max(float(np.hypot(*(high - low))), 2.0)
        beside, above, below = (m * self.width for m in self.margins)
        low, high = low - np.array([beside, above]), high + np.array([beside, below])
        zoom = min(max(self.cells / float((high - low).max()), 1.0), FINEST)
        self.grid = Grid.over(low, high, zoom)
        self.cell_width = self.width * self.grid.zoom[0]

    def draw(self, projected: Float32[np.ndarray, "V 3"]) -> CloseUpFragments:
        """Rasterise projected vertices of the whole mesh; what is inside stays inside the rim."""
        inside = self._outline(projected[self.surroundings.loop, :2])
        inside |= self._outline(self.surroundings.rim(projected))
        x, y, width, height = cv2.boundingRect(inside)
        points = np.empty((len(self.vertices), 3), np.float32)
        _gather(projected, self.vertices, *self.grid.affine, points)
        box = (x, y, x + width - 1, y + height - 1)
        count = _choose(points, self.triangles, self.part, box, *self.grid.size, self._chosen)
        chosen = self._chosen[:count]
        face_index, barycentrics, _ = rasterize_numpy(
            points, self.triangles[chosen], *self.grid.size, cull_backfaces=True
        )
        part = np.empty_like(face_index)
        _name(face_index, chosen, self.part, inside, part)
        return CloseUpFragments(part, face_index, barycentrics)

    def _outline(self, points: Float32[np.ndarray, "N 2"]) -> UInt8[np.ndarray, "h w"]:
        zoom_x, shift_x, zoom_y, shift_y = self.grid.affine
        outline = points * (zoom_x, zoom_y) + (shift_x, shift_y)
        return opening_mask(self.grid.size, outline, ROUGHLY * self.cell_width)


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def paint_interior(
    face_index,
    barycentrics,
    part,
    triangles,
    colors,
    source,
    layer,
    trusted,
    distance,
    occlusion,
    reach,
    out,
):
    """Paint the interior's cells: the target's own pixels where they show the same part.

    Args:
        face_index: (h, w) triangle of each cell.
        barycentrics: (h, w, 3).
        part: (h, w) interior part, negative cells are left alone.
        triangles: (F, 3).
        colors: (V, 3) model colours, 0 to 255.
        source: (V, 2) cell where the target shows each vertex.
        layer: (h, w, 3) uint8, the target in the same cells.
        trusted: (P, h, w) how surely the target shows each part there.
        distance: (h, w) cells to the opening's edge.
        occlusion: how much darker model colours are right at the edge.
        reach: cells over which that fades.
        out: (h, w, 3) float32.
    """
    height, width = part.shape
    for row in range(height):
        for column in range(width):
            p = part[row, column]
            if p < 0:
                continue
            f = face_index[row, column]
            x = y = red = green = blue = np.float32(0)
            for n in range(3):
                v, w = triangles[f, n], barycentrics[row, column, n]
                x += w * source[v, 0]
                y += w * source[v, 1]
                red += w * colors[v, 0]
                green += w * colors[v, 1]
                blue += w * colors[v, 2]
            s = np.float32(1 - occlusion * np.exp(-distance[row, column] / reach))
            red, green, blue = red * s, green * s, blue * s
            t, own_red, own_green, own_blue = _look_up(x, y, p, layer, trusted)
            if t > 0:
                red += t * (own_red - red)
                green += t * (own_green - green)
                blue += t * (own_blue - blue)
            out[row, column, 0] = red
            out[row, column, 1] = green
            out[row, column, 2] = blue


@njit(cache=True, nogil=True)
@no_type_check
def _look_up(x, y, p, layer, trusted):
    """Trust in a part at a point of the target's layer, and the layer's colour there."""
    height, width = layer.shape[:2]
    if x < 0 or x >= width - 1 or y < 0 or y >= height - 1:
        return np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    i, j = int(y), int(x)
    fy, fx = y - i, x - j
    w00, w01 = (1 - fy) * (1 - fx), (1 - fy) * fx
    w10, w11 = fy * (1 - fx), fy * fx
    t = (
        w00 * trusted[p, i, j]
        + w01 * trusted[p, i, j + 1]
        + w10 * trusted[p, i + 1, j]
        + w11 * trusted[p, i + 1, j + 1]
    )
    red = green = blue = np.float32(0)
    if t > 0:
        red = _mean(w00, w01, w10, w11, layer, i, j, 0)
        green = _mean(w00, w01, w10, w11, layer, i, j, 1)
        blue = _mean(w00, w01, w10, w11, layer, i, j, 2)
    return t, red, green, blue


@njit(cache=True, nogil=True)
@no_type_check
def _mean(w00, w01, w10, w11, layer, i, j, n):
    return (
        w00 * layer[i, j, n]
        + w01 * layer[i, j + 1, n]
        + w10 * layer[i + 1, j, n]
        + w11 * layer[i + 1, j + 1, n]
    )


@njit(cache=True, nogil=True)
@no_type_check
def _choose(points, triangles, part, box, height, width, chosen):
    """Triangles that may be seen: turned to the viewer, in the raster, interior near the rim."""
    count = 0
    for f in range(triangles.shape[0]):
        i, j, k = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        x0, y0 = points[i, 0], points[i, 1]
        x1, y1 = points[j, 0], points[j, 1]
        x2, y2 = points[k, 0], points[k, 1]
        if (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0) >= 0:
            continue
        left, right = min(x0, min(x1, x2)), max(x0, max(x1, x2))
        top, bottom = min(y0, min(y1, y2)), max(y0, max(y1, y2))
        if part[f] >= 0:
            if right < box[0] or left > box[2] or bottom < box[1] or top > box[3]:
                continue
        elif right < 0 or left > width - 1 or bottom < 0 or top > height - 1:
            continue
        chosen[count] = f
        count += 1
    return count


@njit(cache=True, nogil=True)
@no_type_check
def _gather(projected, vertices, zoom_x, shift_x, zoom_y, shift_y, points):
    """The close-up's vertices in its cells, the interior pushed back."""
    for n in range(vertices.shape[0]):
        v = vertices[n]
        points[n, 0] = projected[v, 0] * zoom_x + shift_x
        points[n, 1] = projected[v, 1] * zoom_y + shift_y
        points[n, 2] = projected[v, 2]


@njit(cache=True, nogil=True)
@no_type_check
def _name(face_index, chosen, names, inside, part):
    """From indices of chosen triangles to the close-up's own, and to what they belong to."""
    for row in range(part.shape[0]):
        for column in range(part.shape[1]):
            f = face_index[row, column]
            part[row, column] = OTHER
            if f >= 0:
                f = chosen[f]
                face_index[row, column] = f
                name = names[f]
                if name < 0 or inside[row, column]:
                    part[row, column] = name
