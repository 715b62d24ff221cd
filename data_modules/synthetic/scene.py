"""Pictures of random faces before random backgrounds, with the parameters that made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import no_type_check

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from numba import njit
from torch import Tensor
from xpress.data_modules.synthetic.albedo import AlbedoPainter
from xpress.data_modules.synthetic.parameters import (
    ExpressionSampler,
    random_light,
    random_rotation,
)

from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.z_buffer import rasterize_numpy

PICTURE_RATIO = 1.7
"""Side of a picture over the longer side of its landmark box, as in the face packs."""
OVERSAMPLING = 2
"""Faces are drawn that much larger and averaged down, against stairs at the silhouette."""

Face = dict[str, Float32[np.ndarray, "..."]]


@njit(cache=True, nogil=True)
@no_type_check  # the import hook of the tests would hand numba a wrapper
def _fill(seen, weights, triangles, colors, picture):
    """Paint interpolated vertex colours over (H, W, 3) where a triangle is seen."""
    for row in range(seen.shape[0]):
        for column in range(seen.shape[1]):
            f = seen[row, column]
            if f >= 0:
                for c in range(3):
                    value = np.float32(0)
                    for k in range(3):
                        value += weights[row, column, k] * colors[triangles[f, k], c]
                    picture[row, column, c] = value


class SceneRenderer:
    """Makes faces by number: the same seed and number give the same picture.

    Args:
        model: the face model.
        size: pixels of the square picture.
        seed: of everything random.
        fitted: expressions of real pictures to draw from as well.
        backgrounds: pictures whose blurred pieces serve as backgrounds.
    """

    def __init__(
        self,
        model: MorphableModel,
        size: int = 144,
        seed: int = 0,
        fitted: Float[np.ndarray, "N Ke"] | None = None,
        backgrounds: Sequence[UInt8[np.ndarray, "_h _w 3"]] = (),
    ) -> None:
        self.model, self.size, self.seed = model, size, seed
        self.backgrounds = backgrounds
        self.paint = AlbedoPainter(model)
        self.express = ExpressionSampler(model.expression_names, fitted)
        self.triangles = model.triangles.numpy().astype(np.int32)
        self._inside = np.ones(len(model.mean), np.float32)
        for name in ("mouth_socket", "gums_tongue", "teeth_upper", "teeth_lower"):
            if name in model.parts:
                part = model.parts[name]
                self._inside[part.vertex_start : part.vertex_stop] = 0.75

    @torch.no_grad()
    def __call__(self, numbers: Sequence[int]) -> tuple[UInt8[np.ndarray, "B S S 3"], list[Face]]:
        """Pictures, and for each by name its parameters, `landmarks68` and `contours`."""
        generators = [np.random.default_rng([self.seed, number]) for number in numbers]
        faces = [self._sample(rng) for rng in generators]
        painted = [self.paint(rng) for rng in generators]
        identity, expression, rotation, illumination = (
            torch.from_numpy(np.stack([face[name] for face in faces]))
            for name in ("identity", "expression", "rotation", "illumination")
        )
        vertices = self.model.vertices(identity, expression)
        frames = self._frame(generators, vertices, rotation)
        projected = project(vertices, rotation, *frames)
        points = self.model.landmark_points(projected)[..., :2].numpy()
        normals = rotate(vertex_normals(vertices, self.model.triangles), rotation)
        light = shade(normals, illumination).numpy().clip(0, None)
        images = np.empty((len(faces), self.size, self.size, 3), np.uint8)
        for i, (rng, face) in enumerate(zip(generators, faces, strict=True)):
            albedo, face["color"] = painted[i]
            face["translation"], face["scale"] = frames[0][i].numpy(), frames[1][i].numpy()
            face["landmarks68"], face["contours"] = points[i, :68], points[i, 68:]
            colors = (albedo * light[i] * self._inside[:, None]).astype(np.float32)
            backdrop = self._backdrop(rng, points[i, :68], albedo, light[i])
            images[i] = self._draw(projected[i].numpy(), colors, backdrop)
        return images, faces

    def _sample(self, rng: np.random.Generator) -> Face:
        modes = self.model.identity_basis.shape[0]
        identity = (rng.normal(0, 1, modes) * rng.uniform(0.4, 1.1)).clip(-2.5, 2.5)
        return {
            "identity": identity.astype(np.float32),
            "expression": self.express(rng),
            "rotation": random_rotation(rng),
            "illumination": random_light(rng),
        }

    def _frame(
        self,
        generators: list[np.random.Generator],
        vertices: Float[Tensor, "B V 3"],
        rotation: Float[Tensor, "B 3"],
    ) -> tuple[Float[Tensor, "B 2"], Float[Tensor, " B"]]:
        """Translation and scale that put the landmark box where the packs have it."""
        corners = self.model.landmark_corners[:68]
        points = (vertices[:, corners] * self.model.landmark_weights[:68, :, None]).sum(2)
        count = len(generators)
        seen = project(points, rotation, torch.zeros(count, 2), torch.ones(count))[..., :2].numpy()
        low, high = seen.min(1), seen.max(1)
        loose = np.array([rng.uniform(0.95, 1.05) for rng in generators])
        shift = np.array([rng.normal(0, 0.01, 2) for rng in generators]) * self.size
        scale = self.size / (PICTURE_RATIO * (high - low).max(1)) * loose
        translation = (self.size - 1) / 2 + shift - scale[:, None] * (low + high) / 2
        return torch.from_numpy(translation).float(), torch.from_numpy(scale).float()

    def _draw(
        self,
        projected: Float32[np.ndarray, "V 3"],
        colors: Float32[np.ndarray, "V 3"],
        backdrop: Float32[np.ndarray, "S S 3"],
    ) -> UInt8[np.ndarray, "S S 3"]:
        side = self.size * OVERSAMPLING
        # Pixel u of the small picture covers the centres OVERSAMPLING·u … of the large one.
        points = projected * np.float32(OVERSAMPLING)
        points[:, :2] += (OVERSAMPLING - 1) / 2
        seen, weights, _ = rasterize_numpy(points, self.triangles, side, side, cull_backfaces=True)
        large = cv2.resize(backdrop, (side, side), interpolation=cv2.INTER_LINEAR)
        _fill(seen, weights, self.triangles, colors, large)
        small = cv2.resize(large, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return (small.clip(0, 1) * 255 + 0.5).astype(np.uint8)

    def _backdrop(
        self,
        rng: np.random.Generator,
        points: Float[np.ndarray, "68 2"],
        albedo: Float[np.ndarray, "V 3"],
        light: Float[np.ndarray, "V 3"],
    ) -> Float32[np.ndarray, "S S 3"]:
        """Background, and in most pictures something like hair, neck and clothes on it."""
        picture = self._background(rng)
        low, high = points.min(0), points.max(0)
        reach = high - low
        center = (low + high) / 2
        skin = albedo[: self.paint.skin_vertices].mean(0) * light.mean(0)
        if rng.random() < 0.6:
            hair = rng.random() * rng.uniform(0.2, 1.0, 3) * [1.0, 0.8, 0.6]
            axes = reach * rng.uniform(0.6, 0.9, 2)
            middle = center - [0, reach[1] * rng.uniform(0.1, 0.35)]
            _ellipse(picture, middle, axes, rng.normal(0, 10), hair)
        if rng.random() < 0.7:
            half = reach[0] * rng.uniform(0.25, 0.45)
            corners = center[0] - half, center[1], center[0] + half, float(self.size)
            shade_ = skin * rng.uniform(0.5, 0.95)
            start, stop = np.array(corners).round().astype(int).reshape(2, 2)
            cv2.rectangle(picture, start.tolist(), stop.tolist(), shade_.tolist(), -1)
            if rng.random() < 0.7:
                middle = np.array([center[0], high[1] + reach[1] * rng.uniform(0.5, 0.8)])
                axes = reach * [rng.uniform(1.0, 1.6), rng.uniform(0.4, 0.6)]
                _ellipse(picture, middle, axes, 0.0, rng.random(3) * rng.uniform(0.2, 1))
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.5)).astype(np.float32)

    def _background(self, rng: np.random.Generator) -> Float32[np.ndarray, "S S 3"]:
        size, kind = (self.size, self.size), rng.random()
        if kind < 0.45 and len(self.backgrounds):
            image = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            side = int(min(image.shape[:2]) * rng.uniform(0.25, 0.6))
            top = rng.integers(0, image.shape[0] - side + 1)
            # The face stands in the middle: pieces come from the left or right border.
            left = 0 if rng.random() < 0.5 else image.shape[1] - side
            piece = cv2.resize(image[top : top + side, left : left + side], size)
            blurred = cv2.GaussianBlur(piece, (0, 0), rng.uniform(1, 6))
            return blurred.astype(np.float32) / 255
        if kind < 0.75:  # a smooth field: gradients to blotches
            cells = int(rng.integers(2, 7))
            field = rng.random((cells, cells, 3), np.float32)
            field = rng.random((1, 1, 3), np.float32) + (field - 0.5) * np.float32(rng.random())
            return cv2.resize(field, size, interpolation=cv2.INTER_CUBIC)
        fine = rng.random((self.size // 4, self.size // 4, 3), np.float32)
        noise = cv2.resize(fine, size, interpolation=cv2.INTER_LINEAR)
        return cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 8)) * np.float32(
            rng.uniform(0.3, 1.3)
        )


def _ellipse(
    picture: Float32[np.ndarray, "S S 3"],
    center: Float[np.ndarray, " 2"],
    axes: Float[np.ndarray, " 2"],
    angle: float,
    color: Float[np.ndarray, " 3"],
) -> None:
    middle, half = center.round().astype(int).tolist(), axes.round().astype(int).tolist()
    cv2.ellipse(picture, middle, half, float(angle), 0, 360, color.tolist(), -1)
