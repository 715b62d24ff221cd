"""The editor that needs no training: blendshapes of the units through warp and mouth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from xpress.editing.editor import EditedPicture
from xpress.editing.expressions import ExpressionSolver
from xpress.extraction.face_sample import FaceSample
from xpress.morphable.action_units import SIDES
from xpress.morphable.expression_geometry import LID_LEFT, LID_RIGHT, ExpressionGeometry
from xpress.morphable.gaze import gaze_columns
from xpress.reenactment.target_video import Animator

BEYOND = 1.0
"""Activation that a blink may be drawn beyond one, where that alone leaves wide eyes ajar."""


class MorphableEditor:
    """Moves the action unit table's blendshapes and shows them as reenactment does.

    >>> editor = MorphableEditor(reenactor.geometry, reenactor.animators())
    >>> smiling = editor.edit(image, face, {"AU12": 0.8})

    Args:
        geometry: of the face model.
        animator: draws the face with another expression; it belongs to this editor alone.
    """

    name = "morphable"

    def __init__(self, geometry: ExpressionGeometry, animator: Animator) -> None:
        self.solver = ExpressionSolver(geometry.names)
        self.geometry = geometry
        self._blinks = [geometry.names.index(f"eyeBlink{side}") for side in SIDES]
        self._looks = gaze_columns(geometry.names)
        self._animator = animator
        self._image: np.ndarray | None = None
        self._face: FaceSample | None = None

    def edit(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        face: FaceSample,
        units: Mapping[str, float],
        share: float = 1.0,
    ) -> EditedPicture:
        """As `Editor.edit`; units may be one-sided (AU45_L)."""
        own, wanted = face.expression, self.solver(face.expression, units)
        return self.edit_expression(
            image, face, wanted if share == 1 else own + share * (wanted - own)
        )

    def edit_units(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample, units: Float[np.ndarray, "17"]
    ) -> EditedPicture:
        """The picture with all units of a face set, in the order of `ACTION_UNITS`."""
        return self.edit_expression(image, face, self.solver.reach(face.expression, units))

    def towards(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample, other: FaceSample, step: float
    ) -> EditedPicture:
        """As `Editor.towards`; the eyes keep their own look.

        What is read as straight ahead differs between people by 0.05 of an eye's width, so another
        one's look would turn the eyes of two who both face the camera.
        """
        mixed = face.expression + step * (other.expression - face.expression)
        mixed[self._looks] = face.expression[self._looks]
        return self.edit_expression(image, face, np.clip(mixed, 0, 1))

    def edit_expression(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        face: FaceSample,
        expression: Float[np.ndarray, " Ke"],
    ) -> EditedPicture:
        """The picture with a face showing an expression, activations in [0, 1]."""
        if np.array_equal(expression, face.expression):
            return EditedPicture.nothing(image)
        if image is not self._image or face is not self._face:
            self._animator.set_target(image, face.parameters)
            self._image, self._face = image, face
        drawn = self._animator.render(self._closing(face, expression).astype(np.float32))
        return EditedPicture(drawn, (drawn != image).any(-1).astype(np.float32))

    def _closing(
        self, face: FaceSample, expression: Float[np.ndarray, " Ke"]
    ) -> Float[np.ndarray, " Ke"]:
        """The expression as it is drawn: lids meet when a blink is complete, whoever's they are."""
        drawn = np.array(expression, np.float64)
        own = self.geometry.neutral(face.identity) + self.geometry.changes(face.expression)
        added = self.geometry.changes(drawn - face.expression)
        for blink, lid in zip(self._blinks, (LID_LEFT, LID_RIGHT), strict=True):
            before, after = float(face.expression[blink]), float(drawn[blink])
            if after <= before:
                continue
            gap = max(float(own[lid]), 0.0) * (1 - after) / (1 - before)
            closes = -float(self.geometry.changes(np.eye(len(drawn))[blink])[lid])
            drawn[blink] += np.clip((own[lid] + added[lid] - gap) / closes, 0, BEYOND)
        return drawn
