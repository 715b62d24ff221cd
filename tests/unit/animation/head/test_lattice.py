"""Depth, weights and borders of the lattice over a head."""

import cv2
import numpy as np
import pytest

from xpress.animation.head.lattice import border_hold, follow_weights, head_lattice
from xpress.animation.warping.mesh_evaluator import MeshEvaluator, Projection

SIZE = 300, 280
UNIT = 7.0


@pytest.fixture(scope="module")
def projection(model):
    from tests.unit.animation.test_animator import face

    return Projection(face(model, x=140, y=120, scale=UNIT))


@pytest.fixture(scope="module")
def vertices(model, projection):
    evaluator = MeshEvaluator(model, np.ones((1, len(model.mean)), np.float32))
    return projection.project(evaluator.neutral(np.zeros((1, model.sizes[0]), np.float32)))


@pytest.fixture(scope="module")
def lattice(model, projection, vertices):
    return head_lattice(model.numpy(), vertices, projection.linear, projection.offset, SIZE)


def at(lattice, values, point):
    """A map's value at a pixel."""
    zoom_x, shift_x, zoom_y, shift_y = lattice.grid.affine
    column, row = round(point[0] * zoom_x + shift_x), round(point[1] * zoom_y + shift_y)
    return values.reshape(*lattice.grid.size, -1)[row, column]


def test_depth_of_the_face_is_the_meshs(model, lattice, vertices):
    marks = model.numpy().landmark_points(vertices[None])[0]
    for index in (27, 30, 33, 51, 8):  # bridge, tip and base of the nose, lip, chin
        x, y, z = marks[index]
        assert at(lattice, lattice.points, (x, y))[2] == pytest.approx(z, abs=1.2 * UNIT)


def test_hair_lies_behind_the_face(lattice, vertices):
    top = vertices[:9409][:, 1].min()
    above = at(lattice, lattice.points, (140, top - 3 * UNIT))[2]
    assert above < vertices[:9409, 2].max() - 4 * UNIT


def test_head_follows_whole_neck_less_and_shoulders_not(model, lattice, vertices):
    person = np.ones(lattice.grid.size, bool)
    weight = follow_weights(lattice, person, UNIT)
    marks = model.numpy().landmark_points(vertices[None])[0]
    assert at(lattice, weight, marks[30][:2])[0] == pytest.approx(1, abs=1e-3)
    assert at(lattice, weight, marks[57][:2])[0] > 0.97
    chin = marks[8][:2]
    down = [at(lattice, weight, chin + np.array([0, cm * UNIT]))[0] for cm in (1, 4, 8, 12)]
    assert np.all(np.diff(down) < 0)
    assert down[0] > 0.8
    assert down[-1] < 0.1


def test_what_stands_far_beside_the_head_stays(lattice):
    person = cv2.erode((lattice.outside < 3).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    weight = follow_weights(lattice, person, UNIT).reshape(lattice.grid.size)
    assert np.abs(weight[lattice.outside > 11]).max() < 0.05


def test_a_cut_off_person_is_held_at_the_border_but_may_leave(lattice):
    right, left, down, up = border_hold(lattice, np.ones(lattice.grid.size, bool), SIZE, UNIT)
    rows, columns = lattice.grid.size
    down, up = down.reshape(rows, columns), up.reshape(rows, columns)
    middle = columns // 2
    assert lattice.grid.box[3] == SIZE[0], "the body is cut off below"
    assert up[-1, middle] < 0.1, "nothing is known below"
    assert down[-1, middle] > 0.9
    assert up[rows // 2, middle] > 0.9
    for free in (right, left):
        assert free.reshape(rows, columns)[rows // 2, middle] > 0.9


def test_a_wall_at_the_border_holds_nothing(lattice):
    free = border_hold(lattice, np.zeros(lattice.grid.size, bool), SIZE, UNIT)
    rows, columns = lattice.grid.size
    assert free.reshape(4, rows, columns)[:, rows // 2, columns // 2].min() > 0.99
