import numpy as np
import pytest

from xpress.errors import InputError
from xpress.extraction.eye_reader import EYES, EyeReader
from xpress.extraction.onnx_sessions import LandmarkSession
from xpress.media.eye_crop import CENTER, EYE_WIDTH, eye_matrix, transform
from xpress.morphable.gaze import gaze_columns, gaze_of, looks_of

IMAGE = np.zeros((160, 160, 3), np.uint8)


class Told:
    """Says of two crops what a face has there, whatever they show."""

    def __init__(self) -> None:
        self.seen = self.crops = None

    def look(self, shown, found) -> None:
        """What `shown` has, in the crops around the eyes of `found`."""
        points = []
        for side, rows in enumerate(EYES):
            corners = found.contours[rows]
            matrix = eye_matrix(corners[0], corners[8], left=side == 1)
            points.append((transform(matrix, shown.contours[rows]) - CENTER) / EYE_WIDTH)
        self.seen = np.stack(points)

    def __call__(self, crops):
        self.crops = crops
        return self.seen


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reader(told, model, landmark_model) -> EyeReader:
    return EyeReader(told, landmark_model, model.expression_names)


def face(world, model, gaze=(0.0, 0.0, 0.0), yaw=0.0, **shapes):
    expression = np.zeros(len(model.expression_names))
    expression[gaze_columns(model.expression_names)] = looks_of(np.array(gaze))
    for name, value in shapes.items():
        expression[model.expression_names.index(name)] = value
    sample = world.sample(80, 80, scale=9.0)
    return world.update(sample, expression=expression, rotation=np.array([0.0, yaw, 0.0]))


def gaze(model, sample):
    return gaze_of(sample.expression[gaze_columns(model.expression_names)])


@pytest.mark.parametrize("yaw", [0.0, 0.3])
@pytest.mark.parametrize("wanted", [(0.5, 0.0), (-0.4, 0.3), (0.1, -0.4)])
def test_the_gaze_that_is_seen_is_read(reader, told, world, model, wanted, yaw):
    found = face(world, model, yaw=yaw)
    told.look(face(world, model, (*wanted, 0.0), yaw=yaw, eyeWide_L=0.3, eyeWide_R=0.3), found)
    read = reader(IMAGE, found)
    assert told.crops.shape == (2, 48, 64, 3)
    np.testing.assert_allclose(gaze(model, read)[:2], wanted, atol=0.08)
    assert read.gaze_seen > 0.9


def test_an_eye_that_is_shut_says_nothing_of_the_gaze(reader, told, world, model):
    found = face(world, model, eyeBlink_R=0.5)
    shown = face(world, model, (0.4, 0, 0), eyeBlink_R=1.0)
    told.look(shown, found)
    told.seen[0, 9:16] = told.seen[0, 1:8][::-1]
    told.seen[0, 16] += (0.2, 0.1)  # labels put the iris of a shut eye anywhere
    read = reader(IMAGE, found)
    assert 0.2 < gaze(model, read)[0] < 0.45
    assert read.gaze_seen > 0.9  # the other eye
    told.seen[1, 9:16] = told.seen[1, 1:8][::-1]
    assert reader(IMAGE, found).gaze_seen < 0.1


def test_each_eye_has_its_own_lids(reader, told, world, model):
    names = model.expression_names
    found = face(world, model, eyeBlink_R=0.4, eyeBlink_L=0.4)
    told.look(face(world, model, eyeBlink_R=1.0), found)  # a wink
    read = reader(IMAGE, found)
    right, left = (read.expression[names.index(f"eyeBlink_{side}")] for side in "RL")
    assert right > 0.85
    assert left < 0.1
    told.look(face(world, model, eyeWide_R=0.7, eyeWide_L=0.7), found)
    read = reader(IMAGE, found)
    assert read.expression[names.index("eyeBlink_L")] == 0
    assert read.expression[names.index("eyeWide_L")] == pytest.approx(0.7, abs=0.1)


def test_what_is_no_such_network_is_told(tmp_path):
    with pytest.raises(InputError, match="no such eye landmark network"):
        LandmarkSession(tmp_path / "none.onnx", "eye")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="not a readable ONNX"):
        LandmarkSession(tmp_path / "broken.onnx", "eye")
