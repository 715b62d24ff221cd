"""Coefficients of one model as another's."""

from dataclasses import replace

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.conversion import ModelConversion
from xpress.morphable.face_model import FaceModel


def test_the_same_face_in_a_turned_basis():
    model = FaceModel.default()
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 60)))[0].astype(np.float32)
    shift = 0.5 * model.identity_basis[2]
    other = replace(
        model,
        mean=model.mean + shift,
        identity_basis=np.tensordot(turn, model.identity_basis, 1),
        color_basis=model.color_basis[:10],
    )
    conversion = ModelConversion(model, other)
    person = np.random.default_rng(1).normal(size=(1, 60)).astype(np.float32)
    found = other.neutral(conversion.identity(person).astype(np.float32))
    error = model.landmark_points(model.neutral(person)) - other.landmark_points(found)
    moved = model.landmark_points(model.neutral(person)) - model.landmark_points(model.mean[None])
    assert np.abs(error).mean() < 0.05 * np.abs(moved).mean()
    color = np.zeros((1, 40))
    color[0, :10] = np.linspace(-1, 1, 10)
    np.testing.assert_allclose(conversion.color(color)[0], color[0, :10], atol=0.05)


def test_another_mesh_needs_an_encoder_of_its_own():
    model = FaceModel.default()
    with pytest.raises(InputError, match=r"needs an encoder of its own.*face_models"):
        ModelConversion(model, replace(model, triangles=model.triangles[::-1]))
