import numpy as np
import pytest

from xpress.extraction.face_sample import upright_crop
from xpress.extraction.tracking import SEARCH_EVERY, FaceTracker, track_all
from xpress.media.crop import Crop


@pytest.fixture
def tracker(world) -> FaceTracker:
    return FaceTracker(world.detect, world)


def test_follows_a_moving_face_with_one_detection(world, tracker):
    for step in range(12):
        x = 40.0 + 6 * step
        face = tracker(world.frame((x, 70.0, 0.3, 0)))
        assert face is not None
        assert abs(face.translation[0] - x) < 1.5
    assert world.searches == 1


def test_next_crop_leads_a_moving_face(world, tracker):
    for step in range(5):
        tracker(world.frame((40.0 + 8 * step, 70.0, 0, 0)))
    still = FaceTracker(world.detect, world)
    still(world.frame((72.0, 70.0, 0, 0)))
    assert tracker.crop is not None
    assert still.crop is not None
    # half a step ahead, less what a crop may lie behind
    assert tracker.crop.center[0] == pytest.approx(still.crop.center[0] + 4, abs=1.8)
    assert tracker.crop.center[0] > still.crop.center[0] + 2


def test_lost_face_is_searched_every_few_frames_and_found_again(world, tracker):
    assert tracker(world.frame((80.0, 80.0, 0, 0))) is not None
    empty = world.frame()
    for _ in range(2 * SEARCH_EVERY):
        assert tracker(empty) is None
    assert tracker.crop is None
    assert world.searches == 1 + 2
    back = [tracker(world.frame((120.0, 30.0, 0, 0))) for _ in range(SEARCH_EVERY)]
    assert back[-1] is not None
    assert world.searches <= 4


def test_a_face_that_first_shows_up_in_one_frame_is_found(world, tracker):
    for _ in range(2 * SEARCH_EVERY + 1):
        assert tracker(world.frame()) is None
    assert world.encoded == 0
    assert tracker(world.frame((80.0, 80.0, 0, 0))) is not None


def test_a_face_that_leaves_the_picture_is_lost(world, tracker):
    assert tracker(world.frame((30.0, 80.0, 0, 0))) is not None

    class Outside(type(world)):
        def __call__(self, image, crop):
            return self.sample(-40.0, 80.0)

    tracker.extractor = Outside(world.model)
    assert tracker(world.frame()) is None


def test_two_faces_keep_apart_when_one_hides_for_a_while(world):
    size = (160, 320)
    frame = world.frame((60.0, 80.0, 0.2, 0), (250.0, 80.0, 0.8, 0), size=size)
    found = sorted(world.detect(frame), key=lambda face: face.center[0])
    left, right = track_all(world.detect, world, frame, found)
    jaw = world.model.expression_names.index("jawOpen")
    alone = world.frame((60.0, 80.0, 0.2, 0), size=size)
    for shown in [frame] * 2 + [alone] * 7:
        first, second = left(shown), right(shown)
        assert first is not None
        assert first.expression[jaw] == pytest.approx(0.2, abs=0.01)
    assert second is None  # and it has not taken the other's face
    for _ in range(SEARCH_EVERY + 1):
        left(frame)
        second = right(frame)
    assert second is not None
    assert second.expression[jaw] == pytest.approx(0.8, abs=0.01)


def test_roll_turns_the_next_crop(world, tracker):
    face = world.sample(80.0, 80.0, roll=0.9)
    tracker.start(face)
    assert tracker.crop is not None
    assert tracker.crop.angle == pytest.approx(0.9 - np.deg2rad(15), abs=0.03)


def test_a_reading_that_depends_on_the_crop_does_not_set_the_crop_swaying(world):
    """An extractor that reads a crop's own offset back, as networks do a little."""

    class Swaying:
        def __init__(self) -> None:
            self.crops = []

        def __call__(self, image, crop):
            self.crops.append(crop)
            face = world(image, crop)
            pull = 1.4 * (np.array(crop.center) - start)
            return world.update(face, translation=face.translation - 0.5 * pull)

        settled = __call__

        def update(self, face, **changes):
            return world.update(face, **changes)

    image = world.frame((80.0, 70.0, 0, 0))
    start = np.array(upright_crop(world(image, Crop((80.0, 70.0), 60.0)).landmarks68).center) + 0.3
    swaying = Swaying()
    tracker = FaceTracker(world.detect, swaying)
    for _ in range(30):
        tracker(image)
    centers = np.array([crop.center for crop in swaying.crops[-10:]])
    assert np.abs(np.diff(centers, axis=0)).max() == 0
