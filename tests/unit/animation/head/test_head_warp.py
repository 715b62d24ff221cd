"""A turned photograph against a rendering of the turned face, which took another way."""

import cv2
import numpy as np
import pytest
import torch
from tests.unit.animation.test_animator import face, picture

from xpress.animation.animator import FaceAnimator
from xpress.structures import FaceParameters
from xpress.transfer.head_motion import HeadMotion

SIZE = 300
CENTRE = 120.0


@pytest.fixture(scope="module")
def target(model):
    return face(model, x=CENTRE, y=CENTRE)


@pytest.fixture(scope="module")
def image(model, target):
    return picture(model, target, SIZE, SIZE)


@pytest.fixture(scope="module")
def animator(model, image, target):
    made = FaceAnimator(model, "none", relight=False)
    made.set_target(image, target)
    return made


def moved_face(target: FaceParameters, motion: HeadMotion) -> FaceParameters:
    """The parameters that the motion means."""
    scale = float(target.scale[0])
    turn = cv2.Rodrigues(motion.rotation)[0] @ cv2.Rodrigues(target.rotation[0].double().numpy())[0]
    changed = dict(vars(target))
    changed["rotation"] = torch.from_numpy(cv2.Rodrigues(turn)[0][:, 0][None]).float()
    changed["translation"] = target.translation + scale * torch.tensor(motion.place)[None].float()
    changed["scale"] = target.scale * float(np.exp(motion.size))
    return FaceParameters(**changed)


MOTIONS = {
    "yaw": HeadMotion(np.array([0.0, 0.2, 0.0]), np.zeros(2)),
    "pitch": HeadMotion(np.array([-0.15, 0.0, 0.0]), np.zeros(2)),
    "roll": HeadMotion(np.array([0.0, 0.0, 0.25]), np.zeros(2)),
    "place": HeadMotion(np.zeros(3), np.array([1.5, -1.0])),
    "size": HeadMotion(np.zeros(3), np.zeros(2), 0.08),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_face_lands_where_a_rendering_puts_it(model, animator, image, target, name):
    motion = MOTIONS[name]
    expression = target.expression[0].numpy()
    shown = animator.render(expression, motion)
    wanted = moved_face(target, motion)
    truth = picture(model, wanted, SIZE, SIZE)
    # the middle of the face as the rendering has it
    x, y = wanted.translation[0].numpy()
    reach = 5 * float(wanted.scale[0])
    box = np.s_[int(y - reach) : int(y + reach), int(x - reach) : int(x + reach)]

    def error(picture_):
        return np.abs(picture_[box].astype(float) - truth[box]).mean()

    assert error(shown) < 0.45 * error(image), "spots and features are where they belong"


def test_no_motion_is_the_picture_bit_by_bit(animator, image, target):
    expression = target.expression[0].numpy()
    np.testing.assert_array_equal(animator.render(expression, HeadMotion.still()), image)


def test_a_tiny_motion_changes_next_to_nothing(animator, image, target):
    tiny = HeadMotion(np.array([0.0, 1e-4, 0.0]), np.zeros(2))
    shown = animator.render(target.expression[0].numpy(), tiny)
    # the matte's edge is put together again from what it was taken apart into
    assert np.abs(shown.astype(int) - image).max() <= 4


def test_background_that_the_head_does_not_reach_stays_bit_by_bit(animator, image, target):
    shown = animator.render(target.expression[0].numpy(), MOTIONS["yaw"])
    x0, y0, x1, y1 = animator.last_region
    outside = np.ones(image.shape[:2], bool)
    outside[y0:y1, x0:x1] = False
    assert outside.any(), "the picture is larger than the head's region"
    np.testing.assert_array_equal(shown[outside], image[outside])
    # inside it too, where the wall is far from the head
    corner = np.s_[:20, -20:]
    np.testing.assert_array_equal(shown[corner], image[corner])


def test_the_head_leaves_no_second_one_behind(animator, image, target):
    motion = HeadMotion(np.zeros(3), np.array([2.5, 0.0]))
    shown = animator.render(target.expression[0].numpy(), motion)
    wall = np.array([128, 128, 128])
    head = np.abs(image.astype(int) - wall).max(-1) > 12
    row = int(CENTRE - 20)
    left = int(np.flatnonzero(head[row])[0])
    uncovered = shown[row, left + 1 : left + 9].astype(int)
    assert np.abs(uncovered - wall).max() < 12, "the wall, where the head was"


def test_expression_and_head_move_together(animator, image, target, model):
    index = model.expression_names.index("jawOpen")
    opened = target.expression[0].numpy().copy()
    opened[index] = 0.8
    both = animator.render(opened, MOTIONS["place"])
    alone = animator.render(opened)
    way = (6.0 * MOTIONS["place"].place).astype(int)
    mouth = np.s_[int(CENTRE) + 18 : int(CENTRE) + 50, int(CENTRE) - 20 : int(CENTRE) + 20]
    there = np.roll(both, (-way[1], -way[0]), (0, 1))[mouth].astype(float)
    assert np.abs(there - alone[mouth]).mean() < np.abs(there - image[mouth]).mean() / 2


def test_target_changes_with_set_target(animator, image, target, model):
    animator.render(target.expression[0].numpy(), MOTIONS["yaw"])
    other = face(model, x=CENTRE + 10, y=CENTRE)
    second = picture(model, other, SIZE, SIZE)
    animator.set_target(second, other)
    shown = animator.render(other.expression[0].numpy(), MOTIONS["yaw"])
    fresh = FaceAnimator(model, "none", relight=False)
    fresh.set_target(second, other)
    np.testing.assert_array_equal(shown, fresh.render(other.expression[0].numpy(), MOTIONS["yaw"]))
    animator.set_target(image, target)


def test_faces_at_the_border_and_beyond_it_are_drawn(model):
    for x, y, scale in ((20.0, 30.0, 6.0), (100.0, 100.0, 30.0), (100.0, 190.0, 3.0)):
        target = face(model, x=x, y=y, scale=scale)
        image = picture(model, target, 200, 200)
        animator = FaceAnimator(model, "none")
        animator.set_target(image, target)
        shown = animator.render(target.expression[0].numpy(), MOTIONS["roll"])
        assert shown.shape == image.shape
        assert shown.dtype == np.uint8
