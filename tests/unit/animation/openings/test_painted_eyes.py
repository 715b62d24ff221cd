"""Eyes are painted where lids or irises have moved, and nowhere else."""

import cv2
import numpy as np
import pytest
import torch

from xpress.animation.animator import FaceAnimator
from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.painted_eyes import PaintedEye, PaintedEyes, cut_crop
from xpress.animation.warping.mesh_evaluator import MeshEvaluator, Projection
from xpress.media.eye_crop import CENTER, EYE_WIDTH, FLOW_SCALE, painted_region, transform
from xpress.structures import FaceParameters

SIZE, SCALE = 240, 9.0
SIDES = pytest.mark.parametrize("side", [0, 1], ids=["left", "right"])


class Painter:
    """Gives one edit everywhere, and remembers what it was asked."""

    def __init__(self, flow=(0.0, 0.0), mask=-20.0, color=(0.0, 0.0, 0.0)) -> None:
        values = (flow[0] / FLOW_SCALE, flow[1] / FLOW_SCALE, mask, *color)
        self.values = np.array(values, np.float32)
        self.asked: list[tuple[np.ndarray, ...]] = []

    def __call__(self, around, reference, moved, maps):
        self.asked.append((around, reference, moved, maps))
        return np.tile(self.values, (len(around), 48, 64, 1))


@pytest.fixture(scope="module")
def anatomy(model) -> Anatomy:
    return Anatomy(model)


AHEAD = np.zeros((2, 2), np.float32)


def face(model, **values: float) -> FaceParameters:
    expression = torch.zeros(1, model.sizes[1])
    for index, name in enumerate(model.expression_names):
        expression[0, index] = values.get(name, values.get(name[:-2], 0))
    return FaceParameters(
        identity=torch.zeros(1, model.sizes[0]),
        expression=expression,
        color=torch.zeros(1, model.sizes[2]),
        illumination=torch.zeros(1, 9, 3),
        rotation=torch.zeros(1, 3),
        translation=torch.tensor([[120.0, 130.0]]),
        scale=torch.tensor([SCALE]),
    )


@pytest.fixture(scope="module")
def projected(model, anatomy):
    """Vertices of a mean face in pixels, by expression."""
    evaluator = MeshEvaluator(model, anatomy.damping)

    def project(**values: float) -> np.ndarray:
        given = face(model, **values)
        shape = evaluator.neutral(given.identity.numpy()) + evaluator.offsets(
            given.expression[0].numpy()
        )
        return Projection(given).project(shape)

    return project


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    smooth = np.random.default_rng(0).uniform(60, 200, (SIZE // 8, SIZE // 8, 3))
    return cv2.resize(smooth, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype("u1")


@pytest.fixture
def unmoved(monkeypatch) -> None:
    """Lids and irises tell no flow."""
    nothing = np.zeros((48, 64, 2), np.float32)
    monkeypatch.setattr("xpress.animation.openings.painted_eyes.lid_flow", lambda *_: nothing)


def placed(anatomy, side, picture, points) -> PaintedEye:
    eye = PaintedEye(anatomy, side)
    eye.set_target(picture, points, SCALE, AHEAD[0])
    return eye


@SIDES
def test_the_crop_lies_between_the_corners(side, anatomy, picture, projected):
    eye = placed(anatomy, side, picture, projected())
    shape = eye.turned(projected(), AHEAD[0]).under(eye.matrix)
    np.testing.assert_allclose(shape.lids[0], (CENTER[0] - EYE_WIDTH / 2, CENTER[1]), atol=1e-3)
    np.testing.assert_allclose(shape.lids[8], (CENTER[0] + EYE_WIDTH / 2, CENTER[1]), atol=1e-3)
    assert shape.lids[4, 1] < shape.lids[12, 1]  # the upper lid is above
    assert abs(shape.iris[0] - CENTER[0]) < 0.2 * EYE_WIDTH
    assert 0.12 < shape.radius / EYE_WIDTH < 0.3
    assert 0.1 < shape.opening < 0.4


@SIDES
def test_lids_close_and_irises_turn_in_the_crop(side, anatomy, picture, projected):
    eye = placed(anatomy, side, picture, projected())
    own = eye.wanted(eye.turned(projected(), AHEAD[0]))
    shut = eye.wanted(eye.turned(projected(eyeBlink=1.0), AHEAD[0]))
    assert shut.opening < 0.25 * own.opening
    aside = eye.wanted(eye.turned(projected(), np.array([3.0, -2.0])))
    step = 3.0 * EYE_WIDTH / eye.width * (-1 if side == 0 else 1)
    assert aside.iris[0] - own.iris[0] == pytest.approx(step, rel=0.05)
    assert aside.iris[1] < own.iris[1] - 1


@SIDES
def test_the_iris_stays_between_the_corners(side, anatomy, picture, projected):
    eye = placed(anatomy, side, picture, projected())
    for step in (-50.0, 50.0):
        far = eye.wanted(eye.turned(projected(), np.array([step, 0.0])))
        assert far.lids[0, 0] < far.iris[0] - far.radius / 2
        assert far.lids[8, 0] > far.iris[0] + far.radius / 2


@SIDES
def test_the_painting_grows_with_the_motion(side, anatomy, picture, projected):
    eye = placed(anatomy, side, picture, projected())
    assert eye.motion(eye.turned(projected(), AHEAD[0])) == 0
    weights = [
        eye.motion(eye.turned(projected(eyeBlink=b), AHEAD[0])) for b in (0.02, 0.06, 0.1, 0.6)
    ]
    assert weights == sorted(weights)
    assert weights[-1] == 1
    assert eye.motion(eye.turned(projected(), np.array([3.0, 0.0]))) == 1
    assert eye.motion(eye.turned(projected(jawOpen=1.0), AHEAD[0])) == 0


def test_an_edit_without_flow_shows_the_reference_at_full_sharpness(
    anatomy, picture, projected, unmoved
):
    eyes = PaintedEyes(anatomy, Painter())
    eyes.set_target(picture, projected(), SCALE, AHEAD)
    skin = np.zeros_like(picture)
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
    for eye in eyes.eyes:
        x, y = (
            transform(cv2.invertAffineTransform(eye.matrix), np.array(CENTER)).round().astype(int)
        )
        inside = np.s_[y - 3 : y + 4, x - 5 : x + 6]
        np.testing.assert_allclose(skin[inside].astype(int), picture[inside], atol=1)
    assert not skin[0].any()
    assert not skin[:, 0].any()


def test_a_flow_moves_by_pixels_of_the_picture_and_is_mirrored_for_left_eyes(
    anatomy, picture, projected, unmoved
):
    eyes = PaintedEyes(anatomy, Painter(flow=(4.0, 0.0)))
    eyes.set_target(picture, projected(), SCALE, AHEAD)
    skin = np.zeros_like(picture)
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
    for eye, sign in zip(eyes.eyes, (-1, 1), strict=True):
        step = sign * 4 * eye.width / EYE_WIDTH
        x, y = (
            transform(cv2.invertAffineTransform(eye.matrix), np.array(CENTER)).round().astype(int)
        )
        columns = np.arange(x - 4, x + 5, dtype=np.float32)
        wanted = cv2.remap(picture, columns[None] + np.float32(step), np.full((1, 9), y, "f4"), 1)
        np.testing.assert_allclose(skin[y, x - 4 : x + 5].astype(int), wanted[0], atol=2)


def test_the_lid_is_drawn_down_before_anything_is_painted(anatomy, picture, projected):
    """A bright band above the lid ends up in the middle of the shut eye."""
    eye = placed(anatomy, 1, picture, projected())
    band = picture // 4
    x, y = eye.turned(projected(), AHEAD[0]).lids[4].round().astype(int)
    cv2.line(band, (x - 6, y - 3), (x + 6, y - 3), (255, 255, 255), 2)
    eyes = PaintedEyes(anatomy, Painter())
    eyes.set_target(band, projected(), SCALE, AHEAD)
    skin = band.copy()
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
    brightest = skin[y - 8 : y + 14, x - 3 : x + 4].mean((1, 2)).argmax() + y - 8
    drop = (
        eye.turned(projected(eyeBlink=1.0), AHEAD[0]).lids[4, 1]
        - eye.turned(projected(), AHEAD[0]).lids[4, 1]
    )
    assert drop > 4
    assert brightest - (y - 3) > 0.5 * drop


def test_one_eye_alone_is_asked_for_and_painted(anatomy, picture, projected):
    painter = Painter(mask=20.0, color=(20.0, 20.0, 20.0))
    eyes = PaintedEyes(anatomy, painter)
    eyes.set_target(picture, projected(), SCALE, AHEAD)
    skin = picture.copy()
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink_L=1.0), AHEAD)
    assert [len(part) for part in painter.asked[0]] == [1, 1, 1, 1]
    middle = int(transform(cv2.invertAffineTransform(eyes.eyes[1].matrix), np.array(CENTER))[0])
    assert np.array_equal(skin[:, : middle + 5], picture[:, : middle + 5])  # the owner's right
    assert (skin == 255).all(-1).sum() > 50
    around = painter.asked[0][0][0]
    assert (around[painted_region() > 0] == 0.5).all()


def test_nothing_is_asked_where_nothing_moved(anatomy, picture, projected):
    painter = Painter()
    eyes = PaintedEyes(anatomy, painter)
    eyes.set_target(picture, projected(), SCALE, AHEAD)
    skin = picture.copy()
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(jawOpen=0.8), AHEAD)
    assert not painter.asked
    assert np.array_equal(skin, picture)


def test_shut_eyes_of_a_video_open_as_they_were_seen_open(anatomy, picture, projected):
    other = picture[::-1, ::-1].copy()
    painter = Painter()
    eyes = PaintedEyes(anatomy, painter)
    eyes.set_target(picture, projected(), SCALE, AHEAD)
    eyes.set_target(other, projected(eyeBlink=1.0), SCALE, AHEAD, follows=True)
    eyes.paint(other.copy(), (0, 0, SIZE, SIZE), projected(), AHEAD)
    first = PaintedEyes(anatomy, painter)
    first.set_target(picture, projected(), SCALE, AHEAD)
    references = painter.asked[0][1]
    for eye, reference in zip(first.eyes, references, strict=True):
        np.testing.assert_array_equal(reference, eye.own.crop)
    # A half shut eye is painted from both.
    half = next(b for b in np.linspace(0, 1, 50) if opening(anatomy, projected, b) < 0.5)
    eyes.set_target(other, projected(eyeBlink=half), SCALE, AHEAD, follows=True)
    assert [len(eye.references()) for eye in eyes.eyes] == [2, 2]
    shares = [share for _, share in eyes.eyes[0].references()]
    assert sum(shares) == pytest.approx(1)
    # Another person's eyes are none of theirs.
    eyes.set_target(other, projected(eyeBlink=1.0), SCALE, AHEAD)
    assert [len(eye.references()) for eye in eyes.eyes] == [1, 1]
    assert eyes.eyes[0].references()[0][0].image is not None


def opening(anatomy, projected, blink: float) -> float:
    eye = placed(anatomy, 0, np.zeros((SIZE, SIZE, 3), np.uint8), projected())
    shut, own = (eye.turned(projected(eyeBlink=b), AHEAD[0]) for b in (blink, 0.0))
    return shut.opening / own.opening


def test_crops_of_large_eyes_are_averaged():
    fine = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    crop = cut_crop(fine, np.array([[0.1, 0, 0], [0, 0.1, 0]]))
    assert crop.std() < 0.3 * (fine / 255).std()
    ramp = np.tile(np.arange(640, dtype=np.float32) / 4, (480, 1)).astype(np.uint8)
    crop = cut_crop(np.repeat(ramp[..., None], 3, 2), np.array([[0.1, 0, 0.0], [0, 0.1, 0.0]]))
    np.testing.assert_allclose(crop[24, 5:60, 0] * 255, np.arange(5, 60) * 2.5, atol=1)


def test_outside_the_eyes_the_animator_draws_as_without(model, picture):
    frames = []
    for painter in (None, Painter()):
        animator = FaceAnimator(model, "none", painter)
        animator.set_target(picture, face(model))
        frames.append(animator.render(face(model, eyeBlink=1.0).expression[0].numpy()))
    near = np.zeros((SIZE, SIZE), np.uint8)
    points = Projection(face(model)).project(Anatomy(model).mean)
    for eye in Anatomy(model).eyes:
        middle = eye.rim(points).mean(0).round().astype(int)
        cv2.circle(near, middle.tolist(), round(SCALE * 3), 1, -1)
    assert np.array_equal(frames[0][near == 0], frames[1][near == 0])
    assert not np.array_equal(frames[0], frames[1])
