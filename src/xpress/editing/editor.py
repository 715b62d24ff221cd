"""What every editor of expressions takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from xpress.extraction.face_sample import FaceSample


@dataclass(frozen=True)
class EditedPicture:
    """A picture with an edited face.

    Attributes:
        image: RGB, as large as the picture that was given.
        changed: how far each pixel was edited, in [0, 1]; where it is zero, the picture is the
            given one bit by bit.
    """

    image: UInt8[np.ndarray, "H W 3"]
    changed: Float32[np.ndarray, "H W"]

    @staticmethod
    def nothing(image: UInt8[np.ndarray, "H W 3"]) -> EditedPicture:
        """A copy without an edit."""
        return EditedPicture(image.copy(), np.zeros(image.shape[:2], np.float32))


@runtime_checkable
class Editor(Protocol):
    """Gives a face other action units; one thread at a time.

    Attributes:
        name: as `editor=` chooses it.
    """

    name: str

    def edit(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        face: FaceSample,
        units: Mapping[str, float],
        share: float = 1.0,
    ) -> EditedPicture:
        """The picture with some units of a face changed.

        Args:
            image: RGB.
            face: of that picture, in its pixels.
            units: absolute intensities in [0, 1] as `parse_action_units` returns them; units that
                are not named stay as they are read from the face.
            share: of the way from the face's own expression there, in [0, 1].
        """

    def towards(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample, other: FaceSample, step: float
    ) -> EditedPicture:
        """The picture with the face's expression moved towards another face's.

        Args:
            image: RGB.
            face: of that picture, in its pixels.
            other: of any picture.
            step: 0 is the face's own expression, 1 the other's.
        """
