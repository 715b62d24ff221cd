"""Backward flow: where in the target's picture each pixel of the new frame comes from."""

from __future__ import annotations

from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8
from numba import njit

from xpress.animation.warping.raster import Grid
from xpress.rendering.z_buffer import Buffers, rasterize_numpy

LARGEST = 150
"""Longest side of the face in the flow's own raster; larger faces get an upsampled flow. It is
smooth: what is not, lids and lips, is drawn in finer rasters of its own."""
MARGIN = (0.22, 0.12, 0.45)
"""Room beside, above and below the face for the flow to fade, over the face's longer side."""
COARSE = 4
"""Cells of the raster along one cell of the grid on which the flow is extended."""
ROUNDS = 10
"""Sweeps of the membrane's solver, after a first guess from averages."""

NOTHING = 1 / 64
"""Flow (pixels) and logarithm of a gain that change no pixel: samples are 1/32 pixel apart."""


def face_grid(points: Float32[np.ndarray, "V 3"], height: int, width: int) -> Grid:
    """The raster around a projected face with room for the flow to fade out.

    The room ends at the image's border, unless the face itself does not.
    """
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    side = float((high - low).max())
    beside, above, below = (side * m for m in MARGIN)
    room_low, room_high = low - np.array([beside, above]), high + np.array([beside, below])
    room_low = np.maximum(room_low, np.minimum(low, 0))
    room_high = np.minimum(room_high, np.maximum(high, (width, height)))
    return Grid.over(room_low, room_high, min(1.0, LARGEST / max(side, 1.0)))


def vertex_maps(
    grid: Grid,
    projected: Float32[np.ndarray, "V 3"],
    triangles: Int32[np.ndarray, "F 3"],
    attributes: Float32[np.ndarray, "V C"],
    buffers: Buffers | None = None,
) -> tuple[Float32[np.ndarray, "H W C"], Bool[np.ndarray, "H W"], Buffers]:
    """Attributes of the front-facing surface in the grid's cells, and where there is any."""
    height, width = grid.size
    if buffers is not None and buffers[0].shape != grid.size:
        buffers = None
    buffers = rasterize_numpy(
        grid.to_cells(projected), triangles, height, width, cull_backfaces=True, out=buffers
    )
    maps = np.zeros((height, width, attributes.shape[1]), np.float32)
    resolve(buffers[0], buffers[1], triangles, attributes, maps)
    return maps, buffers[0] >= 0, buffers


def extend(maps: Float32[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]) -> None:
    """Continue maps in place beyond where they are known, smoothly to zero at the border.

    A membrane on a coarse grid: its height is the map at the silhouette and zero at the border,
    so nothing tears and nothing jumps. Inside holes (mouth, eyes) it spans from edge to edge.
    """
    coarse, fixed = _coarse_known(maps, known)
    _push_pull(coarse, fixed)
    _relax(coarse, fixed, ROUNDS)
    _fill(maps, known, _soft_inside(known), coarse, COARSE)


def _coarse_known(maps, known) -> tuple[np.ndarray, np.ndarray]:
    """Means over coarse cells, and which of them hold: enough is known, or border."""
    height, width, channels = maps.shape
    shape = -(-height // COARSE), -(-width // COARSE)
    total = np.zeros((*shape, channels), np.float32)
    weight = np.zeros(shape, np.float32)
    _add_up(maps, known, COARSE, total, weight)
    fixed = weight > 0.3 * COARSE**2
    total /= np.maximum(weight, 1)[..., None]
    for edge in ((0,), (-1,), (slice(None), 0), (slice(None), -1)):
        fixed[edge], total[edge] = True, 0
    total[~fixed] = 0
    return total, fixed


def _soft_inside(known: np.ndarray) -> np.ndarray:
    """One well inside the outer silhouette, falling to zero at it; holes count as inside."""
    solid: np.ndarray = np.zeros(known.shape, np.uint8)
    contours, _ = cv2.findContours(known.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(solid, contours, -1, 1, cv2.FILLED)
    solid = cv2.erode(solid, np.ones((3, 3), np.uint8), borderValue=0)
    return cv2.blur(solid.astype(np.float32), (3, 3))


def _push_pull(values: np.ndarray, fixed: np.ndarray) -> None:
    """A first guess for unknown cells from ever coarser averages of the known ones."""
    levels = []
    weight: np.ndarray = fixed.astype(np.float32)
    total: np.ndarray = values * weight[..., None]
    while min(weight.shape) > 2:
        levels.append((total, weight))
        channels = total.shape[2]  # which OpenCV drops when it is one
        total = cv2.pyrDown(total, borderType=cv2.BORDER_REPLICATE)
        total = total.reshape(*total.shape[:2], channels)
        weight = cv2.pyrDown(weight, borderType=cv2.BORDER_REPLICATE)
    guess = total / np.maximum(weight, 1e-6)[..., None]
    for total, weight in reversed(levels):
        upper = cv2.resize(guess, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        guess = total + (1 - weight[..., None]) * upper.reshape(total.shape)
    values[~fixed] = guess[~fixed]


def sample(
    image: UInt8[np.ndarray, "H W 3"],
    points: Float32[np.ndarray, "h w 2"],
    interpolation: int = cv2.INTER_LINEAR,
) -> UInt8[np.ndarray, "h w 3"]:
    """The image's colours at points (x, y); beyond the border it is repeated."""
    return cv2.remap(  # type: ignore[call-overload]
        image, points, None, interpolation, borderMode=cv2.BORDER_REPLICATE
    )


def moving_box(maps: Float32[np.ndarray, "R C N"], grid: Grid) -> tuple[int, int, int, int]:
    """Pixels of the grid's box outside which maps are as good as zero; empty if they all are.

    Args:
        maps: in the grid's cells.
        grid: whose box's first pixel is 0, 0 of the answer.
    """
    x0, y0, x1, y1 = _moving_box(maps, np.float32(NOTHING))
    if x1 == x0:
        return 0, 0, 0, 0
    (zoom_x, zoom_y), (height, width) = grid.zoom, grid.shape
    # A cell reaches half a cell beyond its own pixels when the maps are enlarged.
    left, top = int((x0 - 0.5) / zoom_x), int((y0 - 0.5) / zoom_y)
    right, bottom = int((x1 + 0.5) / zoom_x) + 1, int((y1 + 0.5) / zoom_y) + 1
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def resolve(face_index, barycentrics, triangles, attributes, out):
    """Interpolate vertex attributes (V, C) at the covered pixels of out (H, W, C)."""
    height, width = face_index.shape
    channels = attributes.shape[1]
    for row in range(height):
        for column in range(width):
            f = face_index[row, column]
            if f < 0:
                continue
            i, j, k = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            a = barycentrics[row, column, 0]
            b = barycentrics[row, column, 1]
            c = barycentrics[row, column, 2]
            for n in range(channels):
                out[row, column, n] = (
                    a * attributes[i, n] + b * attributes[j, n] + c * attributes[k, n]
                )


@njit(cache=True, nogil=True)
@no_type_check
def _add_up(maps, known, step, total, weight):
    """Sum known cells into coarse ones."""
    for row in range(maps.shape[0]):
        for column in range(maps.shape[1]):
            if known[row, column]:
                r, c = row // step, column // step
                weight[r, c] += 1
                for n in range(maps.shape[2]):
                    total[r, c, n] += maps[row, column, n]


@njit(cache=True, nogil=True)
@no_type_check
def _fill(maps, known, inside, coarse, step):
    """Mix the coarse maps in where the fine ones end."""
    height, width = coarse.shape[:2]
    for row in range(maps.shape[0]):
        y = min(max((row + 0.5) / step - 0.5, 0.0), height - 1.0)
        i = min(int(y), height - 2)
        fy = np.float32(y - i)
        for column in range(maps.shape[1]):
            share = inside[row, column]
            if not known[row, column]:
                share = np.float32(0)
            elif share >= 1:
                continue
            x = min(max((column + 0.5) / step - 0.5, 0.0), width - 1.0)
            j = min(int(x), width - 2)
            fx = np.float32(x - j)
            for n in range(maps.shape[2]):
                upper = coarse[i, j, n] + fx * (coarse[i, j + 1, n] - coarse[i, j, n])
                lower = coarse[i + 1, j, n] + fx * (coarse[i + 1, j + 1, n] - coarse[i + 1, j, n])
                value = upper + fy * (lower - upper)
                maps[row, column, n] = value + share * (maps[row, column, n] - value)


@njit(cache=True, nogil=True)
@no_type_check
def _relax(values, fixed, rounds):
    """Over-relaxed Gauss-Seidel on Laplace's equation; fixed cells and the border stay."""
    height, width, channels = values.shape
    quarter, over = np.float32(0.25), np.float32(1.6)
    for half in range(2 * rounds):  # like a draughtboard: neighbours do not wait for each other
        for row in range(1, height - 1):
            for column in range(1 + (row + half) % 2, width - 1, 2):
                if fixed[row, column]:
                    continue
                for n in range(channels):
                    around = (
                        values[row - 1, column, n]
                        + values[row + 1, column, n]
                        + values[row, column - 1, n]
                        + values[row, column + 1, n]
                    )
                    values[row, column, n] += over * (quarter * around - values[row, column, n])


@njit(cache=True, nogil=True)
@no_type_check
def _moving_box(maps, nothing):
    height, width, channels = maps.shape
    x0, y0, x1, y1 = width, height, 0, 0
    for row in range(height):
        for column in range(width):
            for n in range(channels):
                if abs(maps[row, column, n]) > nothing:
                    x0, x1 = min(x0, column), max(x1, column + 1)
                    y0, y1 = min(y0, row), max(y1, row + 1)
                    break
    return min(x0, x1), min(y0, y1), x1, y1
