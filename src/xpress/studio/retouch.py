"""One face whose action units and gaze change again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from xpress.editing.action_unit_values import ONE_SIDED
from xpress.editing.expression_editor import ExpressionEditor
from xpress.editing.morphable import MorphableEditor
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.face_window import FaceWindow
from xpress.morphable.action_units import (
    ACTION_UNIT_NAMES,
    ACTION_UNITS,
    SIDES,
    ActionUnits,
    action_unit_matrix,
)
from xpress.morphable.gaze import gaze_columns, gaze_of, looks_of

Image = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Wish:
    """What a face is to show.

    Attributes:
        units: intensities as `parse_action_units` returns them.
        gaze: turns of the eyes to the owner's left and upwards, in [-1, 1]; None leaves them.
    """

    units: Mapping[str, float]
    gaze: tuple[float, float] | None = None


class Retouch:
    """Edits one face of one picture, whose preparation is kept from wish to wish.

    Args:
        editor: chosen by the user.
        image: RGB.
        face: of that picture.
    """

    def __init__(self, editor: ExpressionEditor, image: Image, face: FaceSample) -> None:
        self.image, self.face = image, face
        self._editor = editor.editors()
        self._window = FaceWindow.around(face, *image.shape[:2])
        # the editor knows by these two that nothing has to be prepared anew
        self._picture = np.ascontiguousarray(self._window.cut(image))
        self._shifted = self._window.shifted(face)

    def __call__(self, wish: Wish, share: float = 1.0) -> Image:
        """The whole picture as wished, or a share of the way there."""
        if isinstance(self._editor, MorphableEditor):
            own = self._shifted.expression
            wanted = own + share * (self.expression(wish) - own)
            edited = self._editor.edit_expression(self._picture, self._shifted, wanted)
        else:
            edited = self._editor.edit(self._picture, self._shifted, wish.units, share)
        result = self.image.copy()
        result[self._window.place] = edited.image
        return result

    def expression(self, wish: Wish) -> Float[np.ndarray, " Ke"]:
        """Activations that a wish asks the morphable editor for."""
        assert isinstance(self._editor, MorphableEditor)
        wanted = self._editor.solver(self.face.expression, wish.units)
        columns = gaze_columns(self._editor.geometry.names)
        if wish.gaze is not None:
            nearness = gaze_of(wanted[columns])[2]
            wanted[columns] = looks_of(np.array([*wish.gaze, nearness]))
        return wanted


def own_values(names: list[str], expression: Float[np.ndarray, " Ke"]) -> dict[str, float]:
    """What a face shows itself: all units, those that have sides also by side, and its gaze."""
    units = dict(zip(ACTION_UNIT_NAMES, ActionUnits(names)(expression).tolist(), strict=True))
    matrix = action_unit_matrix(names)
    for number in ONE_SIDED:
        row = matrix[ACTION_UNITS.index(number)]
        for side in SIDES:
            shapes = [i for i in np.flatnonzero(row) if names[i].endswith(side)]
            units[f"AU{number}{side}"] = float(expression[shapes].mean())
    turned, up, _ = gaze_of(expression[gaze_columns(names)]).tolist()
    return units | {"gaze_x": turned, "gaze_y": up}
