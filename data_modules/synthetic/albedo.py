"""Colours of a rendered face's vertices: skin from the model, eyes and mouth painted."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32

from xpress.morphable.model import MorphableModel

IRIS_ANGLE = 0.51
"""Angle of the iris' rim seen from the eyeball's centre, radians (5.9 mm on a 12 mm ball)."""
PUPIL_ANGLE = 0.2

_IRISES = np.array(
    [[0.24, 0.14, 0.07], [0.35, 0.22, 0.1], [0.25, 0.4, 0.55], [0.35, 0.42, 0.3], [0.4, 0.42, 0.45]]
)
_SKINS = np.array([[0.93, 0.75, 0.66], [0.85, 0.62, 0.5], [0.66, 0.45, 0.33], [0.4, 0.26, 0.19]])
_LIPS, _BROWS = (range(48, 60), range(60, 68)), (range(17, 22), range(22, 27))


class AlbedoPainter:
    """Vertex albedo of random people.

    The skin follows the model's colour basis where it has one, so that its coefficients are exact
    (but for the hair painted on most heads).
    A model without one gets a painted skin: tone, lips, brows and shadowed lids at the landmarks,
    so that a picture still shows where they are.

    Args:
        model: its vertices' order and mean shape are used.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.model = model
        self.skin_vertices = model.parts["face"].vertex_stop
        self.has_colors = model.color_basis.shape[0] > 0
        mean = model.mean.numpy()
        self._gaze = {
            name: _off_axis(mean[part.vertex_start : part.vertex_stop])
            for name, part in model.parts.items()
            if name.startswith("eyeball")
        }
        points = model.landmarks68(model.mean[None])[0].numpy()
        face = mean[: self.skin_vertices]
        self._face = face
        self._hairline = float(points[17:27, 1].max())
        self._lips = _inside_ring(face, points[list(_LIPS[0])], points[list(_LIPS[1])])
        lines = [_near_line(face, points[list(brow)], 0.45) for brow in _BROWS]
        self._brows = np.maximum(*lines)

    def __call__(
        self, rng: np.random.Generator
    ) -> tuple[Float32[np.ndarray, "V 3"], Float32[np.ndarray, " Kc"]]:
        """Albedo in [0, 1] and the colour coefficients it was made with (none: no columns)."""
        count = self.model.color_basis.shape[0]
        color = (rng.normal(0, 1, count) * rng.uniform(0.5, 1.1)).clip(-2.5, 2.5)
        color = color.astype(np.float32)
        if self.has_colors:
            albedo = self.model.colors(torch.from_numpy(color)[None])[0].numpy().copy()
        else:
            albedo = self.model.mean_color.numpy().copy()
            albedo[: self.skin_vertices] = self._paint_skin(rng)
        if rng.random() < 0.6:
            self._paint_hair(rng, albedo)
        self._paint_inside(rng, albedo)
        return albedo.clip(0.0, 1.0).astype(np.float32), color

    def _paint_skin(self, rng: np.random.Generator) -> Float[np.ndarray, "F 3"]:
        first, second = _SKINS[rng.integers(0, len(_SKINS), 2)]
        skin = first + (second - first) * rng.random() + rng.normal(0, 0.03, 3)
        lip = skin * [0.85, 0.55, 0.55] * rng.uniform(0.8, 1.15) + [rng.uniform(0, 0.1), 0, 0]
        brow = skin * rng.uniform(0.15, 0.7)
        albedo = np.tile(skin, (self.skin_vertices, 1))
        albedo += self._lips[:, None] * (lip - skin)
        albedo += self._brows[:, None] * (brow - skin)
        return albedo

    def _paint_hair(self, rng: np.random.Generator, albedo: Float[np.ndarray, "V 3"]) -> None:
        """Hair grows above a wavy line over the brows and behind the temples."""
        x, y, _ = self._face.T
        height = self._hairline + rng.uniform(1.2, 4.5)
        wave = rng.uniform(0, 0.6) * np.sin(x * rng.uniform(0.3, 1.5) + rng.uniform(0, 6.3))
        above = (y - height - wave) / 0.4
        behind = np.minimum(np.abs(x) - rng.uniform(6.2, 7.2), y - rng.uniform(-2, 4)) / 0.4
        cover = np.clip(np.maximum(above, behind), 0, 1)[:, None]
        hair = rng.random() * np.array([0.8, 0.62, 0.45]) * rng.uniform(0.85, 1.15, 3)
        albedo[: self.skin_vertices] += cover * (hair - albedo[: self.skin_vertices])

    def _paint_inside(self, rng: np.random.Generator, albedo: Float[np.ndarray, "V 3"]) -> None:
        red = rng.uniform(0.4, 0.65)
        teeth = np.array([0.85, 0.81, 0.72]) * rng.uniform(0.7, 1.1)
        paints = {
            "eye_sockets": albedo[: self.skin_vertices].mean(0) * [0.8, 0.6, 0.55],
            "mouth_socket": np.array([0.25, 0.07, 0.07]) * rng.uniform(0.4, 1.2),
            "gums_tongue": np.array([red, red * 0.45, red * 0.45]),
            "teeth_upper": teeth,
            "teeth_lower": teeth * 0.9,
        }
        for name, paint in paints.items():
            if name in self.model.parts:
                part = self.model.parts[name]
                albedo[part.vertex_start : part.vertex_stop] = paint
        white = np.array([0.92, 0.9, 0.88]) * rng.uniform(0.75, 1.0)
        iris = _IRISES[rng.integers(len(_IRISES))] * rng.uniform(0.6, 1.3)
        rim, hole = IRIS_ANGLE * rng.uniform(0.93, 1.07), PUPIL_ANGLE * rng.uniform(0.7, 1.4)
        for name, angle in self._gaze.items():
            part = self.model.parts[name]
            eye = np.where((angle < rim)[:, None], iris, white)
            albedo[part.vertex_start : part.vertex_stop] = np.where(
                (angle < hole)[:, None], 0.03, eye
            )


def _off_axis(ball: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, " V"]:
    """Angle of an eyeball's vertices off the straight look, seen from its centre."""
    low, high = ball.min(0), ball.max(0)
    center = (low + high) / 2
    center[2] = low[2] + (high[0] - low[0]) / 2  # the cornea bulges forward
    arm = ball - center
    return np.arctan2(np.linalg.norm(arm[:, :2], axis=1), arm[:, 2])


def _inside_ring(
    points: Float[np.ndarray, "V 3"],
    outer: Float[np.ndarray, "M 3"],
    inner: Float[np.ndarray, "K 3"],
) -> Float[np.ndarray, " V"]:
    """1 between two polygons in the x-y plane, softened by 2 mm, for points near the front."""

    def signed(polygon: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, " V"]:
        contour = polygon[:, None, :2].astype(np.float32)
        return np.array([cv2.pointPolygonTest(contour, (float(x), float(y)), True) for x, y in xy])

    xy = points[:, :2]
    near = np.zeros(len(points))
    inside = np.clip(signed(outer) / 0.2 + 0.5, 0, 1) * np.clip(0.5 - signed(inner) / 0.2, 0, 1)
    front = points[:, 2] > outer[:, 2].min() - 1.5
    near[front] = inside[front]
    return near


def _near_line(
    points: Float[np.ndarray, "V 3"], line: Float[np.ndarray, "M 3"], width: float
) -> Float[np.ndarray, " V"]:
    """1 on a polyline, 0 from `width` on."""
    distance = np.full(len(points), np.inf)
    for a, b in pairwise(line):
        along = ((points - a) @ (b - a) / ((b - a) @ (b - a))).clip(0, 1)
        offset = points - a - along[:, None] * (b - a)
        distance = np.minimum(distance, np.linalg.norm(offset, axis=1))
    return np.clip(1.5 - 1.5 * distance / width, 0, 1)
