"""ARKit's 52 blendshapes and the shapes of a face model that has ARKit's names."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from xpress.media.live_link import ARKIT_SHAPES, START, BlendshapeRecording
from xpress.morphable.face_model import LinearFaceModel
from xpress.morphable.io.gaze import HORIZONTAL, VERTICAL
from xpress.structures import FaceParameters

_SUFFIXES = {"_L": "Left", "_R": "Right"}
EULER = "YXZ"
"""Yaw, pitch and roll as intrinsic turns about y, x and z."""


def to_recording(
    parameters: FaceParameters, names: Sequence[str], fps: Fraction, start: str = START
) -> BlendshapeRecording:
    """Face parameters (T frames) as scores and angles; the eyeLook shapes turn the eyes.

    Args:
        parameters: numpy arrays, one row a frame.
        names: of the model's shapes.
        fps: frames per second.
        start: time code of the first frame.
    """
    scores = arkit_scores(parameters.expression, names)
    look = {name: scores[:, column] for column, name in enumerate(ARKIT_SHAPES)}
    eyes = []
    for side, outward in (("Left", 1.0), ("Right", -1.0)):
        out = look[f"eyeLookOut{side}"] - look[f"eyeLookIn{side}"]
        down = look[f"eyeLookDown{side}"] - look[f"eyeLookUp{side}"]
        eyes += [outward * HORIZONTAL * out, VERTICAL * down, np.zeros(len(scores))]
    head = head_angles(parameters.rotation)
    return BlendshapeRecording(scores, head, np.stack(eyes, 1), fps, start)


def from_recording(recording: BlendshapeRecording, model: LinearFaceModel) -> FaceParameters:
    """Face parameters of a recording: expression and head on the mean face, at one unit a pixel."""
    expression = activations(recording.scores, model.expression_names)
    return FaceParameters.resting(model.sizes, len(recording)).replace(
        expression=expression.astype(np.float32),
        rotation=head_rotation(recording.head).astype(np.float32),
    )


def arkit_name(shape: str) -> str:
    """`eyeBlink_L` as ARKit spells it: `eyeBlinkLeft`."""
    return shape[:-2] + _SUFFIXES.get(shape[-2:], shape[-2:])


def arkit_scores(
    expression: Float[np.ndarray, "T Ke"], names: Sequence[str]
) -> Float[np.ndarray, "T 52"]:
    """ARKit's scores of activations; of a shape with sides where ARKit has none, their mean.

    Args:
        expression: activations in [0, 1].
        names: of the model's shapes; what it lacks scores zero.
    """
    scores = np.zeros((len(expression), len(ARKIT_SHAPES)))
    for column, shape in enumerate(ARKIT_SHAPES):
        found = [i for i, name in enumerate(names) if _scored_by(name) == shape]
        if found:
            scores[:, column] = expression[:, found].mean(1)
    return scores


def activations(
    scores: Float[np.ndarray, "T 52"], names: Sequence[str]
) -> Float[np.ndarray, "T Ke"]:
    """Activations of the model's shapes; both sides take a score that ARKit gives once.

    Args:
        scores: in the order of `ARKIT_SHAPES`, in [0, 1].
        names: of the model's shapes; those that ARKit does not know stay at zero.
    """
    expression = np.zeros((len(scores), len(names)))
    places = {shape: column for column, shape in enumerate(ARKIT_SHAPES)}
    for row, name in enumerate(names):
        if _scored_by(name) in places:
            expression[:, row] = scores[:, places[_scored_by(name)]]
    return expression


def head_angles(rotation: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Yaw, pitch and roll in radians of axis-angle rotations from model to camera space."""
    return Rotation.from_rotvec(rotation).as_euler(EULER)


def head_rotation(angles: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Axis-angle rotations, the reverse of `head_angles`."""
    return Rotation.from_euler(EULER, angles).as_rotvec()


def _scored_by(name: str) -> str:
    """The ARKit shape that a shape of the model takes its score from."""
    sided = arkit_name(name)
    return sided if sided in ARKIT_SHAPES else name.removesuffix("_L").removesuffix("_R")
