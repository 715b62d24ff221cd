"""How the driver's head has moved since its rest, and how far a target's head follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from xpress.extraction.face_sample import FaceSample

ROTATION_LIMIT = np.deg2rad([12.0, 15.0, 20.0])
"""Pitch, yaw and roll (radians) up to which a turned photograph still looks right."""
PLACE_LIMIT = np.array([4.0, 3.5])
"""Way along x and y in model units, about centimetres."""
SIZE_LIMIT = 0.12
"""Logarithm of the head's size."""
READ_GAIN = np.array([0.8, 1.0, 1.0])
"""Share of pitch, yaw and roll that the encoder reads of a head's motion."""
KNEE, UTMOST = 0.7, 1.25
"""Shares of a limit: below the first nothing is held back, the second is never reached."""


@dataclass(frozen=True)
class HeadMotion:
    """A rigid motion of a head from its rest, seen by the camera.

    Attributes:
        rotation: axis-angle, radians, in camera space (y up): pitch (the face goes down), yaw (to
            the right of the picture) and roll (anticlockwise) where they are small.
        place: way of the model's origin to the right and down, model units of the face at rest.
        size: logarithm of the size over that at rest.
        breath: way of the shoulders upwards, model units.
    """

    rotation: Float[np.ndarray, "3"]
    place: Float[np.ndarray, "2"]
    size: float = 0.0
    breath: float = 0.0

    @staticmethod
    def still() -> HeadMotion:
        """No motion."""
        return HeadMotion(np.zeros(3), np.zeros(2))

    @staticmethod
    def between(rest: HeadPose, pose: HeadPose) -> HeadMotion:
        """From the rest to another pose of the same head."""
        turn = cv2.Rodrigues(pose.rotation)[0] @ cv2.Rodrigues(rest.rotation)[0].T
        return HeadMotion(
            cv2.Rodrigues(turn)[0][:, 0] / READ_GAIN,
            (pose.place - rest.place) / rest.scale,
            float(np.log(pose.scale / rest.scale)),
        )

    @property
    def is_still(self) -> bool:
        """Whether nothing moves."""
        moves = self.rotation.any() or self.place.any()
        return not (moves or self.size or self.breath)

    def scaled(self, factor: float) -> HeadMotion:
        """As many times the motion."""
        return HeadMotion(
            factor * self.rotation, factor * self.place, factor * self.size, factor * self.breath
        )

    def plus(self, other: HeadMotion) -> HeadMotion:
        """Both motions at once; small ones, so that vectors add up."""
        return HeadMotion(
            self.rotation + other.rotation,
            self.place + other.place,
            self.size + other.size,
            self.breath + other.breath,
        )

    def limited(self) -> HeadMotion:
        """What a photograph can follow: all of small motions, ever less of larger ones."""
        size = soft_limit(np.array([self.size]), np.array([SIZE_LIMIT]))
        return HeadMotion(
            soft_limit(self.rotation, ROTATION_LIMIT),
            soft_limit(self.place, PLACE_LIMIT),
            float(size[0]),
            self.breath,
        )


@dataclass(frozen=True)
class HeadPose:
    """Where a head is and how it is turned.

    Attributes:
        rotation: axis-angle, radians, model to camera space.
        place: pixels (x, y) where the model's origin lands.
        scale: pixels per model unit.
    """

    rotation: Float[np.ndarray, "3"]
    place: Float[np.ndarray, "2"]
    scale: float

    @staticmethod
    def of(face: FaceSample) -> HeadPose:
        """A face's."""
        rotation = np.asarray(face.rotation, np.float64)
        return HeadPose(rotation, np.asarray(face.translation, np.float64), float(face.scale))

    @staticmethod
    def usual(faces: Sequence[FaceSample]) -> HeadPose:
        """The median over some faces of one person."""
        poses = [HeadPose.of(face) for face in faces]
        return HeadPose(
            np.median([pose.rotation for pose in poses], axis=0),
            np.median([pose.place for pose in poses], axis=0),
            float(np.median([pose.scale for pose in poses])),
        )

    def towards(self, other: HeadPose, share: float) -> HeadPose:
        """A share of the way to another pose of the same head, which is not far."""
        turn = cv2.Rodrigues(other.rotation)[0] @ cv2.Rodrigues(self.rotation)[0].T
        part = cv2.Rodrigues(share * cv2.Rodrigues(turn)[0])[0] @ cv2.Rodrigues(self.rotation)[0]
        return HeadPose(
            cv2.Rodrigues(part)[0][:, 0],
            self.place + share * (other.place - self.place),
            self.scale * (other.scale / self.scale) ** share,
        )


def soft_limit(
    value: Float[np.ndarray, " N"], limit: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Values as they are up to `KNEE` of their limits, bent so as never to pass `UTMOST`."""
    size = np.abs(value) / limit
    room = UTMOST - KNEE
    bent = KNEE + room * np.tanh(np.maximum(size - KNEE, 0) / room)
    return np.sign(value) * limit * np.where(size > KNEE, bent, size)
