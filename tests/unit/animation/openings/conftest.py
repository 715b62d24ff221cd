"""A flat sheet of skin with a square hole, and a flat interior behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from xpress.animation.openings.anatomy import SKIN, Surroundings

LEFT, TOP, RIGHT, BOTTOM = 48, 48, 92, 72
"""Of the hole, pixels."""
STEP = 4


@dataclass(frozen=True)
class Sheet:
    """Vertices in pixels (depth towards the viewer), and what lies around the hole."""

    vertices: np.ndarray
    surroundings: Surroundings
    skin: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """A shape in centimetres of twenty pixels."""
        return self.vertices / 20

    def with_top(self, top: float) -> np.ndarray:
        """Vertices with the hole's upper edge at another height; the skin above is stretched."""
        moved = self.vertices.copy()
        y = moved[self.skin, 1]
        moved[self.skin, 1] = np.interp(y, (20, TOP, BOTTOM, 100), (20, top, BOTTOM, 100))
        return moved


@pytest.fixture(scope="session")
def sheet() -> Sheet:
    """Skin from (20, 20) to (120, 100)."""
    x, y = np.meshgrid(np.arange(20, 121, STEP), np.arange(20, 101, STEP))
    number = np.arange(x.size).reshape(x.shape)
    quads = []
    for row in range(x.shape[0] - 1):
        for column in range(x.shape[1] - 1):
            a, b = number[row, column], number[row, column + 1]
            c, d = number[row + 1, column], number[row + 1, column + 1]
            if not (LEFT <= x.flat[a] < RIGHT and TOP <= y.flat[a] < BOTTOM):
                quads += [(a, c, b), (b, c, d)]
    skin = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    corners = [(LEFT - 8, TOP - 8), (RIGHT + 8, TOP - 8), (RIGHT + 8, BOTTOM + 8)]
    corners.append((LEFT - 8, BOTTOM + 8))
    behind = np.array([(*corner, -6) for corner in corners])
    first = x.size
    triangles = np.array([*quads, (first, first + 3, first + 1), (first + 1, first + 3, first + 2)])
    part = np.full(len(triangles), SKIN)
    part[-2:] = 0
    on_rim = [
        *((left, TOP) for left in range(LEFT, RIGHT, STEP)),
        *((RIGHT, top) for top in range(TOP, BOTTOM, STEP)),
        *((left, BOTTOM) for left in range(RIGHT, LEFT, -STEP)),
        *((LEFT, top) for top in range(BOTTOM, TOP, -STEP)),
    ]
    loop = np.array([number[(v - 20) // STEP, (u - 20) // STEP] for u, v in on_rim])
    weights = np.tile(np.array([1, 0, 0], np.float32), (len(loop), 1))
    surroundings = Surroundings(
        triangles.astype(np.int32),
        part.astype(np.int32),
        loop,
        np.repeat(loop[:, None], 3, axis=1),
        weights,
    )
    vertices = np.concatenate([skin, behind]).astype(np.float32)
    return Sheet(vertices, surroundings, np.arange(x.size))
