"""The hole between the lips and what is painted into it."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from xpress.animation.openings.anatomy import MOUTH_PARTS, Anatomy
from xpress.animation.openings.mouth import MouthOpening
from xpress.animation.warping.mesh_evaluator import MeshEvaluator, Projection
from xpress.structures import FaceParameters

SIZE = 240
LIGHT = np.ones(3, np.float32)


@pytest.fixture(scope="module")
def anatomy(model) -> Anatomy:
    return Anatomy(model)


@pytest.fixture(scope="module")
def opening(model, anatomy) -> MouthOpening:
    return MouthOpening(anatomy, model.mean_color.numpy())


@pytest.fixture(scope="module")
def projected(model, anatomy):
    """Vertices of a mean face in pixels, by expression."""
    face = FaceParameters(
        identity=torch.zeros(1, model.sizes[0]),
        expression=torch.zeros(1, model.sizes[1]),
        color=torch.zeros(1, model.sizes[2]),
        illumination=torch.zeros(1, 9, 3),
        rotation=torch.tensor([[0.0, 0.1, 0.0]]),
        translation=torch.tensor([[120.0, 110.0]]),
        scale=torch.tensor([9.0]),
    )
    evaluator, camera = MeshEvaluator(model, anatomy.damping), Projection(face)

    def project(**values: float) -> np.ndarray:
        expression = np.zeros(model.sizes[1], np.float32)
        for index, name in enumerate(model.expression_names):
            expression[index] = values.get(name, values.get(name[:-2], 0))
        return camera.project(
            evaluator.neutral(face.identity.numpy()) + evaluator.offsets(expression)
        )

    return project


def interior(opening: MouthOpening, vertices: np.ndarray):
    return opening.interior(opening.close_up.draw(vertices), vertices)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (SIZE, SIZE, 3), np.uint8)


def test_a_closed_mouth_has_no_hole(opening, projected):
    closed = projected()
    opening.set_target(noise(), closed, LIGHT)
    assert interior(opening, closed) is None


def test_the_hole_grows_with_the_jaw_and_stays_between_the_lips(opening, projected):
    opening.set_target(noise(), projected(), LIGHT)
    areas = []
    for jaw in (0.2, 0.4, 0.6, 0.8, 1.0):
        vertices = projected(jawOpen=jaw)
        found = interior(opening, vertices)
        areas.append(float(found.alpha.sum()))
        rows, columns = np.nonzero(found.alpha > 0.5)
        rim = opening.grid.to_cells(vertices[opening.close_up.surroundings.loop])
        assert columns.min() >= rim[:, 0].min() - 2
        assert columns.max() <= rim[:, 0].max() + 2
        assert rows.min() >= rim[:, 1].min() - 2
        assert rows.max() <= rim[:, 1].max() + 2
    assert np.all(np.diff(areas) > 0)
    assert areas[0] > 0


def test_the_inside_is_neither_white_nor_black_and_darker_at_the_lips(opening, projected):
    opening.set_target(np.full((SIZE, SIZE, 3), (180, 140, 120), np.uint8), projected(), LIGHT)
    vertices = projected(jawOpen=0.7, mouthUpperUp=0.7)
    fragments = opening.close_up.draw(vertices)
    found = opening.interior(fragments, vertices)
    hole = found.alpha > 0.5
    assert found.color[hole].max() < 250
    assert found.color[hole].mean() > 15
    assert found.color[hole].mean() < 170

    def brightness(part: str) -> float:
        return float(found.color[hole & (fragments.part == MOUTH_PARTS.index(part))].mean())

    assert brightness("teeth_upper") > 1.4 * brightness("gums_tongue")
    teeth = hole & (fragments.part == MOUTH_PARTS.index("teeth_upper"))
    edge = teeth & (distance_transform_edt(hole) < 2)
    assert found.color[edge].mean() < 0.85 * found.color[teeth & ~edge].mean()


def test_the_targets_own_interior_is_shown_again(opening, projected):
    """The same mouth keeps its own pixels; a wider one keeps those of what did not move."""
    image = noise()
    before = projected(jawOpen=0.4, mouthUpperUp=0.6)
    opening.set_target(image, before, LIGHT)
    kept = opening.trusted.max(0) > 0.99
    assert kept.sum() > 100
    same = interior(opening, before)
    kept &= same.alpha > 0.99  # but for the thinnest corners of the hole
    np.testing.assert_allclose(same.color[kept], opening.layer[kept], atol=1.5)
    wider = projected(jawOpen=0.9, mouthUpperUp=0.6)
    upper = MOUTH_PARTS.index("teeth_upper")
    teeth = (opening.trusted[upper] > 0.99) & (opening.close_up.draw(wider).part == upper)
    shown = interior(opening, wider)
    teeth &= shown.alpha > 0.99
    assert teeth.sum() > 50
    np.testing.assert_allclose(shown.color[teeth], opening.layer[teeth], atol=1.5)


def test_lips_take_the_place_of_the_targets_opening(opening, projected):
    """Where the open target shows green inside, the skin layer shows lip colours only."""
    image = np.full((SIZE, SIZE, 3), (190, 120, 110), np.uint8)
    before = projected(jawOpen=0.7)
    rim = opening.close_up.surroundings.rim(before)
    import cv2

    cv2.fillPoly(image, [np.round(rim).astype(np.int32)], (0, 255, 0))
    opening.set_target(image, before, LIGHT)
    assert (image[..., 1] > 200).sum() > 300
    assert opening.skin[..., 1].max() < 180
    # lips that meet again are painted from it
    flow = np.zeros((*opening.grid.size, 3), np.float32)
    below = np.zeros((*opening.grid.shape, 3), np.uint8)
    color, _ = opening.paint(projected(), flow, opening.grid, below)
    after = opening.close_up.surroundings.rim(projected()) - opening.grid.box[:2]
    x, y = np.round(after).astype(int).T
    assert color[y, x, 1].max() < 180


def test_teeth_follow_the_brightness_of_the_targets(opening, projected):
    before = projected(jawOpen=0.4, mouthUpperUp=0.8)
    teeth = {}
    for level in (150, 210):
        image = np.full((SIZE, SIZE, 3), (level, level - 5, level - 15), np.uint8)
        opening.set_target(image, before, LIGHT)
        rows = opening.close_up.part == MOUTH_PARTS.index("teeth_upper")
        vertices = np.unique(opening.close_up.triangles[rows])
        teeth[level] = float(opening.colors[vertices].mean())
    assert teeth[210] > 1.15 * teeth[150]
