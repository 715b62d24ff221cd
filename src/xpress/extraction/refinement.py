"""A photograph's face parameters, improved by Gauss-Newton steps on the photograph itself.

At inference nobody has labelled the landmarks. So the encoder's own are soft observations that
hold the face in place, and what they leave open is decided by the skin's colours: where the model
is drawn it shall look like the picture (Blanz and Vetter, "A Morphable Model for the Synthesis of
3D Faces", SIGGRAPH 1999; Gauss-Newton as in Thies et al., "Face2Face", CVPR 2016).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from xpress.extraction.face_analysis import Refinement
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.refinement_problem import (
    RefineParts,
    RefineProblem,
    RefineSettings,
    Variables,
    moved,
)
from xpress.media.crop import Crop
from xpress.morphable.face_model import LinearFaceModel
from xpress.morphable.fitting import POSE, FitState, axis_angle, bounded_solve, project_state
from xpress.morphable.model import MorphableModel
from xpress.morphable.surface import SurfacePoints
from xpress.rendering.camera import rotation_matrix

FIRST_DAMPING = 1e-2
TRIES = 4
"""Dampings that a step may try before it is given up."""


class FaceRefiner:
    """Refines faces of photographs.

    Args:
        model: the face model.
        settings: see `RefineSettings`.
    """

    def __init__(self, model: LinearFaceModel, settings: RefineSettings | None = None) -> None:
        self.settings = settings or RefineSettings()
        self._parts = RefineParts(MorphableModel.of(model.numpy()))

    def __call__(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample, steps: int
    ) -> Refinement:
        """Take so many steps from what the encoder says.

        A step is damped until it makes the objective smaller (Levenberg); where no damping does,
        the face is at its best and stays.
        """
        crop = Crop.around(face.landmarks68, size=self.settings.size)
        problem = self._problem(image, face, crop)
        now = problem.start
        points = problem.sample(now)
        before = problem.shade(now, points).rms
        damping, taken = FIRST_DAMPING, 0
        for _ in range(steps):
            better, damping = _step(problem, now, points, damping)
            if better is None:
                break
            now, taken = better, taken + 1
            points = problem.sample(now)
        after = problem.shade(now, points).rms
        return Refinement(self._face(face, now, crop), before, after, taken)

    def _problem(self, image: np.ndarray, face: FaceSample, crop: Crop) -> RefineProblem:
        colors = crop.cut(image).astype(np.float32) / 255
        picture = np.asarray(cv2.GaussianBlur(colors, (0, 0), self.settings.blur))
        dy, dx = np.gradient(picture, axis=(0, 1))
        stack = np.concatenate([picture, dx, dy], axis=2).transpose(2, 0, 1)
        pixels = np.mgrid[: crop.size, : crop.size][::-1].transpose(1, 2, 0)
        x, y = np.moveaxis(crop.to_image(pixels), -1, 0)
        height, width = image.shape[:2]
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        p = face.parameters.torch()
        pose = FitState(
            p.identity,
            p.expression,
            rotation_matrix(p.rotation),
            torch.from_numpy(crop.to_crop(face.translation)).float()[None],
            p.scale * crop.zoom,
        )
        start = Variables(pose, p.color[0], p.illumination[0])
        stacked = torch.from_numpy(np.ascontiguousarray(stack))
        return RefineProblem(self._parts, self.settings, stacked, inside, start)

    def _face(self, face: FaceSample, now: Variables, crop: Crop) -> FaceSample:
        pose = now.pose
        scale = pose.scale / crop.zoom
        translation = torch.from_numpy(crop.to_image(pose.translation.double().numpy())).float()
        placed = replace(pose, translation=translation, scale=scale)
        shape = self._parts.all_landmarks.points(pose.identity, pose.expression)
        points = project_state(placed, shape)[0].double().numpy()
        return face.replace(
            identity=pose.identity[0].double().numpy(),
            expression=pose.expression[0].double().numpy(),
            color=now.color.double().numpy(),
            illumination=now.light.double().numpy(),
            rotation=axis_angle(pose.rotation)[0].double().numpy(),
            translation=translation[0].double().numpy(),
            scale=float(scale),
            landmarks68=points[:68],
            contours=points[68:],
        )


def _step(
    problem: RefineProblem, now: Variables, points: SurfacePoints, damping: float
) -> tuple[Variables | None, float]:
    """A step that makes the objective smaller, or None, and the next one's damping."""
    hessian, gradient = problem.equations(now, points)
    high = torch.full_like(gradient, float("inf"))
    low = -high
    expression = now.pose.expression[0].double()
    shapes = slice(POSE, POSE + len(expression))
    low[shapes], high[shapes] = -expression, 1 - expression
    objective = problem.objective(now, points)
    diagonal = torch.diag(hessian.diagonal() + 1e-9)
    for _ in range(TRIES):
        equations = (hessian + damping * diagonal, gradient, low, high)
        change = bounded_solve(*(part[None] for part in equations))[0]
        tried = moved(now, change.float())
        if problem.objective(tried, points) < objective:
            return tried, damping / 10
        damping *= 10
    return None, damping
