"""The mark is faint, stays inside what was changed, and is found after what media go through."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from xpress.media.images import read_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.provenance import watermark_detection
from xpress.provenance.provenance import Provenance
from xpress.provenance.watermark import (
    HIGHEST,
    LOWEST,
    PSNR,
    FaceMarker,
    pattern_frequencies,
    pattern_phases,
    pattern_tile,
    tile_period,
    unmarked,
)
from xpress.provenance.watermark_detection import find_watermark

PHASES = "933221546c621170"
"""Digest of the phases; another would not find older marks."""


@dataclass(frozen=True)
class Face:
    landmarks68: np.ndarray


@dataclass(frozen=True)
class Portrait:
    """A photograph, its face, and the same with the face changed."""

    image: np.ndarray
    face: Face
    region: np.ndarray

    @property
    def original(self) -> np.ndarray:
        """Differs from the picture inside the region alone."""
        other = self.image.copy()
        other[self.region] = 255 - other[self.region]
        return other

    def marked(self) -> np.ndarray:
        return FaceMarker()(self.original, self.image, [self.face])


@pytest.fixture(scope="module")
def portrait(samples: Path) -> Portrait:
    image = read_image(samples / "portrait_woman.jpg")
    landmarks = np.load(samples / "portrait_woman.landmarks.npz")["landmarks68"].reshape(-1, 68, 2)
    region = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(region, cv2.convexHull(landmarks[0].astype(np.int32)), 1)
    return Portrait(image, Face(landmarks[0].astype(np.float32)), region.astype(bool))


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def cropped(image: np.ndarray) -> np.ndarray:
    """Without a fifth on each side, so that no tile begins where it did."""
    height, width = image.shape[:2]
    return image[height // 5 : -height // 5, width // 5 : -width // 5]


def test_the_pattern_is_the_same_for_all_time():
    rounded = np.round(pattern_phases().astype(float), 3).astype("<f4").tobytes()
    assert hashlib.sha256(rounded).hexdigest()[:16] == PHASES
    assert len(pattern_frequencies()) == len(pattern_phases())


@pytest.mark.parametrize("period", [64, 71, 200])
def test_a_tile_has_its_frequencies_alone(period):
    tile = pattern_tile(period)
    assert tile.std() == pytest.approx(1, abs=1e-4)
    assert abs(tile.mean()) < 1e-4
    power = np.abs(np.fft.fft2(tile)) ** 2
    wave = np.fft.fftfreq(period, 1 / period)
    radius = np.hypot(wave[:, None], wave[None])
    inside = (radius >= LOWEST) & (radius <= HIGHEST)
    assert power[~inside].sum() < 1e-6 * power.sum()


def test_the_mark_is_faint_and_stays_inside(portrait):
    marked = portrait.marked()
    change = marked.astype(float) - portrait.image
    inside = portrait.region
    assert 10 * np.log10(255**2 / (change[inside] ** 2).mean()) >= 42
    assert PSNR >= 42
    around = cv2.dilate(inside.astype(np.uint8), np.ones((33, 33), np.uint8)).astype(bool)
    assert not change[~around].any()
    assert change[inside].any()
    # a change of brightness alone
    lightness = change[inside]
    clipped = (portrait.image[inside] < 8) | (portrait.image[inside] > 247)
    assert (np.ptp(lightness, axis=-1)[~clipped.any(-1)] == 0).all()


def test_what_was_not_changed_is_not_marked(portrait):
    marker, image = FaceMarker(), portrait.image
    np.testing.assert_array_equal(marker(image, image.copy(), [portrait.face]), image)
    np.testing.assert_array_equal(FaceMarker()(portrait.original, image, []), image)
    assert Provenance().marker() is unmarked
    assert unmarked(portrait.original, image, [portrait.face]) is image
    assert isinstance(Provenance(watermark=True).marker(), FaceMarker)


def test_the_tile_follows_the_face():
    assert tile_period(450.0) == 100
    assert tile_period(250.0) == 64
    assert tile_period(140.0) == 40
    assert tile_period(10.0) == 20
    assert tile_period(1e5) == 512


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: scaled(image, 0.5),
        cropped,
        lambda image: as_jpeg(cropped(scaled(image, 0.5)), 75),
        lambda image: np.clip(image * 0.8 + 20, 0, 255).astype(np.uint8),
    ],
    ids=["as it is", "half size", "crop", "half size, crop, JPEG 75", "duller"],
)
def test_a_picture_is_recognised(change, portrait):
    assert find_watermark([change(portrait.marked())]).found
    assert not find_watermark([change(portrait.image)]).found


@pytest.mark.parametrize("side", [80, 100, 140, 200])
def test_a_small_face_is_recognised(side, portrait):
    zoom = side / float(np.ptp(portrait.face.landmarks68, axis=0).max())
    image, original = (scaled(picture, zoom) for picture in (portrait.image, portrait.original))
    marked = FaceMarker()(original, image, [Face(portrait.face.landmarks68 * zoom)])
    assert find_watermark([as_jpeg(marked, 95)]).found
    assert not find_watermark([as_jpeg(image, 95)]).found


def test_a_large_picture_is_searched_within_bounds(portrait, monkeypatch):
    """It is halved first, and what is too fine then is left out."""
    marked = portrait.marked()
    whole = find_watermark([marked])
    monkeypatch.setattr(watermark_detection, "_LARGEST", marked.size // 3 // 4)
    bounded = find_watermark([marked[:-1]])
    assert whole.shortest == 20
    assert bounded.shortest == 80
    monkeypatch.setattr(watermark_detection, "_LARGEST", marked.size // 3)
    once = find_watermark([marked])
    assert once.shortest == 40
    assert once.found
    assert once.period == pytest.approx(whole.period, rel=0.04)


def test_the_period_tells_the_scale(portrait):
    marked = portrait.marked()
    period = tile_period(float(np.ptp(portrait.face.landmarks68, axis=0).max()))
    assert find_watermark([marked]).period == pytest.approx(period, rel=0.04)
    assert find_watermark([scaled(marked, 0.5)]).period == pytest.approx(period / 2, rel=0.04)


def test_a_video_is_recognised_after_h264(portrait, tmp_path):
    marker = FaceMarker()
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 25, portrait.image.shape[1::-1], crf=28) as writer:
        for number in range(10):
            # another noise in each frame, as a camera has it
            noise = np.random.default_rng(number).normal(0, 2, portrait.image.shape)
            frame = np.clip(portrait.image + noise, 0, 255).astype(np.uint8)
            writer.write(marker(portrait.original, frame, [portrait.face]))
    frames = list(VideoReader(path))
    assert find_watermark(frames).found
    assert find_watermark([cropped(scaled(frame, 0.5)) for frame in frames]).found


def test_scores_of_noise_stay_below_the_bound():
    """The threshold is a proven bound, so that noise stays clear of it."""
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (128, 160, 3), dtype=np.uint8)
        evidence = find_watermark([noise])
        assert 3 < evidence.score < evidence.threshold - 1


def test_pictures_too_small_for_two_tiles_are_searched_without_complaint():
    evidence = find_watermark([np.zeros((20, 20, 3), np.uint8)])
    assert not evidence.found
