"""The morphable editor hands the animator the right expression."""

import copy

import numpy as np
import pytest

from xpress.editing.morphable import MorphableEditor
from xpress.extraction.face_sample import FaceSample
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.expression_geometry import LIDS, ExpressionGeometry
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel

MODEL = MorphableModel.default()
NAMES = MODEL.expression_names
IMAGE = np.zeros((8, 8, 3), np.uint8)


class Recorder:
    """Keeps what it is told and marks one pixel."""

    def __init__(self) -> None:
        self.targets = 0

    def set_target(self, image, parameters) -> None:
        self.targets += 1
        self.image = image

    def render(self, expression):
        self.expression = expression
        frame = self.image.copy()
        frame[2, 3] = 255
        return frame

    def twin(self):
        return copy.copy(self)


@pytest.fixture
def editor() -> MorphableEditor:
    return MorphableEditor(ExpressionGeometry(LandmarkModel.of(MODEL), NAMES), Recorder())


def face(seed: int, **values: float) -> FaceSample:
    expression = np.full(len(NAMES), 0.1)
    for name, value in values.items():
        expression[NAMES.index(name)] = value
    return FaceSample(
        identity=np.random.default_rng(seed).normal(size=MODEL.sizes[0]),
        expression=expression,
        color=np.zeros(1),
        illumination=np.zeros((9, 3)),
        rotation=np.zeros(3),
        translation=np.zeros(2),
        scale=1.0,
        landmarks68=np.zeros((68, 2)),
        contours=np.zeros((138, 2)),
    )


def test_nothing_wanted_is_nothing_changed(editor):
    own = face(0)
    units = ActionUnits(NAMES)(own.expression)
    for edited in (
        editor.edit(IMAGE, own, {}),
        editor.edit_units(IMAGE, own, units),
        editor.towards(IMAGE, own, face(1, jawOpen=1.0), 0.0),
    ):
        np.testing.assert_array_equal(edited.image, IMAGE)
        assert not edited.changed.any()
    assert editor._animator.targets == 0


def test_the_animator_shows_the_expression_and_takes_a_target_once(editor):
    own = face(0)
    for value in (0.5, 0.9):
        edited = editor.edit(IMAGE, own, {"AU12": value})
        shown = editor._animator.expression[NAMES.index("mouthSmile_L")]
        assert shown == pytest.approx(value, abs=1e-3)
    assert editor._animator.targets == 1
    assert edited.changed.sum() == edited.changed[2, 3] == 1


def test_half_a_share_is_half_the_way(editor):
    own = face(0)
    expressions = []
    for share in (0.5, 1.0):
        editor.edit(IMAGE, own, {"AU12": 0.9, "AU26": 0.6}, share)
        expressions.append(editor._animator.expression - own.expression)
    np.testing.assert_allclose(expressions[0], expressions[1] / 2, atol=1e-6)
    assert not editor.edit(IMAGE, own, {"AU12": 0.9}, 0.0).changed.any()


@pytest.mark.parametrize("seed", range(5))
def test_a_complete_blink_shuts_whoevers_eyes(editor, seed):
    own = face(seed, eyeWide_L=0.6)
    editor.edit(IMAGE, own, {"AU45": 1.0})
    geometry = editor.geometry
    drawn = editor._animator.expression.astype(float)
    lids = (geometry.neutral(own.identity) + geometry.changes(drawn))[LIDS]
    assert np.all(lids < 0.002)
    assert np.all(drawn <= 2.0)


def test_a_wink_leaves_the_other_eye(editor):
    own = face(2)
    editor.edit(IMAGE, own, {"AU45_L": 1.0})
    drawn = editor._animator.expression
    assert drawn[NAMES.index("eyeBlink_L")] >= 1
    assert drawn[NAMES.index("eyeBlink_R")] == pytest.approx(0.1)


def test_halfway_to_another_face_with_the_eyes_own_look(editor):
    own, other = face(0), face(1, jawOpen=0.7, eyeLookUp_L=0.5)
    editor.towards(IMAGE, own, other, 0.5)
    middle = (own.expression + other.expression) / 2
    looks = [i for i, name in enumerate(NAMES) if name.startswith("eyeLook")]
    middle[looks] = own.expression[looks]
    np.testing.assert_allclose(editor._animator.expression, middle, atol=1e-6)
