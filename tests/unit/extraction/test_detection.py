import cv2
import dlib
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.extraction.detection import (
    STILL_ROTATIONS,
    Detection,
    FaceChoice,
    FaceDetector,
    choose_faces,
)
from xpress.media.crop import Crop
from xpress.media.images import read_image


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.mark.parametrize("name", ["portrait_woman", "portrait_man"])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 2.5])
def test_box_gives_about_the_canonical_crop(detector, samples, name, zoom):
    image = cv2.resize(read_image(samples / f"{name}.jpg"), None, fx=zoom, fy=zoom)
    landmarks = np.load(samples / f"{name}.landmarks.npz")["landmarks68"][0] * zoom
    found = detector(image)
    assert len(found) == 1
    crop, canonical = found[0].crop(), Crop.around(landmarks)
    assert crop.side / canonical.side == pytest.approx(1, abs=0.25)
    apart = np.subtract(crop.center, canonical.center) / canonical.side
    assert np.hypot(*apart) < 0.15


def test_several_faces_come_by_area(detector, samples):
    found = detector(read_image(samples / "two_people.jpg"))
    assert len(found) == 2
    assert found[0].side >= found[1].side
    left, right = choose_faces(found, "all", "picture")
    assert left.center[0] < 512 < right.center[0]


def test_rolled_face_is_found_by_trying_rolls(detector, samples):
    image = read_image(samples / "portrait_woman.jpg")
    matrix = cv2.getRotationMatrix2D((255.5, 255.5), -65, 0.8)  # clockwise on screen
    turned = cv2.warpAffine(image, matrix, (512, 512))
    assert detector(turned) == []
    (face,) = detector(turned, STILL_ROTATIONS)
    assert face.angle == pytest.approx(np.deg2rad(65), abs=0.4)
    landmarks = np.load(samples / "portrait_woman.landmarks.npz")["landmarks68"][0]
    middle = matrix[:, :2] @ landmarks.mean(0) + matrix[:, 2]
    crop = face.crop()
    assert np.hypot(*(middle - crop.center)) < 0.15 * crop.side


def test_picture_without_a_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    assert detector(noise) == []
    assert detector(np.zeros((16, 16, 3), np.uint8)) == []


FACES = [
    Detection((300.0, 50.0), 90.0, 1.0),
    Detection((100.0, 50.0), 60.0, 1.0),
    Detection((200.0, 50.0), 30.0, 1.0),
]


def test_choice_of_faces():
    assert choose_faces(FACES, "largest", "x") == FACES[:1]
    assert [f.center[0] for f in choose_faces(FACES, "all", "x")] == [100.0, 200.0, 300.0]
    assert choose_faces(FACES, "1", "x") == choose_faces(FACES, 1, "x") == [FACES[2]]


@pytest.mark.parametrize("face", ["3", -1, "second"])
def test_choice_of_a_face_that_is_not_there(face):
    with pytest.raises(InputError, match=r"face="):
        choose_faces(FACES, face, "x.jpg")


def test_no_face_names_the_file():
    with pytest.raises(InputError, match=r"x\.jpg: no face found"):
        choose_faces([], "largest", "x.jpg")


def group(samples, size, places) -> np.ndarray:
    """Portraits pasted at (x, y, side) into a calm picture of (height, width)."""
    height, width = size
    image = np.full((height, width, 3), 128, np.uint8)
    for number, (x, y, side) in enumerate(places):
        photo = read_image(samples / f"portrait_{('man', 'woman')[number % 2]}.jpg")
        image[y : y + side, x : x + side] = cv2.resize(
            photo, (side, side), interpolation=cv2.INTER_AREA
        )
    return image


def test_all_faces_of_a_wide_picture_are_found(detector, samples):
    places = [(20 + 295 * i, 20 + 10 * i, (170, 230, 250, 200, 150)[i]) for i in range(5)]
    found = detector(group(samples, (300, 1500), places), thorough=True)
    assert len(found) == 5
    ordered = sorted(face.center[0] for face in found)
    np.testing.assert_allclose(ordered, [x + side / 2 for x, _, side in places], atol=30)


def test_a_small_face_of_a_large_picture_is_found_once(detector, samples):
    image = group(samples, (3000, 4000), [(1500, 1250, 450)])
    assert detector(image) == []
    (face,) = detector(image, thorough=True)
    assert face.center == pytest.approx((1725, 1475), abs=60)
    assert face.side == pytest.approx(280, rel=0.25)


def test_a_choice_says_what_was_left_out():
    assert FaceChoice.of(FACES, [FACES[0]]).told("moved") == (
        "3 faces found, number 2 from the left moved"
    )
    assert FaceChoice.of(FACES, FACES).told("moved") == "3 faces found and moved"
    assert FaceChoice.of(FACES[:1], FACES[:1]).told("read") == "1 face found and read"


def test_the_embedded_detector_is_dlibs_own(repository):
    image = read_image(repository / "src/xpress/assets/demo/target.jpg")
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = FaceDetector()._find.run(grey, 0, -0.5)
    expected = dlib.get_frontal_face_detector().run(grey, 0, -0.5)
    assert len(expected[0]) >= 1
    assert list(found[0]) == list(expected[0])
    assert list(found[1]) == list(expected[1])
