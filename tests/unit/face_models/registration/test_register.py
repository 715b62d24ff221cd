"""A rig that is a known face gives that face, its shapes and its coefficients."""

from dataclasses import replace

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.registration.alignment import between
from xpress.face_models.registration.register import register

MILLIMETRE = 0.1


def test_landmarks_and_openings_lie_where_they_belong(stranger, known):
    model = stranger.model
    wanted = model.landmark_points(stranger.person[None])[0]
    found = known.model.landmark_points(known.model.mean[None])[0]
    placed = between(wanted, found)
    error = np.linalg.norm(placed(wanted) - found, axis=1)
    assert error[17:68].mean() < 1.2 * MILLIMETRE
    loops = np.concatenate([model.inner_lip_loop, *model.eyelid_loops])
    error = np.linalg.norm(placed(stranger.person[loops]) - known.model.mean[loops], axis=1)
    assert error.mean() < 2 * MILLIMETRE
    # the mean face lies much farther away: the mesh was bent, not left
    rest = np.linalg.norm(placed(wanted) - model.landmark_points(model.mean[None])[0], axis=1)
    assert rest[17:68].mean() > 2 * MILLIMETRE


def test_identity_coefficients_are_the_rig_s_own(stranger, known):
    assert known.model.sizes[0] == 3
    wanted = stranger.model.landmark_points(stranger.model.identity_basis[4:7])
    found = known.model.landmark_points(known.model.identity_basis)
    scale = known.model.mean[:9409].std() / stranger.person[:9409].std()
    assert np.abs(found - scale * wanted)[:, 17:68].max() < 0.5 * MILLIMETRE


def test_shapes_by_name_by_fit_and_carried_over(stranger, known):
    names = stranger.model.expression_names
    own = {name for name, o in zip(names, known.expressions.own, strict=True) if o}
    assert {"jawOpen", "mouthSmile_L", "eyeBlink_L", "eyeBlink_R", "mouthPucker"} <= own
    assert "cheekPuff_L" not in own
    blink = known.expressions.coefficients[names.index("eyeBlink_L")]
    assert blink.argmax() == 3
    assert blink[3] > 0.9
    puff = names.index("cheekPuff_L")
    np.testing.assert_allclose(
        known.model.expression_basis[puff], stranger.model.expression_basis[puff], atol=1e-5
    )
    assert "cheekPuff_L" in known.model.info["carried_over"]


def test_what_lies_inside_follows(stranger, known):
    eye = stranger.model.parts["eyeball_left"]
    ball = slice(eye.vertex_start, eye.vertex_stop)
    landmarks = stranger.model.landmark_points(stranger.person[None])[0]
    found = known.model.landmark_points(known.model.mean[None])[0]
    placed = between(landmarks[17:68], found[17:68])
    error = placed(stranger.person[ball]).mean(0) - known.model.mean[ball].mean(0)
    assert np.linalg.norm(error) < 3 * MILLIMETRE
    size = np.ptp(known.model.mean[ball], 0)
    default = np.ptp(stranger.model.mean[ball], 0)
    np.testing.assert_allclose(size / default, (size / default).mean(), rtol=1e-4)


def test_what_is_no_face_is_refused(stranger):
    x, y = np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30))
    ball = np.stack([x, y, 0.02 * np.sin(9 * x)], -1).reshape(-1, 3)
    index = np.arange(900).reshape(30, 30)
    triangles = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:]], -1).reshape(-1, 3)
    none = np.zeros((0, 900, 3))
    rig = replace(
        stranger.rig,
        mean=ball,
        triangles=triangles,
        identity=none,
        expression=none,
        expression_names=[],
        expression_bounds=np.zeros((0, 2)),
        neutral=np.zeros(0),
        landmarks={},
    )
    with pytest.raises(InputError, match=r"no face was found|of a face was found"):
        register(rig)


def test_wide_eyes_without_landmarks(stranger):
    """The face is found by its shape, and a blink that was carried over closes its eyes."""
    model = stranger.model
    row = model.expression_names.index("eyeBlink_L")
    rig = replace(
        stranger.rig,
        mean=stranger.rig.mean
        - 0.6 * stranger.rig.expression[3]
        - 0.6 * stranger.rig.expression[4],
        landmarks={},
        expression=stranger.rig.expression[:1],
        expression_names=["jawOpen"],
        expression_bounds=np.array([[0.0, 1.0]]),
        neutral=np.zeros(1),
    )
    found = register(rig).model

    def gap(face, blink):
        marks = face.landmarks68(face.mean[None] + blink * face.expression_basis[row][None])[0]
        return marks[[43, 44], 1].mean() - marks[[47, 46], 1].mean()

    wanted = model.landmark_points(stranger.person[None])[0]
    marks = found.landmark_points(found.mean[None])[0]
    placed = between(wanted[27:36], marks[27:36])
    error = np.linalg.norm(placed(wanted) - marks, axis=1)
    assert error[[*range(27, 36), *range(48, 68)]].mean() < 2 * MILLIMETRE
    assert gap(found, 0) > 1.15 * gap(model, 0)
    assert gap(found, 1) == pytest.approx(gap(model, 1), abs=0.02)
