"""Where the eyes look, read from the frame's own pixels around each eye.

A face crop of 128 pixels shows an eye with 20; an iris moves by one or two of them. So each eye is
cut out of the picture where the face encoder found its corners, its lids and iris are read there,
and the eyeLook shapes are solved for: those that put the model's irises where the read ones are.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.extraction.face_sample import FaceSample
from xpress.media.eye_crop import cut_eye, eye_matrix
from xpress.morphable.gaze import GAZE_TURNS, gaze_columns, gaze_of, looks_of
from xpress.morphable.landmarks.face_landmarks import LinearLandmarks
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmarks.landmark_weights import FIRST_IRIS, LIDS
from xpress.morphable.signals import LID_PAIRS, eye_signals

EYES = np.array(
    [
        [
            CONTOUR_MEDIAPIPE_INDEX.tolist().index(point)
            for point in (*LIDS[16 * side : 16 * side + 16], FIRST_IRIS + 5 * side)
        ]
        for side in range(2)
    ]
)
"""(2, 17) contour rows of the right and of the left eye's lids and iris."""
MIRRORED = np.array([[1.0, 1.0], [-1.0, 1.0]])
"""Factor on x and y that lays both eyes alike, the outer corner on the left."""
SPREAD = np.array([0.6, 0.3, 0.4])
"""How far the turns to the left and up and the convergence may be from what the face encoder
reads, activations. The last is wide, so that what sets both irises apart turns no eye aside."""
NOISE = 0.03
"""Error of an iris between the corners that is seen well, eye widths."""
SHUT, AJAR = 0.05, 0.2
"""Opening that labels give to shut lids, lashes between them, and from which they are right."""
LID_SHAPES = ("eyeBlink", "eyeWide")
"""What opens and shuts the lids of one eye."""
HIDDEN, SHOWN = 0.06, 0.14
"""Opening over the eye's width below which an iris is not seen, and from which it is well seen."""


@runtime_checkable
class EyeLandmarker(Protocol):
    """What reads crops of eyes; see `LandmarkSession`."""

    def __call__(self, crops: UInt8[np.ndarray, "B H W 3"]) -> Float[np.ndarray, "B 17 2"]:
        """Lids and iris in eye widths from the crop's centre."""


class EyeReader:
    """Corrects a face's gaze by what its eyes show.

    Args:
        landmarker: reads crops of eyes.
        model: the face model reduced to its landmarks.
        expression_names: of its expression basis.
    """

    def __init__(
        self, landmarker: EyeLandmarker, model: LinearLandmarks, expression_names: list[str]
    ) -> None:
        self.landmarker = landmarker
        self._gaze = gaze_columns(expression_names)
        marks = model.numpy()
        self._ahead = marks.mean[68:][EYES]
        looks = marks.expression_basis[self._gaze][:, 68:][:, EYES]
        # of a shape and its antagonist one is zero: half of their difference is a turn either way
        self._turned = self._ahead + np.tensordot(GAZE_TURNS / 2, looks, 1)
        names = list(expression_names)
        self._lids = np.array(
            [[names.index(f"{shape}_{side}") for shape in LID_SHAPES] for side in "RL"]
        )
        self._basis = marks.expression_basis[:, 68:][:, EYES]

    def __call__(self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample) -> FaceSample:
        """The face with its eyes turned as the picture shows them; landmarks are left as found."""
        if not self._gaze:
            return face
        points = self.read(image, face)
        opening = np.concatenate([lid_gap(eye[None], eye) for eye in points])
        seen = _share(opening, HIDDEN, SHOWN)
        expression = face.expression.copy()
        expression[self._gaze] = looks_of(self._solve(face, eye_signals(points)[:, :2], seen))
        opening = np.where(opening < AJAR, AJAR * _share(opening, SHUT, AJAR), opening)
        self._open(face, expression, opening)
        return face.replace(expression=expression, gaze_seen=float(seen.max()))

    def read(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample
    ) -> Float[np.ndarray, "2 17 2"]:
        """Lids and irises of the right and of the left eye; see `EyeLandmarker`."""
        crops = []
        for side, points in enumerate(face.contours[EYES]):
            matrix = eye_matrix(points[0], points[8], left=side == 1)
            crops.append(cut_eye(image, matrix))
        return self.landmarker(np.stack(crops))

    def _solve(
        self, face: FaceSample, read: Float[np.ndarray, "2 2"], seen: Float[np.ndarray, " 2"]
    ) -> Float[np.ndarray, " 3"]:
        """Turns and convergence by ridge regression, for the usual face in this face's pose.

        A head that turns takes the corners further than the irises, which lie behind them; what
        the encoder takes for this person's identity varies with the turn and would hide that.
        """
        camera = cv2.Rodrigues(face.rotation)[0][:2] * np.array([[1.0], [-1.0]])
        places = np.concatenate([self._ahead[None], self._turned]) @ camera.T
        signals = eye_signals(places * MIRRORED[:, None])[..., :2]
        steer = (signals[1:] - signals[0]).reshape(3, 4).T
        usual = gaze_of(face.expression[self._gaze])
        missing = (read - signals[0]).ravel() - steer @ usual
        weight = np.repeat(seen / NOISE**2, 2)
        normal = steer.T @ (weight[:, None] * steer) + np.diag(SPREAD**-2.0)
        gaze = usual + np.linalg.solve(normal, steer.T @ (weight * missing))
        gaze[:2] = gaze[:2].clip(-1, 1)
        return gaze

    def _open(
        self,
        face: FaceSample,
        expression: Float[np.ndarray, " Ke"],
        opening: Float[np.ndarray, " 2"],
    ) -> None:
        """Change the shapes of each eye's lids, in place, until they leave the read opening."""
        camera = cv2.Rodrigues(face.rotation)[0][:2] * np.array([[face.scale], [-face.scale]])
        turned = np.tensordot(expression - face.expression, self._basis, 1) @ camera.T
        points = (face.contours[EYES] + turned) * MIRRORED[:, None]
        for side, columns in enumerate(self._lids):
            shapes = self._basis[columns, side] @ camera.T * MIRRORED[side]
            closed, *rates = lid_gap(np.concatenate([points[side][None], shapes]), points[side])
            missing = opening[side] - closed
            # what opens or shuts an eye is taken back before its opposite is used
            for column, rate in sorted(
                zip(columns, rates, strict=True), key=lambda item: item[1] * missing
            ):
                change = np.clip(missing / rate, -expression[column], 1 - expression[column])
                expression[column] += change
                missing -= change * rate


def _share(values: Float[np.ndarray, " N"], low: float, high: float) -> Float[np.ndarray, " N"]:
    """Zero up to `low`, one from `high`."""
    return ((values - low) / (high - low)).clip(0, 1)


def lid_gap(
    points: Float[np.ndarray, "B 17 2"], eye: Float[np.ndarray, "17 2"]
) -> Float[np.ndarray, " B"]:
    """The opening of `eye_signals` with a sign, linear in the points: below zero lids cross.

    Args:
        points: of eyes, or differences of such points.
        eye: points that tell how wide the eye is and where its upper side is.
    """
    line = eye[8] - eye[0]
    up = np.array([line[1], -line[0]]) / (line @ line)
    upper, lower = (points[:, [pair[side] for pair in LID_PAIRS]].mean(1) for side in (0, 1))
    return (upper - lower) @ up
