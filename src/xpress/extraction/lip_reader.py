"""How the lips stand, read from the frame's own pixels around the mouth.

A face crop of 128 pixels shows a mouth with 35. So the mouth is cut out of the picture where the
face encoder found it, the outlines of its lips are read there, and the shapes of mouth and jaw are
solved for: those that lay the model's lips on the read ones.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.extraction.face_sample import FaceSample
from xpress.media.lip_crop import LIP_WIDTH, MIDDLE, lip_crop
from xpress.morphable.landmarks.face_landmarks import LinearLandmarks
from xpress.morphable.landmarks.landmark_weights import LIPS

SHAPES = ("jaw", "mouth")
"""How the names of the blendshapes begin that move the lips."""
SPREAD = 0.25
"""How far an activation may be from what the face encoder reads."""
NOISE = 0.02
"""Error of a point that is read, and of where the encoder puts the whole face (eye distances):
neighbours err alike, so that no point counts as much as it would alone."""
CHIN, CHIN_NOISE = slice(6, 11), 0.06
"""Of the 68 landmarks: the chin, which the crop does not show, stays about where the encoder has
it, and the error of that (eye distances)."""
ROUNDS = 3
"""Solutions, each without the shapes that the last one drove out of their range."""


@runtime_checkable
class LipLandmarker(Protocol):
    """What reads crops of mouths; see `LandmarkSession`."""

    def __call__(self, crops: UInt8[np.ndarray, "B S S 3"]) -> Float[np.ndarray, "B 40 2"]:
        """Both outlines in lip widths from the crop's middle."""


class LipReader:
    """Corrects the shapes of a face's mouth and jaw by what its lips show.

    Args:
        landmarker: reads crops of mouths.
        model: the face model reduced to its landmarks.
        expression_names: of its expression basis.

    Attributes:
        columns: of the shapes that are read, in the expression.
    """

    def __init__(
        self, landmarker: LipLandmarker, model: LinearLandmarks, expression_names: list[str]
    ) -> None:
        self.landmarker = landmarker
        marks = model.numpy()
        self.columns = [n for n, name in enumerate(expression_names) if name.startswith(SHAPES)]
        self._basis = marks.expression_basis[self.columns][:, 68:][:, LIPS]
        self._chin = marks.expression_basis[self.columns][:, CHIN]
        self._eye_distance = marks.eye_distance

    def __call__(self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample) -> FaceSample:
        """The face with its mouth as the picture shows it; landmarks are left as found."""
        camera = cv2.Rodrigues(face.rotation)[0][:2] * np.array([[1.0], [-1.0]])
        lips, chin = (
            (basis @ camera.T).reshape(len(self.columns), -1).T / self._eye_distance
            for basis in (self._basis, self._chin)
        )
        missing = (self.read(image, face) - face.contours[LIPS]).ravel()
        missing /= face.scale * self._eye_distance
        expression = face.expression.copy()
        expression[self.columns] = self._solve(lips, chin, missing, expression[self.columns])
        return face.replace(expression=expression)

    def read(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample
    ) -> Float[np.ndarray, "40 2"]:
        """Both outlines in pixels of the picture."""
        crop = lip_crop(face.contours[LIPS][:20])
        points = self.landmarker(crop.cut(image)[None])[0]
        return crop.to_image(points * LIP_WIDTH + MIDDLE)

    @staticmethod
    def _solve(
        lips: Float[np.ndarray, "N K"],
        chin: Float[np.ndarray, "M K"],
        missing: Float[np.ndarray, " N"],
        own: Float[np.ndarray, " K"],
    ) -> Float[np.ndarray, " K"]:
        """Activations by ridge regression around the encoder's, beside a shift of the whole face.

        Args:
            lips: what each shape moves them by, x and y in turn, eye distances.
            chin: likewise.
            missing: what is left for the lips to be moved.
            own: activations that the encoder reads.
        """
        count = len(own)
        shifts = np.tile(np.eye(2), (len(missing) // 2, 1))
        full = np.concatenate([lips, shifts], axis=1) / NOISE
        normal, pull = full.T @ full, full.T @ missing / NOISE
        normal[:count, :count] += chin.T @ chin / CHIN_NOISE**2
        normal += np.diag(np.r_[np.full(count, SPREAD), NOISE, NOISE] ** -2.0)
        change, free = np.zeros(count + 2), np.ones(count + 2, bool)
        for _ in range(ROUNDS):
            fixed = np.where(free, 0, change)
            change[free] = np.linalg.solve(
                normal[np.ix_(free, free)], (pull - normal @ fixed)[free]
            )
            found = own + change[:count]
            out = (found < 0) | (found > 1)
            if not out.any():
                break
            change[:count] = found.clip(0, 1) - own
            free[:count] &= ~out
        return (own + change[:count]).clip(0, 1)
