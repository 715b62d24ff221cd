"""The picture half of reenactment: one target picture, any expression, a new frame."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from xpress.animation.head.cut_out import HeadCutOut
from xpress.animation.head.head_warp import HeadWarp
from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.eye_picture import FaceView, OpenEyes
from xpress.animation.openings.generated_mouth import GeneratedMouth, MouthPainter
from xpress.animation.openings.mouth import MouthOpening
from xpress.animation.openings.opening import Opening
from xpress.animation.openings.painted_eyes import EyePainter, PaintedEyes
from xpress.animation.warping.backward_flow import (
    extend,
    face_grid,
    moving_box,
    vertex_maps,
)
from xpress.animation.warping.bands import bands
from xpress.animation.warping.compositing import (
    Box,
    apply_gain,
    blend,
    clip_box,
    enclosing,
    inside,
    intersect,
)
from xpress.animation.warping.creases import Creases
from xpress.animation.warping.inpainting import crop_box
from xpress.animation.warping.mesh_evaluator import MeshEvaluator, Projection, camera_normals
from xpress.animation.warping.relighting import (
    estimate_illumination,
    is_degenerate,
    luminance_light,
    shading_change,
)
from xpress.morphable.face_model import LinearFaceModel
from xpress.once import once
from xpress.rendering.lighting import spherical_harmonics
from xpress.rendering.z_buffer import Buffers
from xpress.structures import FaceParameters
from xpress.transfer.head_motion import HeadMotion

STILL, MOVED = 0.002, 0.015
"""Motion of an opening's rim over the eye-corner distance: below the first, the target's own
pixels are warped as they are; above the second, skin and interior are painted apart."""
LARGE = 120.0
"""Eye-corner distance in pixels from which a photograph has no detail for the costlier cubic."""
UNCHANGED = 1e-6


class FaceAnimator:
    """Moves the face of one target picture at a time; see the module's stages.

    Args:
        model: the face model.
        mouth: `model` paints the mouth's inside from the face model, a generator from what lies
            around it (see `GeneratedMouth`), `none` leaves what the warp gives.
        eyes: a generator that moves lids and irises (see `PaintedEyes`); None leaves what the
            warp gives.
        relight: follow the light where the skin turns and folds.

    Attributes:
        timings: seconds spent in each stage since the start, for the summary.
        last_region: x0, y0, x1, y1 of the pixels the last frame could change.
    """

    def __init__(
        self,
        model: LinearFaceModel,
        mouth: Literal["model", "none"] | MouthPainter = "model",
        eyes: EyePainter | None = None,
        relight: bool = True,
    ) -> None:
        self.model = model = model.numpy()
        self.anatomy = Anatomy(model)
        # The target is where its parameters say; only what changes is kept off the bones.
        self._shape = MeshEvaluator(model, self.anatomy.moving)
        self.evaluator = MeshEvaluator(model, self.anatomy.damping)
        self.relight = relight
        albedo = model.mean_color
        self._albedo = albedo
        self._mouth: MouthOpening | None = None
        if mouth == "model":
            self._mouth = MouthOpening(self.anatomy, albedo)
        elif mouth != "none":
            self._mouth = GeneratedMouth(self.anatomy, albedo, mouth)
        self._painted = None if eyes is None else PaintedEyes(self.anatomy, eyes)
        self._opened: OpenEyes | None = None
        self._skin_vertices = np.unique(self.anatomy.skin)
        self._creases = Creases(self.anatomy.skin, self.anatomy.rim_distance)
        self._buffers: Buffers | None = None
        self.timings: defaultdict[str, float] = defaultdict(float)
        self.last_region: Box = (0, 0, 0, 0)
        self._last_maps: Float32[np.ndarray, "R C 3"] | None = None
        self._cut_out: Callable[[], HeadCutOut]
        self._head: HeadWarp | None = None

    def twin(self) -> FaceAnimator:
        """Another animator of the same target, for another thread.

        What is known of the model and of the target is shared, but for what a frame is drawn with.
        """
        other = copy.copy(self)
        other._shape = copy.copy(self._shape)
        other._mouth = None if self._mouth is None else self._mouth.twin()
        other._painted = copy.copy(self._painted)
        other.timings = defaultdict(float)
        other._buffers = other._last_maps = other._head = None
        return other

    def set_target(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        parameters: FaceParameters,
        opened: OpenEyes | None = None,
    ) -> None:
        """Take a target; cheap enough for every frame of a target video.

        Args:
            image: RGB.
            parameters: of one face, in pixels of `image`.
            opened: what the eyes look like where the target's are shut.
        """
        with self._timed("target"):
            parameters = parameters.numpy()
            self._image = image
            self._head = None
            self._expression = parameters.expression[0].astype(np.float32)
            self._projection = Projection(parameters)
            self._projected = self._project(parameters, self._projection)
            self._eye_distance = self.anatomy.eye_distance * float(parameters.scale[0])
            self._grid = face_grid(self._projected[self._skin_vertices], *image.shape[:2])
            self.last_region = clip_box(self._grid.box, *image.shape[:2])
            self._normals = camera_normals(self._projected, self.anatomy.skin)
            self._bend = self._creases.bend(self._projected, self._normals, self._eye_distance)
            self._illumination = self._light(parameters)
            self._light_luma = luminance_light(self._illumination)
            given = self.model, image, self._projected, self._projection, self._light_luma
            self._cut_out = once(lambda: HeadCutOut.of(*given))
            if self._mouth is not None:
                light = self._mean_light(self._mouth.close_up.vertices)
                self._mouth.set_target(image, self._projected, light)
            if self._painted is not None:
                self._set_eyes(self._painted, parameters, opened)

    def _project(
        self, parameters: FaceParameters, projection: Projection
    ) -> Float32[np.ndarray, "V 3"]:
        """A face's vertices in pixels."""
        offsets = self._shape.offsets(parameters.expression[0].astype(np.float32))
        return projection.project(self._shape.neutral(parameters.identity) + offsets)

    def _set_eyes(
        self, painted: PaintedEyes, parameters: FaceParameters, opened: OpenEyes | None
    ) -> None:
        if opened is not self._opened:
            self._opened = opened
            view = None
            if opened is not None:
                given = opened.parameters.numpy()
                projection = Projection(given)
                projected = self._project(given, projection)
                view = self._view(opened.image, given, projection, projected)
            painted.set_opened(view)
        painted.set_target(self._view(self._image, parameters, self._projection, self._projected))

    def _view(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        parameters: FaceParameters,
        projection: Projection,
        projected: Float32[np.ndarray, "V 3"],
    ) -> FaceView:
        expression = parameters.expression[0].astype(np.float32)
        closing = projection.displace(self.anatomy.closing.reshape(-1, 3))[:, :2]
        return FaceView(
            image,
            projected,
            float(parameters.scale[0]),
            projection.displace(expression @ self.anatomy.gaze)[:, :2],
            expression[self.anatomy.blinks],
            closing.reshape(2, -1, 2),
        )

    def render(
        self, expression: Float32[np.ndarray, " Ke"], head: HeadMotion | None = None
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The target with another expression, and its head moved.

        Args:
            expression: activations in [0, 1].
            head: how its head moves; None leaves it where it is.

        Returns:
            A new full frame. Outside `last_region` it is the target bit by bit, and everywhere
            when the expression is the target's own and the head stays.
        """
        face = self.last_region = clip_box(self._grid.box, *self._image.shape[:2])
        out = self._with_expression(expression)
        if head is None or head.is_still:
            return out
        with self._timed("head"):
            if self._head is None:
                self._head = HeadWarp(self._cut_out())
            self._head.turn(out, head, face)
        self.last_region = enclosing(face, self._head.box)
        return out

    def _with_expression(
        self, expression: Float32[np.ndarray, " Ke"]
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The target with another expression in place."""
        change = np.asarray(expression, np.float32) - self._expression
        x0, y0, x1, y1 = region = self.last_region
        out = self._image.copy()
        self._last_maps = None
        if np.abs(change).max() < UNCHANGED or x1 <= x0 or y1 <= y0:
            return out
        with self._timed("mesh"):
            moved = self._projection.displace(self.evaluator.offsets(change))
            projected = self._projected + moved
        with self._timed("flow"):
            self._last_maps = maps = self._maps(projected, moved)
        with self._timed("warp"):
            skin = self._warp(maps)
        with self._timed("eyes"):
            if self._painted is not None:
                turns = self._projection.displace(change @ self.anatomy.gaze)[:, :2]
                self._painted.paint(skin, self._grid.box, projected, turns)
        with self._timed("mouth"):
            if self._mouth is not None:
                self._paint(skin, self._mouth, projected, moved, maps)
        with self._timed("composite"):
            rows, columns = inside(self._grid.box, region)
            out[y0:y1, x0:x1] = skin[rows, columns]
        return out

    def last_flow(self) -> Float32[np.ndarray, "H W 2"]:
        """Backward flow (x, y) of the last frame, pixels of the image.

        Where the frame shows skin, its pixel p is the target's at p + flow(p), but for what the
        head's own motion adds.
        """
        height, width = self._image.shape[:2]
        flow = np.zeros((height, width, 2), np.float32)
        x0, y0, x1, y1 = region = clip_box(self._grid.box, height, width)
        if self._last_maps is not None and x1 > x0 and y1 > y0:
            rows, columns = inside(self._grid.box, region)
            flow[y0:y1, x0:x1] = self._grid.to_pixels(self._last_maps)[rows, columns, :2]
        return flow

    def _maps(self, projected, moved) -> Float32[np.ndarray, "R C 3"]:
        """Flow in pixels and the shading's relative change, in the grid's cells."""
        change = np.zeros(len(moved), np.float32)
        if self.relight:
            normals = camera_normals(projected, self.anatomy.skin)
            change = shading_change(self._normals, normals, self._light_luma, self._skin_vertices)
            bend = self._creases.bend(projected, normals, self._eye_distance)
            change += self._creases.change(self._bend, bend)
        attributes = np.column_stack([-moved[:, :2], change]).astype(np.float32)
        maps, known, self._buffers = vertex_maps(
            self._grid, projected, self.anatomy.skin, attributes, self._buffers
        )
        extend(maps, known)
        if self.relight:
            maps[..., 2] *= cv2.blur(known.astype(np.float32), (5, 5))  # walls are not relit
            sigma = max(0.012 * self._eye_distance * self._grid.zoom[0], 0.5)
            maps[..., 2] = np.exp(cv2.GaussianBlur(maps[..., 2], (0, 0), sigma)) - 1
        return maps

    def _warp(self, maps: Float32[np.ndarray, "R C 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The grid's box of the target, moved and relit."""
        skin = crop_box(self._image, self._grid.box).copy()
        x0, y0, x1, y1 = box = moving_box(maps, self._grid)
        smooth = self._eye_distance >= LARGE
        interpolation = cv2.INTER_LINEAR if smooth else cv2.INTER_CUBIC
        for rows, positions, change in bands(maps, self._grid, box, self._grid.box[:2]):
            moved = cv2.remap(
                self._image, *positions, interpolation, borderMode=cv2.BORDER_REPLICATE
            )
            if self.relight:
                apply_gain(moved, change)
            skin[y0:y1, x0:x1][rows] = moved
        return skin

    def _paint(self, skin, opening: Opening, projected, moved, maps) -> None:
        """An opening over the warped skin, as far as its rim has moved."""
        weight = self._motion(opening.close_up.surroundings.rim(moved))
        box = intersect(opening.grid.box, self._grid.box)
        if weight == 0 or box[2] <= box[0] or box[3] <= box[1]:
            return
        color, alpha = opening.paint(projected, maps, self._grid, skin)
        rows, columns = inside(opening.grid.box, box)
        blend(skin[inside(self._grid.box, box)], color[rows, columns], alpha[rows, columns], weight)

    def _motion(self, rim: Float32[np.ndarray, "R 2"]) -> float:
        largest = float(np.abs(rim).max()) / self._eye_distance
        x = min(max((largest - STILL) / (MOVED - STILL), 0.0), 1.0)
        return x * x * (3 - 2 * x)

    def _light(self, parameters: FaceParameters) -> Float32[np.ndarray, "9 3"]:
        given = parameters.illumination[0].astype(np.float32)
        if not is_degenerate(given):
            return given
        points, facing = self._projected, self._normals[:, 2]
        height, width = self._image.shape[:2]
        inside_image = (points[:, 0] > 0) & (points[:, 0] < width - 1)
        inside_image &= (points[:, 1] > 0) & (points[:, 1] < height - 1)
        index = np.flatnonzero(inside_image & (facing > 0.3))[::12]
        x, y = points[index, :2].T.copy()
        if not len(index):
            return estimate_illumination(*(np.zeros((0, 3), np.float32) for _ in range(3)))
        colors = cv2.remap(self._image, x[None], y[None], cv2.INTER_LINEAR)[0]
        albedo = self._albedo[index]
        color = parameters.color[0]
        if color.any():
            basis = self.model.color_basis[:, index]
            albedo = albedo + np.tensordot(color, basis, 1).astype(np.float32)
        return estimate_illumination(
            colors.astype(np.float32) / 255, albedo.clip(0.02, 1), self._normals[index]
        )

    def _mean_light(self, vertices: np.ndarray) -> Float32[np.ndarray, " 3"]:
        normals = self._normals[vertices[::8]]
        normals = normals[normals[:, 2] > 0.3]
        if not len(normals):
            normals = np.array([[0, 0, 1]], np.float32)
        return (spherical_harmonics(normals) @ self._illumination).mean(0)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] += time.perf_counter() - start
