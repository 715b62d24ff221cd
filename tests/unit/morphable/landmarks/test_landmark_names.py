import json

import numpy as np

from xpress.morphable.landmarks.landmark_names import (
    CONTOUR_MEDIAPIPE_INDEX,
    MIRROR_68,
    MIRROR_CONTOURS,
)
from xpress.morphable.landmarks.landmark_weights import (
    FACE_OVAL,
    LANDMARKS68_MEDIAPIPE_INDEX,
    LIDS,
    LIPS_INNER,
    fit_weights,
    loss_weights,
)


def test_mirrors_are_involutions():
    for mirror, count in ((MIRROR_68, 68), (MIRROR_CONTOURS, 138)):
        np.testing.assert_array_equal(mirror[mirror], np.arange(count))


def test_mirrors_match_the_mean_face(model):
    points = model.landmark_points(model.mean[None])[0].numpy()
    eyes = np.linalg.norm(points[36] - points[45])
    for block, mirror in ((points[:68], MIRROR_68), (points[68:], MIRROR_CONTOURS)):
        error = np.linalg.norm(block[mirror] - block * [-1, 1, 1], axis=1)
        assert error.max() < 0.08 * eyes  # jaw points slide most
        assert error.mean() < 0.02 * eyes


def test_right_eye_of_the_owner_is_at_negative_x(model):
    points = model.landmark_points(model.mean[None])[0]
    assert points[36, 0] < points[39, 0] < 0 < points[42, 0] < points[45, 0]
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1]  # chin, lip, nose, bridge


def test_indices_are_those_of_the_packs(packs):
    table = json.loads((packs / "landmark_indices.json").read_text())
    assert LANDMARKS68_MEDIAPIPE_INDEX.tolist() == table["landmarks68_mediapipe_index"]
    assert CONTOUR_MEDIAPIPE_INDEX.tolist() == table["contours_mediapipe_index"]


def test_weights_count_a_point_once():
    weights = fit_weights()
    index = np.concatenate([LANDMARKS68_MEDIAPIPE_INDEX, CONTOUR_MEDIAPIPE_INDEX])
    assert weights.shape == (206,)
    for point in np.unique(index):
        assert np.count_nonzero(weights[index == point]) == 1, point
    brow, lips, lids, oval = (
        weights[68:][np.isin(CONTOUR_MEDIAPIPE_INDEX, group)].max()
        for group in ((105, 334), LIPS_INNER, LIDS, FACE_OVAL)
    )
    assert oval < brow < lips < lids


def test_the_loss_weighs_every_landmark():
    weights = loss_weights()
    assert weights.min() > 0
    assert (weights[60:68] >= 2).all()
    np.testing.assert_array_equal(weights[68:], fit_weights()[68:])
