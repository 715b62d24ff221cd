import json

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.morphable.io.ict import RANGES
from xpress.morphable.io.mediapipe import IRIS_OVER_EYEBALL, landmark_vertices
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX, MIRROR_CONTOURS
from xpress.morphable.landmarks.landmark_weights import FACE_OVAL

TABLES = ("ict_facekit.npz", "ict_mediapipe.json", "landmark_indices.json")


@pytest.fixture(scope="module")
def files(packs):
    return [packs / name for name in TABLES]


@pytest.fixture(scope="module")
def points(files):
    with np.load(files[0]) as archive:
        return archive["neutral"][landmark_vertices(*files)]


def test_landmarks_are_where_they_are_called(points):
    assert points.shape == (206, 3)
    chin, nose, right_eye, left_eye = points[[8, 30, 36, 45]]
    assert chin[1] < nose[1] < right_eye[1]
    assert right_eye[0] < -3 < 3 < left_eye[0]
    assert nose[2] == max(points[:, 2])


def test_contours_are_symmetric(points):
    contours, eyes = points[68:], np.linalg.norm(points[36] - points[45])
    error = np.linalg.norm(contours[MIRROR_CONTOURS] - contours * [-1, 1, 1], axis=1)
    assert error.mean() < 0.03 * eyes
    # the table's points of the face oval differ in depth between the sides
    inner = ~np.isin(CONTOUR_MEDIAPIPE_INDEX, FACE_OVAL)
    assert error[inner].max() < 0.05 * eyes


@pytest.mark.parametrize(("first", "part"), [(468, "eyeball_right"), (473, "eyeball_left")])
def test_irises_lie_around_the_pupil(files, points, first, part):
    rows = np.searchsorted(CONTOUR_MEDIAPIPE_INDEX, np.arange(first, first + 5))
    center, *ring = points[68 + rows]
    (start, stop), _ = RANGES[part]
    with np.load(files[0]) as archive:
        ball = archive["neutral"][start:stop]
    radius = np.ptp(ball[:, 0]) / 2
    assert np.linalg.norm((center - ball.mean(0))[:2]) < 0.15 * radius
    directions = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    wanted = directions * IRIS_OVER_EYEBALL * radius
    np.testing.assert_allclose((np.array(ring) - center)[:, :2], wanted, atol=0.15 * radius)


@pytest.mark.parametrize("content", [None, "", "[1, 2]", '{"vertex": 3', "{}"])
def test_bad_tables_get_one_line(files, tmp_path, content):
    path = tmp_path / "table.json"
    if content is not None:
        path.write_text(content)
    for broken in ([files[0], path, files[2]], [files[0], files[1], path]):
        with pytest.raises(InputError) as caught:
            landmark_vertices(*broken)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_missing_archive(files, tmp_path):
    table = json.loads(files[2].read_text())
    assert len(table["landmarks68_mediapipe_index"]) == 68
    with pytest.raises(InputError, match=r"ict\.npz"):
        landmark_vertices(tmp_path / "ict.npz", *files[1:])
