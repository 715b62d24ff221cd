"""Eyes are painted where lids or irises have moved, and nowhere else."""

import cv2
import numpy as np
import pytest
import torch

from xpress.animation.animator import FaceAnimator
from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.eye_picture import EyeFit, FaceView, OpenEyes, cut_crop
from xpress.animation.openings.painted_eyes import PaintedEye, PaintedEyes
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
def view(model, anatomy, projected):
    """A mean face, by expression, in a picture."""

    def see(image: np.ndarray, **values: float) -> FaceView:
        given = face(model, **values)
        closing = Projection(given).displace(anatomy.closing.reshape(-1, 3))[:, :2]
        blinks = given.expression[0].numpy()[anatomy.blinks]
        vertices = projected(**values)
        return FaceView(image, vertices, SCALE, AHEAD, blinks, closing.reshape(2, -1, 2))

    return see


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    smooth = np.random.default_rng(0).uniform(60, 200, (SIZE // 8, SIZE // 8, 3))
    return cv2.resize(smooth, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype("u1")


@pytest.fixture
def unmoved(monkeypatch) -> None:
    """Lids and irises tell no flow."""
    nothing = np.zeros((48, 64, 2), np.float32)
    monkeypatch.setattr("xpress.animation.openings.eye_picture.lid_flow", lambda *_: nothing)


def placed(anatomy, side, seen: FaceView) -> PaintedEye:
    return PaintedEye(EyeFit(anatomy, side, seen), seen.image)


def middle_of(fit: EyeFit) -> list[int]:
    """Pixel of the picture in the middle of the eye."""
    back = cv2.invertAffineTransform(fit.matrix)
    return transform(back, np.array(CENTER)).round().astype(int).tolist()


@SIDES
def test_the_crop_lies_between_the_corners(side, anatomy, picture, view, projected):
    eye = placed(anatomy, side, view(picture))
    shape = eye.fit.shape(projected(), AHEAD[0]).under(eye.fit.matrix)
    np.testing.assert_allclose(shape.lids[0], (CENTER[0] - EYE_WIDTH / 2, CENTER[1]), atol=1e-3)
    np.testing.assert_allclose(shape.lids[8], (CENTER[0] + EYE_WIDTH / 2, CENTER[1]), atol=1e-3)
    assert shape.lids[4, 1] < shape.lids[12, 1]  # the upper lid is above
    assert abs(shape.iris[0] - CENTER[0]) < 0.2 * EYE_WIDTH
    assert 0.12 < shape.radius / EYE_WIDTH < 0.3
    assert 0.1 < shape.opening < 0.4


@SIDES
def test_lids_close_and_irises_turn_in_the_crop(side, anatomy, picture, view, projected):
    eye = placed(anatomy, side, view(picture))
    own = eye.wanted(eye.fit.shape(projected(), AHEAD[0]))
    shut = eye.wanted(eye.fit.shape(projected(eyeBlink=1.0), AHEAD[0]))
    assert shut.opening < 0.25 * own.opening
    aside = eye.wanted(eye.fit.shape(projected(), np.float32([3.0, -2.0])))
    step = 3.0 * EYE_WIDTH / eye.width * (-1 if side == 0 else 1)
    assert aside.iris[0] - own.iris[0] == pytest.approx(step, rel=0.05)
    assert aside.iris[1] < own.iris[1] - 1


@SIDES
def test_the_iris_stays_between_the_corners(side, anatomy, picture, view, projected):
    eye = placed(anatomy, side, view(picture))
    for step in (-50.0, 50.0):
        far = eye.wanted(eye.fit.shape(projected(), np.float32([step, 0.0])))
        assert far.lids[0, 0] < far.iris[0] - far.radius / 2
        assert far.lids[8, 0] > far.iris[0] + far.radius / 2


@SIDES
def test_the_painting_grows_with_the_motion(side, anatomy, picture, view, projected):
    eye = placed(anatomy, side, view(picture))
    assert eye.motion(eye.fit.shape(projected(), AHEAD[0])) == 0
    weights = [
        eye.motion(eye.fit.shape(projected(eyeBlink=b), AHEAD[0])) for b in (0.02, 0.06, 0.1, 0.6)
    ]
    assert weights == sorted(weights)
    assert weights[-1] == 1
    assert eye.motion(eye.fit.shape(projected(), np.float32([3.0, 0.0]))) == 1
    assert eye.motion(eye.fit.shape(projected(jawOpen=1.0), AHEAD[0])) == 0


def test_an_edit_without_flow_shows_the_reference_at_full_sharpness(
    anatomy, picture, view, projected, unmoved
):
    eyes = PaintedEyes(anatomy, Painter())
    eyes.set_target(view(picture))
    skin = np.zeros_like(picture)
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
    for eye in eyes.eyes:
        x, y = (
            transform(cv2.invertAffineTransform(eye.fit.matrix), np.array(CENTER))
            .round()
            .astype(int)
        )
        inside = np.s_[y - 3 : y + 4, x - 5 : x + 6]
        np.testing.assert_allclose(skin[inside].astype(int), picture[inside], atol=1)
    assert not skin[0].any()
    assert not skin[:, 0].any()


def test_a_flow_moves_by_pixels_of_the_picture_and_is_mirrored_for_left_eyes(
    anatomy, picture, view, projected, unmoved
):
    eyes = PaintedEyes(anatomy, Painter(flow=(4.0, 0.0)))
    eyes.set_target(view(picture))
    skin = np.zeros_like(picture)
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
    for eye, sign in zip(eyes.eyes, (-1, 1), strict=True):
        step = sign * 4 * eye.width / EYE_WIDTH
        x, y = (
            transform(cv2.invertAffineTransform(eye.fit.matrix), np.array(CENTER))
            .round()
            .astype(int)
        )
        columns = np.arange(x - 4, x + 5, dtype=np.float32)
        wanted = cv2.remap(picture, columns[None] + np.float32(step), np.full((1, 9), y, "f4"), 1)
        np.testing.assert_allclose(skin[y, x - 4 : x + 5].astype(int), wanted[0], atol=2)


def test_the_lid_is_drawn_down_before_anything_is_painted(anatomy, picture, view, projected):
    """A bright band above the lid ends up in the middle of the shut eye."""
    eye = placed(anatomy, 1, view(picture))
    band = picture // 4
    x, y = eye.fit.shape(projected(), AHEAD[0]).lids[4].round().astype(int)
    cv2.line(band, (x - 6, y - 3), (x + 6, y - 3), (255, 255, 255), 2)
    eyes = PaintedEyes(anatomy, Painter())
    eyes.set_target(view(band))
    skin = band.copy()
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
    brightest = skin[y - 8 : y + 14, x - 3 : x + 4].mean((1, 2)).argmax() + y - 8
    drop = (
        eye.fit.shape(projected(eyeBlink=1.0), AHEAD[0]).lids[4, 1]
        - eye.fit.shape(projected(), AHEAD[0]).lids[4, 1]
    )
    assert drop > 4
    assert brightest - (y - 3) > 0.5 * drop


def test_one_eye_alone_is_asked_for_and_painted(anatomy, picture, view, projected):
    painter = Painter(mask=20.0, color=(20.0, 20.0, 20.0))
    eyes = PaintedEyes(anatomy, painter)
    eyes.set_target(view(picture))
    skin = picture.copy()
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink_L=1.0), AHEAD)
    assert [len(part) for part in painter.asked[0]] == [1, 1, 1, 1]
    middle = middle_of(eyes.eyes[1].fit)[0]
    assert np.array_equal(skin[:, : middle + 5], picture[:, : middle + 5])  # the owner's right
    assert (skin == 255).all(-1).sum() > 50
    around = painter.asked[0][0][0]
    assert (around[painted_region() > 0] == 0.5).all()


def test_nothing_is_asked_where_nothing_moved(anatomy, picture, view, projected):
    painter = Painter()
    eyes = PaintedEyes(anatomy, painter)
    eyes.set_target(view(picture))
    skin = picture.copy()
    eyes.paint(skin, (0, 0, SIZE, SIZE), projected(jawOpen=0.8), AHEAD)
    assert not painter.asked
    assert np.array_equal(skin, picture)


def test_shut_eyes_of_a_video_open_as_they_were_seen_open(anatomy, picture, view, projected):
    other = picture[::-1, ::-1].copy()
    painter = Painter()
    eyes = PaintedEyes(anatomy, painter)
    eyes.set_opened(view(picture))
    eyes.set_target(view(other, eyeBlink=1.0))
    eyes.paint(other.copy(), (0, 0, SIZE, SIZE), projected(), AHEAD)
    first = PaintedEyes(anatomy, painter)
    first.set_target(view(picture))
    references = painter.asked[0][1]
    for eye, reference in zip(first.eyes, references, strict=True):
        np.testing.assert_array_equal(reference, eye.own.crop)
    # A half shut eye is painted from both, and one that stays shut from itself.
    half = next(
        b for b in np.linspace(0, 1, 50) if opening(anatomy, view(picture), projected, b) < 0.5
    )
    eyes.set_target(view(other, eyeBlink=half))
    for eye in eyes.eyes:
        wanted = eye.wanted(eye.fit.shape(projected(), AHEAD[0]))
        assert [picture is eye.own for picture, _ in eye.references(wanted)] == [True, False]
        assert sum(share for _, share in eye.references(wanted)) == pytest.approx(1)
        assert eye.references(eye.own.shape) == [(eye.own, 1)]
    # Another person's eyes are none of theirs.
    eyes.set_opened(None)
    eyes.set_target(view(other, eyeBlink=1.0))
    assert all(len(eye.references(wanted)) == 1 for eye in eyes.eyes)


def opening(anatomy, seen: FaceView, projected, blink: float) -> float:
    fit = EyeFit(anatomy, 0, seen)
    shut, own = (fit.shape(projected(eyeBlink=b), AHEAD[0]) for b in (blink, 0.0))
    return shut.opening / own.opening


@SIDES
def test_blinks_close_lids_that_the_model_leaves_ajar(side, anatomy, picture, view, projected):
    fit = EyeFit(anatomy, side, view(picture))
    rim = anatomy.eyes[side].rim
    found = [fit.shape(projected(eyeBlink=b), AHEAD[0]).lids for b in np.linspace(0, 1, 21)]
    given = [rim(projected(eyeBlink=b)) for b in np.linspace(0, 1, 21)]
    gaps, model_gaps = (
        np.array([(lids[9:][::-1, 1] - lids[1:8, 1]) for lids in shapes])
        for shapes in (found, given)
    )
    np.testing.assert_allclose(gaps[0], model_gaps[0], atol=1e-3)  # open eyes are as they are
    assert np.abs(gaps[-1]).max() < 0.35 * np.abs(model_gaps[-1]).max()
    assert (np.diff(gaps.mean(1)) < 0).all()


def test_the_animator_takes_open_eyes_from_another_picture(model, picture):
    other = np.ascontiguousarray(picture[::-1, ::-1])
    frames = {}
    for name, opened in (("other", OpenEyes(other, face(model))), ("own", None)):
        animator = FaceAnimator(model, "none", Painter())
        animator.set_target(picture, face(model, eyeBlink=1.0), opened)
        frames[name] = animator.render(face(model).expression[0].numpy())
    fit = animator._painted.eyes[0].fit
    x, y = middle_of(fit)
    middle = np.s_[y - 1 : y + 2, x - 2 : x + 3]
    np.testing.assert_allclose(frames["other"][middle].astype(int), other[middle], atol=12)
    assert np.abs(frames["own"][middle].astype(int) - other[middle]).mean() > 20


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


def test_grey_eyes_stay_grey(anatomy, picture, view, projected):
    grey = np.ascontiguousarray(picture.mean(2, keepdims=True).astype("u1").repeat(3, 2))
    for image, most in ((grey, 1), (picture, 255)):
        eyes = PaintedEyes(anatomy, Painter(mask=20.0, color=(20.0, -20.0, -20.0)))
        eyes.set_target(view(image))
        skin = image.copy()
        eyes.paint(skin, (0, 0, SIZE, SIZE), projected(eyeBlink=1.0), AHEAD)
        x, y = middle_of(eyes.eyes[0].fit)
        chroma = np.ptp(skin[y - 2 : y + 3, x - 2 : x + 3].astype(int), axis=2)
        assert chroma.max() <= most
        assert chroma.min() >= most - 1
