"""ARKit's scores and head angles, and back."""

from fractions import Fraction

import numpy as np

from xpress.media.live_link import ARKIT_SHAPES, BlendshapeRecording
from xpress.morphable.face_model import FaceModel
from xpress.morphable.io.arkit import arkit_name, from_recording, head_rotation, to_recording


def _recording(**scores: float) -> BlendshapeRecording:
    values = np.zeros((1, 52))
    for name, score in scores.items():
        values[0, ARKIT_SHAPES.index(name)] = score
    return BlendshapeRecording(values, np.zeros((1, 3)), np.zeros((1, 6)), Fraction(30))


def test_scores_come_back_and_sides_are_the_owners():
    model = FaceModel.default()
    random = np.random.default_rng(0)
    scores = random.random((5, 52))
    scores[:, ARKIT_SHAPES.index("tongueOut")] = 0  # the model has no tongue that moves
    head = random.uniform(-1, 1, (5, 3))
    given = BlendshapeRecording(scores, head, np.zeros((5, 6)), Fraction(30), "10:00:00:00.000")
    parameters = from_recording(given, model)
    back = to_recording(parameters, model.expression_names, given.fps, given.start)
    assert np.abs(back.scores - scores).max() < 1e-6
    assert np.abs(back.head - head).max() < 1e-5
    assert (back.fps, back.start) == (30, "10:00:00:00.000")
    wink = from_recording(_recording(eyeBlinkLeft=1.0), model).expression[0]
    assert model.expression_names[int(wink.argmax())] == "eyeBlink_L"
    assert np.count_nonzero(wink) == 1


def test_a_score_without_sides_moves_both():
    model = FaceModel.default()
    puffed = from_recording(_recording(cheekPuff=0.7, browInnerUp=0.4), model).expression[0]
    moved = {model.expression_names[i]: round(float(puffed[i]), 2) for i in np.flatnonzero(puffed)}
    wanted = {"cheekPuff_L": 0.7, "cheekPuff_R": 0.7, "browInnerUp_L": 0.4, "browInnerUp_R": 0.4}
    assert moved == wanted
    assert arkit_name("browInnerUp_L") == "browInnerUpLeft"
    assert arkit_name("jawOpen") == "jawOpen"


def test_positive_angles_turn_to_the_owners_left_and_down():
    nose = np.array([0.0, 0.0, 1.0])
    for angles, towards in (([0.3, 0, 0], [1, 0]), ([0, 0.3, 0], [0, -1])):
        vector = head_rotation(np.array([angles]))[0]
        turned = nose + np.cross(vector, nose)
        assert np.dot(turned[:2], towards) > 0.2


def test_eyes_turn_as_the_look_shapes_say():
    model = FaceModel.default()
    look = from_recording(_recording(eyeLookOutLeft=1.0, eyeLookInRight=1.0), model)
    eyes = to_recording(look, model.expression_names, Fraction(30)).eyes[0]
    assert eyes[0] > 0.5  # both to the owner's left
    assert eyes[3] > 0.5
    down = from_recording(_recording(eyeLookDownLeft=1.0, eyeLookDownRight=1.0), model)
    eyes = to_recording(down, model.expression_names, Fraction(30)).eyes[0]
    assert eyes[1] > 0.3
    assert eyes[4] > 0.3
    assert abs(eyes[[0, 2, 3, 5]]).max() < 1e-6
