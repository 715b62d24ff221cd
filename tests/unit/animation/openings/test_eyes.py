"""Lids cover eyes, and eyes do not follow lids."""

import cv2
import numpy as np
import pytest
import torch

from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.eyes import EyeOpening
from xpress.animation.warping.inpainting import opening_mask
from xpress.animation.warping.mesh_evaluator import MeshEvaluator, Projection
from xpress.structures import FaceParameters

SIZE = 240
LIGHT = np.ones(3, np.float32)
SKIN_TONE = (190, 140, 120)


@pytest.fixture(scope="module")
def anatomy(model) -> Anatomy:
    return Anatomy(model)


@pytest.fixture(scope="module", params=[0, 1], ids=["left", "right"])
def opening(request, model, anatomy) -> EyeOpening:
    return EyeOpening(anatomy, request.param, model.mean_color.numpy())


@pytest.fixture(scope="module")
def projected(model, anatomy):
    """Vertices of a mean face in pixels, by expression and turn of the head."""

    def project(yaw: float = 0.0, **values: float) -> np.ndarray:
        face = FaceParameters(
            identity=torch.zeros(1, model.sizes[0]),
            expression=torch.zeros(1, model.sizes[1]),
            color=torch.zeros(1, model.sizes[2]),
            illumination=torch.zeros(1, 9, 3),
            rotation=torch.tensor([[0.0, yaw, 0.0]]),
            translation=torch.tensor([[120.0, 130.0]]),
            scale=torch.tensor([9.0]),
        )
        evaluator, camera = MeshEvaluator(model, anatomy.damping), Projection(face)
        expression = np.zeros(model.sizes[1], np.float32)
        for index, name in enumerate(model.expression_names):
            expression[index] = values.get(name, values.get(name[:-2], 0))
        return camera.project(
            evaluator.neutral(face.identity.numpy()) + evaluator.offsets(expression)
        )

    return project


def eyeball_cells(opening: EyeOpening, vertices: np.ndarray) -> float:
    shown = opening.interior(opening.close_up.draw(vertices), vertices)
    return 0.0 if shown is None else float(shown.alpha.sum())


def painted(image: np.ndarray, vertices: np.ndarray, color: tuple[int, int, int], opening):
    """`image` with what the mesh shows between the lids in one colour."""
    import cv2

    image = image.copy()
    rim = opening.close_up.surroundings.rim(vertices)
    cv2.fillPoly(image, [np.round(rim).astype(np.int32)], color)
    return image


def still(opening: EyeOpening) -> tuple:
    """No flow, its raster, and the skin below."""
    grid = opening.grid
    return np.zeros((*grid.size, 3), np.float32), grid, np.zeros((*grid.shape, 3), np.uint8)


@pytest.mark.parametrize("yaw", [-0.4, 0.0, 0.4])
def test_closed_lids_cover_the_eye(opening, projected, yaw):
    opened = projected(yaw)
    opening.set_target(np.full((SIZE, SIZE, 3), SKIN_TONE, np.uint8), opened, LIGHT)
    seen = [eyeball_cells(opening, projected(yaw, eyeBlink=b)) for b in (0, 0.3, 0.6, 1.0)]
    assert seen[0] > 200
    assert np.all(np.diff(seen) < 0)
    assert seen[-1] < 0.015 * seen[0]
    assert eyeball_cells(opening, projected(yaw, eyeWide=1.0)) > seen[0]


def test_closed_lids_are_painted_with_skin(opening, projected):
    opened = projected()
    skin = np.full((SIZE, SIZE, 3), SKIN_TONE, np.uint8)
    image = painted(skin, opened, (0, 255, 0), opening)
    opening.set_target(image, opened, LIGHT)
    color, alpha = opening.paint(projected(eyeBlink=1.0), *still(opening))
    middle = alpha > 0.99
    green = (color[..., 1] > color[..., 0]) & middle
    before = (image[..., 1] > image[..., 0]).sum()
    assert before > 80
    assert green.sum() < 0.2 * before


def test_an_iris_above_a_badly_fitting_lid_is_no_hole_in_closed_eyes(opening, projected):
    opened = projected()
    skin = np.full((SIZE, SIZE, 3), SKIN_TONE, np.uint8)
    opening.set_target(skin, opened, LIGHT)
    higher = opened - np.array([0, 0.08 * opening.close_up.width, 0], np.float32)
    image = painted(painted(skin, opened, (40, 30, 20), opening), higher, (40, 30, 20), opening)
    opening.set_target(image, opened, LIGHT)
    color, alpha = opening.paint(projected(eyeBlink=1.0), *still(opening))
    dark = (color.mean(-1) < 100) & (alpha > 0.99)
    before = (image.mean(-1) < 100).sum()
    assert 10 < dark.sum() < 0.25 * before  # a line of lashes, no hole


def test_the_eyeball_stays_while_lids_widen(opening, projected):
    opened = projected()
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    opening.set_target(noise, opened, LIGHT)
    x0, y0 = opening.grid.box[:2]
    color, _ = opening.paint(projected(eyeWide=0.6), *still(opening))
    rim = opening.close_up.surroundings.rim(opened)
    x, y = np.round(rim.mean(0)).astype(int)
    near = np.s_[y - y0 - 1 : y - y0 + 2, x - x0 - 2 : x - x0 + 3]
    own = noise[y - 1 : y + 2, x - 2 : x + 3].astype(float)
    # twice resampled noise is softer, but a shift by one pixel would be uncorrelated
    assert np.corrcoef(color[near].ravel(), own.ravel())[0, 1] > 0.8


def test_what_opens_anew_takes_the_eyeballs_colours(opening, projected):
    opened = projected()
    skin = np.full((SIZE, SIZE, 3), SKIN_TONE, np.uint8)
    opening.set_target(painted(skin, opened, (10, 20, 240), opening), opened, LIGHT)
    wide = projected(eyeWide=1.0)
    color, _ = opening.paint(wide, *still(opening))
    shown = (
        opening.grid.to_pixels((opening.close_up.draw(wide).part >= 0).astype(np.float32)) > 0.99
    )
    assert shown.sum() > 100
    assert (color[shown][:, 2] > color[shown][:, 0]).mean() > 0.97


def test_a_target_with_closed_eyes_gets_the_models(opening, projected):
    closed = projected(eyeBlink=1.0)
    opening.set_target(np.full((SIZE, SIZE, 3), SKIN_TONE, np.uint8), closed, LIGHT)
    assert opening.own_share < 0.05
    opened = projected()
    shown = opening.close_up.draw(opened)
    color = opening.interior(shown, opened).color[shown.part >= 0]
    bright, dark = color.mean(1).max(), color.mean(1).min()
    assert bright > 120  # sclera
    assert dark < 40  # pupil
    assert bright < 250


def dark_iris(opening: EyeOpening, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A target whose eyeballs are white with a dark iris, and where that is."""
    rim = opening.close_up.surroundings.rim(vertices)
    middle = rim.mean(0)
    image = np.full((SIZE, SIZE, 3), SKIN_TONE, np.uint8)
    cv2.fillPoly(image, [rim.round().astype(np.int32)], (240, 240, 240))
    cv2.circle(image, middle.round().astype(int).tolist(), 4, (20, 20, 20), -1)
    return image, middle


@pytest.mark.parametrize("look", [(3.0, 0.0), (-3.0, 0.0), (0.0, 1.5)])
def test_eyes_turn_between_lids_that_stay(opening, projected, look):
    vertices = projected()
    image, _ = dark_iris(opening, vertices)
    opening.set_target(image, vertices, LIGHT)
    opening.look(np.zeros(2, np.float32))
    before, between = opening.turned()
    opening.look(np.array(look, np.float32))
    after, _ = opening.turned()
    assert between.max() == 1
    outside = opening_mask(between.shape, opening._own_rim, 2.0) == 0
    assert between[outside].max() < 0.05  # lids and skin stay
    centers = []
    for color in (before, after):
        dark = (color.mean(-1) < 120) & (between > 0.5)
        assert dark.sum() > 15
        centers.append(np.argwhere(dark).mean(0)[::-1])
    moved = centers[1] - centers[0]
    axis = 0 if look[0] else 1
    # Lids hide part of an iris that moves up or down.
    least = (0.8, 0.1)[axis] * abs(look[axis])
    assert least < moved[axis] * np.sign(look[axis]) < 1.1 * abs(look[axis])


def test_the_iris_never_leaves_the_lids(opening, projected):
    opening.set_target(*dark_iris(opening, projected())[:1], projected(), LIGHT)
    opening.look(np.array([500.0, -500.0], np.float32))
    assert (np.abs(opening.turn) <= opening.close_up.width * np.array([0.221, 0.101])).all()


def test_the_gaze_of_both_eyes_goes_where_the_shapes_say(model, anatomy):
    names = list(model.expression_names)
    for side, suffix in enumerate("LR"):
        out, up = (anatomy.gaze[side, names.index(f"eyeLook{n}_{suffix}")] for n in ("Out", "Up"))
        assert out[0] * (1 if suffix == "L" else -1) > 0.2  # the owner's left is at positive x
        assert up[1] > 0.1
        other = anatomy.gaze[1 - side, names.index(f"eyeLookOut_{suffix}")]
        assert not other.any()
