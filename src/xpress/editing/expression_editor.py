"""The library's door to expression editing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from xpress.editing.action_unit_values import parse_action_units
from xpress.editing.editor import EditedPicture, Editor
from xpress.editing.morphable import MorphableEditor
from xpress.editing.network import NetworkEditor
from xpress.errors import InputError
from xpress.extraction.face_reader import read_picture
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.face_window import FaceWindow, draw_in_place
from xpress.extraction.weight_files import EDITORS, ENCODER, NETWORKS, check_used, weights_file
from xpress.reenactment.reenactor import Reenactor

Image = UInt8[np.ndarray, "H W 3"]
CHOICES = ("morphable", *EDITORS)
"""Values of `editor=`."""


class ExpressionEditor:
    """Gives faces other action units.

    >>> editor = ExpressionEditor.from_pretrained()
    >>> smiling = editor.edit("portrait.jpg", {"AU12": 0.8, "AU6": 0.5})

    Args:
        reenactor: finds and reads faces.
        editors: makes an editor; each thread and each face of a video has its own.
    """

    def __init__(self, reenactor: Reenactor, editors: Callable[[], Editor]) -> None:
        self.reenactor = reenactor
        self.editors = editors

    @classmethod
    def from_pretrained(
        cls,
        editor: str = "morphable",
        name: str | os.PathLike = "default",
        mouth: str = "generator",
        threads: int = 1,
    ) -> ExpressionEditor:
        """Load what an editor needs.

        Args:
            editor: morphable, ganimation or dft_net.
            name: `default` for the weights in the package, or a folder that
                `train.py … export=DIR` has written; what it lacks comes from the package.
            mouth: what fills the mouth that the morphable editor opens: `generator`, `model` or
                `none`.
            threads: of each network.

        Raises:
            InputError: no such editor or folder, no weights for it (a folder of another editor is
                refused), or a file cannot be read.
        """
        if editor not in CHOICES:
            raise InputError(f"editor={editor}: choose {', '.join(CHOICES[:-1])} or {CHOICES[-1]}")
        if editor == "morphable":
            reenactor = Reenactor.from_pretrained(name, threads, mouth)
            return cls(
                reenactor, lambda: MorphableEditor(reenactor.geometry, reenactor.animators())
            )
        given = check_used(name, *NETWORKS)
        check_used(name, EDITORS[editor], *([] if given & set(EDITORS.values()) else [ENCODER]))
        with weights_file(name, EDITORS[editor]) as file:
            encoder = name if ENCODER in given else "default"
            reenactor = Reenactor.from_pretrained(encoder, threads, "none")
            network = NetworkEditor(file, reenactor.action_units, threads)
        return cls(reenactor, lambda: network)

    def edit(
        self,
        image: np.ndarray | str | os.PathLike,
        units: Mapping[str, Any],
        face: str | int = "largest",
    ) -> Image:
        """A photograph with other action units.

        Args:
            image: RGB array or file.
            units: absolute intensities in [0, 1] by names such as AU12 or AU45_L; the others
                stay as they are read. See `parse_action_units`.
            face: largest, all, or an index from the left.

        Raises:
            InputError: no such file or face, or a unit is wrong.
        """
        wanted = parse_action_units(units)
        array, name = read_picture(image)
        faces = self.reenactor.find(array, face, name)
        edits, edited = FaceEdits(self.editors, wanted), array.copy()
        draw_in_place(edited, faces, lambda part, shown: edits(part, shown).image)
        return edited

    def interpolate(
        self,
        target: np.ndarray | str | os.PathLike,
        source: np.ndarray | str | os.PathLike,
        steps: Sequence[float] = (0.5, 0.75, 1.0),
        face: str | int = "largest",
    ) -> list[Image]:
        """A photograph on its way to another's expression.

        Args:
            target: RGB array or file.
            source: shows the expression.
            steps: from 0, the target's own expression, to 1, the source's.
            face: of the target, largest or an index from the left.

        Raises:
            InputError: no such file or face.
        """
        array, name = read_picture(target)
        shown, source_name = read_picture(source)
        own = self.reenactor.find(array, face, name)[0]
        other = self.reenactor.find(shown, name=source_name)[0]
        editor = self.editors()
        return [editor.towards(array, own, other, step).image for step in steps]


class FaceEdits:
    """Edits faces of one picture after another; one thread at a time.

    Args:
        editors: makes an editor; each face has its own.
        units: as `parse_action_units` returns them.
    """

    def __init__(self, editors: Callable[[], Editor], units: Mapping[str, float]) -> None:
        self._make = editors
        self._editors: list[Editor] = []
        self._units = units

    def __call__(
        self,
        image: Image,
        faces: Sequence[FaceSample | None],
        shares: Sequence[float] | None = None,
    ) -> EditedPicture:
        """The picture with its faces edited one after the other.

        Args:
            image: RGB.
            faces: None is out of sight.
            shares: of the way that each face goes, 1 by default; see `Editor.edit`.
        """
        result = EditedPicture.nothing(image)
        while len(self._editors) < len(faces):
            self._editors.append(self._make())
        shares = [1.0] * len(faces) if shares is None else shares
        for editor, face, share in zip(self._editors, faces, shares, strict=False):
            if face is not None:
                window = FaceWindow.around(face, *image.shape[:2])
                picture = window.cut(result.image)
                edited = editor.edit(picture, window.shifted(face), self._units, share)
                result.image[window.place] = edited.image
                changed = result.changed[window.place]
                np.maximum(changed, edited.changed, out=changed)
        return result
