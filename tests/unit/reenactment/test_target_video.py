import resource
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from xpress.animation.animator import FaceAnimator
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_window import FaceWindow, draw_in_place
from xpress.media.images import read_image
from xpress.reenactment.target_video import PingPongVideo, TargetAnimator, TargetFace
from xpress.transfer.driver import DriverFrame
from xpress.transfer.expression_transfer import ExpressionTransfer


def numbered(count, rate=10):
    """Frames whose grey tells their number."""
    return ((Fraction(i, rate), np.full((8, 8, 3), i, np.uint8), []) for i in range(count))


def shown(video, times):
    return [int(video.at(time)[0][0, 0, 0]) for time in times]


def test_frames_are_those_of_their_time():
    video = PingPongVideo(numbered(10), keep=False)
    times = [Fraction(i, 4) for i in range(4)]
    assert shown(video, times) == [0, 2, 5, 7]
    video.close()


def test_shorter_video_goes_back_and_forth():
    video = PingPongVideo(numbered(4), keep=True)
    times = [Fraction(i, 10) for i in range(14)]
    assert shown(video, times) == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]
    video.close()


def test_longer_video_just_ends_and_a_single_frame_stays():
    video = PingPongVideo(numbered(4), keep=False)
    assert shown(video, [Fraction(9)]) == [3]
    single = PingPongVideo(numbered(1), keep=True)
    assert shown(single, [Fraction(0), Fraction(5)]) == [0, 0]
    single.close()


def test_a_frame_that_stays_is_the_same_object():
    video = PingPongVideo(numbered(3), keep=True)
    images = [video.at(Fraction(i, 20))[0] for i in range(6)]
    same = [first is second for first, second in pairwise(images)]
    assert same == [True, False, True, False, False]
    video.close()


def test_pictures_on_disk_are_removed_and_lossless():
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(3)]
    video = PingPongVideo(((Fraction(i), image, []) for i, image in enumerate(images)), keep=True)
    video.at(Fraction(2))
    image, _ = video.at(Fraction(3))
    np.testing.assert_array_equal(image, images[1])
    folder = video._folder.path
    video.close()
    assert not folder.exists()


def test_a_full_disk_for_temporary_files_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(InputError, match="TMPDIR"):
            PingPongVideo(iter([(Fraction(0), noise, [])]), keep=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_times_are_the_videos_own():
    video = PingPongVideo(numbered(4), keep=False)
    seen = []
    for time in video.times():
        seen.append((time, int(video.at(time)[0][0, 0, 0])))
    assert seen == [(Fraction(i, 10), i) for i in range(4)]


@pytest.fixture
def animator(model, geometry, toys) -> TargetAnimator:
    transfer = ExpressionTransfer(model.expression_names, geometry=geometry)
    return TargetAnimator(lambda: toys.Animator(model), transfer)


def test_two_faces_are_both_driven_and_the_rest_is_untouched(world, model, animator, geometry):
    image = np.random.default_rng(1).integers(0, 200, (120, 200, 3), np.uint8)
    rest = geometry.measure(np.zeros(model.sizes[1]), np.zeros(model.sizes[0]))
    faces = [TargetFace(world.sample(x, 60), rest) for x in (50, 140)]
    animator.set(image, [faces[0], None, faces[1]])
    jaw = np.zeros(model.sizes[1])
    jaw[model.expression_names.index("jawOpen")] = 0.6
    shown = geometry.measure(jaw, np.zeros(model.sizes[0]))
    frame = animator.render(DriverFrame(Fraction(0), shown, rest))
    changed = (frame != image).any(-1)
    columns = np.flatnonzero(changed.any(0))
    assert set(columns) == set(range(42, 58)) | set(range(132, 148))
    assert frame[61, 50, 0] == frame[61, 140, 0] == pytest.approx(153, abs=3)


def test_without_a_face_the_picture_passes(animator, model, geometry):
    image = np.random.default_rng(2).integers(0, 255, (40, 40, 3), np.uint8)
    animator.set(image, [None])
    still = geometry.measure(np.zeros(model.sizes[1]), np.zeros(model.sizes[0]))
    frame = animator.render(DriverFrame(Fraction(0), still, still))
    np.testing.assert_array_equal(frame, image)
    assert frame is not image


def test_half_a_share_is_half_the_motion(animator, world, geometry, model):
    rest = geometry.measure(np.zeros(model.sizes[1]), np.zeros(model.sizes[0]))
    moved = geometry.measure(np.full(model.sizes[1], 0.3), np.zeros(model.sizes[0]))
    driver = DriverFrame(Fraction(0), moved, rest)
    whole, half = (
        animator.expression(driver, TargetFace(world.sample(80, 80), rest, share))
        for share in (1.0, 0.5)
    )
    np.testing.assert_allclose(half, whole / 2, atol=1e-9)


def test_a_face_in_a_large_picture_is_drawn_as_in_a_small_one(model, geometry, samples):
    """The animator sees the face's surroundings only, and nothing else changes."""
    photo = read_image(samples / "portrait_man.jpg")
    reader = FaceReader.from_pretrained()
    (face,) = reader.find(photo)
    large = np.full((1900, 2300, 3), 90, np.uint8)
    large[700:1212, 900:1412] = photo
    place = np.array([900, 700])
    moved = face.replace(
        translation=face.translation + place,
        landmarks68=face.landmarks68 + place,
        contours=face.contours + place,
    )
    window = FaceWindow.around(moved, 1900, 2300)
    assert not window.whole
    assert FaceWindow.around(face, 512, 512).whole
    rest = geometry.measure(face.expression, face.identity)
    smile = face.expression.copy()
    smile[[model.expression_names.index(f"mouthSmile_{side}") for side in "LR"]] = 0.9
    driver = DriverFrame(Fraction(0), geometry.measure(smile, face.identity), rest)
    transfer = ExpressionTransfer(model.expression_names, "absolute")
    animator = TargetAnimator(lambda: FaceAnimator(model), transfer)
    animator.set(large, [TargetFace(moved, rest)])
    got = animator.render(driver)
    whole = FaceAnimator(model)
    whole.set_target(large, moved.parameters)
    expected = whole.render(smile.astype(np.float32))
    assert (expected != large).any()
    # single-precision pixels are coarser far from the corner
    apart = np.abs(got.astype(int) - expected)
    assert apart.max() <= 8
    assert apart[(expected != large).any(-1)].mean() < 0.1
    assert not apart[(expected == large).all(-1) & (got == large).all(-1)].any()


def test_faces_are_drawn_in_place_and_nothing_else_changes(world):
    """The part that is drawn holds the windows of all faces, and their own pixels."""
    faces = [world.sample(80, 80), world.sample(150, 110)]
    image = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    before, seen = image.copy(), []

    def draw(part, shown):
        seen.append((part.shape, [face.landmarks68.copy() for face in shown]))
        return 255 - part

    draw_in_place(image, faces, draw)
    window = FaceWindow.around_all(faces, 900, 1200)
    assert not window.whole
    for face in faces:
        x0, y0, x1, y1 = FaceWindow.around(face, 900, 1200).box
        assert window.box[0] <= x0 < x1 <= window.box[2]
        assert window.box[1] <= y0 < y1 <= window.box[3]
    (shape, points), (x, y) = seen[0], window.box[:2]
    assert shape == (window.box[3] - y, window.box[2] - x, 3)
    for got, face in zip(points, faces, strict=True):
        np.testing.assert_allclose(got + np.array([x, y]), face.landmarks68)
    assert np.array_equal(image[window.place], 255 - before[window.place])
    image[window.place] = before[window.place]
    assert np.array_equal(image, before)
