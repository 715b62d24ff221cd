"""A z-buffer on the CPU without torch: one loop, compiled once and cached beside this file.

The mesh of a face has more triangles than its picture has pixels, so most boxes hold one pixel
centre or none: the loop is bound by the set-up of a triangle, and edge functions are evaluated
relative to the pixel instead of stepped. That costs nothing at this size, and two triangles that
share an edge get exactly opposite values there, so no pixel falls between them.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int32
from numba import njit

Buffers = tuple[np.ndarray, np.ndarray, np.ndarray]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _draw(vertices, triangles, cull, face_index, depth):
    """Fill face_index (H, W) and depth (H, W); False if a triangle names no vertex."""
    number = vertices.dtype.type
    zero, one = number(0), number(1)
    last_row, last_column = number(face_index.shape[0] - 1), number(face_index.shape[1] - 1)
    face_index[:] = -1
    depth[:] = -np.inf
    for f in range(triangles.shape[0]):
        i, j, k = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        if min(i, j, k) < 0 or max(i, j, k) >= vertices.shape[0]:
            return False
        x0, y0, z0 = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        x1, y1, z1 = vertices[j, 0], vertices[j, 1], vertices[j, 2]
        x2, y2, z2 = vertices[k, 0], vertices[k, 1], vertices[k, 2]
        finite = math.isfinite(x0 + y0 + z0 + x1 + y1 + z1 + x2 + y2 + z2)
        # Clamped before any conversion: an integer cannot hold every float.
        left = np.ceil(max(min(x0, min(x1, x2)), zero))
        right = np.floor(min(max(x0, max(x1, x2)), last_column))
        top = np.ceil(max(min(y0, min(y1, y2)), zero))
        bottom = np.floor(min(max(y0, max(y1, y2)), last_row))
        if not (finite & (left <= right)):
            continue
        py = top
        while py <= bottom:
            row = int(py)
            dy0, dy1, dy2 = y0 - py, y1 - py, y2 - py
            px, column = left, int(left)
            while px <= right:
                dx0, dx1, dx2 = x0 - px, x1 - px, x2 - px
                e0 = dx1 * dy2 - dy1 * dx2
                e1 = dx2 * dy0 - dy2 * dx0
                e2 = dx0 * dy1 - dy0 * dx1
                # Without an area this is not a number, and no comparison holds for that.
                z = (e0 * z0 + e1 * z1 + e2 * z2) / (e0 + e1 + e2)
                # y points down: the front, counter-clockwise on screen, has negative areas.
                front = (e0 <= zero) & (e1 <= zero) & (e2 <= zero)
                back = (e0 >= zero) & (e1 >= zero) & (e2 >= zero) & (not cull)
                # One jump instead of one a condition: what it depends on cannot be predicted.
                if (front | back) & (z > depth[row, column]):
                    depth[row, column] = z
                    face_index[row, column] = f
                px += one
                column += 1
            py += one
    return True


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def draw_batch(vertices, triangles, cull, face_index, depth):
    """`_draw` for (B, V, 3) vertices and (B, H, W) buffers."""
    for b in range(vertices.shape[0]):
        if not _draw(vertices[b], triangles, cull, face_index[b], depth[b]):
            return False
    return True


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _weigh(vertices, triangles, face_index, barycentrics, depth):
    """Fill barycentrics (H, W, 3) of the visible triangles; empty pixels become zero."""
    height, width = face_index.shape
    for row in range(height):
        for column in range(width):
            f = face_index[row, column]
            if f < 0:
                barycentrics[row, column] = 0
                depth[row, column] = 0
                continue
            i, j, k = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            px, py = vertices.dtype.type(column), vertices.dtype.type(row)
            dx0, dy0 = vertices[i, 0] - px, vertices[i, 1] - py
            dx1, dy1 = vertices[j, 0] - px, vertices[j, 1] - py
            dx2, dy2 = vertices[k, 0] - px, vertices[k, 1] - py
            e0 = dx1 * dy2 - dy1 * dx2
            e1 = dx2 * dy0 - dy2 * dx0
            e2 = dx0 * dy1 - dy0 * dx1
            area = e0 + e1 + e2
            barycentrics[row, column, 0] = e0 / area
            barycentrics[row, column, 1] = e1 / area
            barycentrics[row, column, 2] = e2 / area


def rasterize_numpy(
    vertices: Float32[np.ndarray, "V 3"],
    triangles: Int32[np.ndarray, "F 3"],
    height: int,
    width: int,
    *,
    cull_backfaces: bool = False,
    out: Buffers | None = None,
) -> Buffers:
    """One image without torch, for the frame loop. Releases the GIL.

    Args:
        vertices: x, y in pixels (y down), z larger is nearer.
        triangles: vertex indices.
        height: rows of the image.
        width: columns of the image.
        cull_backfaces: draw only triangles that turn their front to the viewer.
        out: what an earlier call of the same size returned, to be overwritten.

    Returns:
        face_index int32 (H, W), -1 where nothing is seen; barycentrics float32 (H, W, 3) and
        depth float32 (H, W), zero where nothing is seen.

    Raises:
        IndexError: a triangle names a vertex that does not exist.
    """
    if out is None:
        out = (
            np.empty((height, width), np.int32),
            np.empty((height, width, 3), np.float32),
            np.empty((height, width), np.float32),
        )
    face_index, barycentrics, depth = out
    if face_index.shape != (height, width):
        raise ValueError(f"out is for {face_index.shape}, not for {(height, width)}")
    vertices, triangles = np.ascontiguousarray(vertices), np.ascontiguousarray(triangles)
    if not _draw(vertices, triangles, cull_backfaces, face_index, depth):
        raise IndexError(f"triangles name vertices outside 0..{len(vertices) - 1}")
    _weigh(vertices, triangles, face_index, barycentrics, depth)
    return out
