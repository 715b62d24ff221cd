import numpy as np
import pytest

from xpress.errors import InputError
from xpress.extraction.lip_reader import LipReader
from xpress.extraction.onnx_sessions import LandmarkSession
from xpress.media.lip_crop import LIP_WIDTH, MIDDLE, lip_crop
from xpress.morphable.landmarks.landmark_weights import LIPS

IMAGE = np.zeros((160, 160, 3), np.uint8)


class Told:
    """Says of a crop what a face has there, whatever it shows."""

    def __init__(self) -> None:
        self.shown = self.crops = self.found = None

    def __call__(self, crops):
        self.crops = crops
        crop = lip_crop(self.found.contours[LIPS][:20])
        return ((crop.to_crop(self.shown.contours[LIPS]) - MIDDLE) / LIP_WIDTH)[None]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reader(told, model, landmark_model) -> LipReader:
    return LipReader(told, landmark_model, model.expression_names)


def face(world, model, yaw=0.0, place=(80, 80), **shapes):
    expression = np.zeros(len(model.expression_names))
    for name, value in shapes.items():
        expression[model.expression_names.index(name)] = value
    sample = world.sample(*place, scale=9.0)
    return world.update(sample, expression=expression, rotation=np.array([0.0, yaw, 0.0]))


def gap(sample) -> float:
    lips = sample.contours[LIPS]
    return float(np.linalg.norm(lips[25] - lips[35]))


@pytest.mark.parametrize("yaw", [0.0, 0.3])
@pytest.mark.parametrize(
    "shapes",
    [
        {"jawOpen": 0.6},
        {"mouthSmile_L": 0.7, "mouthSmile_R": 0.7},
        {"mouthUpperUp_L": 0.6, "mouthUpperUp_R": 0.6, "jawOpen": 0.1},
        {"mouthPucker": 0.8},
    ],
)
def test_lips_come_to_lie_where_they_are_seen(reader, told, world, model, shapes, yaw):
    told.found, told.shown = face(world, model, yaw), face(world, model, yaw, **shapes)
    read = reader(IMAGE, told.found)
    assert told.crops.shape == (1, 64, 64, 3)
    got = world.update(read).contours[LIPS]
    before = np.linalg.norm(told.found.contours[LIPS] - told.shown.contours[LIPS], axis=1).mean()
    after = np.linalg.norm(got - told.shown.contours[LIPS], axis=1).mean()
    assert after < 0.55 * before
    assert gap(world.update(read)) == pytest.approx(gap(told.shown), abs=0.7)


def test_what_is_read_right_stays_and_nothing_but_the_mouth_moves(reader, told, world, model):
    told.found = told.shown = face(world, model, jawOpen=0.3, eyeBlink_L=0.5, browDown_L=0.4)
    read = reader(IMAGE, told.found)
    np.testing.assert_allclose(read.expression, told.found.expression, atol=1e-6)
    told.shown = face(world, model, jawOpen=0.7)
    read = reader(IMAGE, told.found)
    names = model.expression_names
    for name in ("eyeBlink_L", "browDown_L", "eyeBlink_R"):
        assert read.expression[names.index(name)] == told.found.expression[names.index(name)]
    assert (read.expression >= 0).all()
    assert (read.expression <= 1).all()


def test_a_face_that_is_placed_a_little_off_opens_no_mouth(reader, told, world, model):
    told.found = face(world, model)
    told.shown = face(world, model, place=(80, 80.5))
    read = world.update(reader(IMAGE, told.found))
    assert gap(read) == pytest.approx(gap(told.found), abs=0.25)


def test_what_is_no_such_network_is_told(tmp_path):
    with pytest.raises(InputError, match="no such lip landmark network"):
        LandmarkSession(tmp_path / "none.onnx", "lip")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="not a readable ONNX"):
        LandmarkSession(tmp_path / "broken.onnx", "lip")
