"""The plate: values are continued smoothly, and it is bent onto what lies before it."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from xpress.face_models.registration.nonrigid import Plate, exposed
from xpress.face_models.registration.surface_points import Surface


@pytest.fixture
def sheet():
    x, y = np.meshgrid(np.linspace(-3, 3, 25), np.linspace(-3, 3, 25))
    index = np.arange(625).reshape(25, 25)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return np.stack([x, y, 0 * x], -1).reshape(-1, 3), triangles


def test_values_are_continued(sheet):
    vertices, triangles = sheet
    known = np.abs(vertices[:, 0]) < 2
    values = np.stack([vertices, 0 * vertices])
    found = Plate(vertices, triangles).extended(values, known)
    assert np.abs(found[0] - vertices)[known].max() < 0.02
    outside = found[0, ~known]
    assert (np.sign(outside[:, 0]) == np.sign(vertices[~known, 0])).all()
    assert np.abs(outside[:, 0]).min() > 1.9
    assert np.abs(outside[:, 0]).max() < 3.1
    assert not found[1].any()


def test_the_plate_is_bent_onto_a_hill(sheet):
    vertices, triangles = sheet
    hill = vertices.copy()
    hill[:, 2] = 0.6 * np.exp(-(vertices[:, :2] ** 2).sum(1))
    surface = Surface(hill, triangles)
    bent = Plate(vertices, triangles).registered(surface, csr_matrix((0, 625)), np.zeros((0, 3)))
    inner = (np.abs(vertices[:, :2]) < 2).all(1)
    found, _ = Plate(vertices, triangles).partners(bent, surface, 1.0)
    distance = np.linalg.norm(found.mix(hill) - bent, axis=1)
    assert distance[inner].max() < 0.01
    assert bent[inner, 2].max() > 0.5


def test_partners_face_the_same_way(sheet):
    vertices, triangles = sheet
    plate = Plate(vertices, triangles)
    behind = Surface(vertices + np.array([0, 0, 0.1]), triangles[:, ::-1])
    assert not plate.partners(vertices, behind, 1.0)[1].any()
    before = Surface(vertices + np.array([0, 0, 0.1]), triangles)
    assert plate.partners(vertices, before, 1.0)[1].mean() > 0.7
    assert not plate.partners(vertices, before, 0.05)[1].any()


def test_what_other_skin_lies_before_is_not_exposed(sheet):
    vertices, triangles = sheet
    assert exposed(vertices, triangles).all()
    lid = vertices + np.array([0, 0, 0.5])
    both = np.concatenate([vertices, lid])
    for turned, wanted in ((triangles, [False, True]), (triangles[:, ::-1], [False, False])):
        found = exposed(both, np.concatenate([triangles, turned + len(vertices)]))
        assert [found[:625].all(), found[625:].all()] == wanted
