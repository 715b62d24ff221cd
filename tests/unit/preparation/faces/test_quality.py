"""Measures of quality order faces as eyes do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from xpress.extraction.face_reader import FaceReader
from xpress.media.images import read_image
from xpress.preparation.faces.quality import FaceQuality, head_angles, measure, sharpness
from xpress.preparation.faces.settings import QualityLimits


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    return FaceReader.from_pretrained()


@pytest.fixture(scope="module")
def image(samples: Path) -> np.ndarray:
    return read_image(samples / "portrait_woman.jpg")


def measured(reader: FaceReader, image: np.ndarray) -> FaceQuality:
    face = reader.find(image)[0]
    return measure(image, face, reader.extractor, reader.size)


def test_blur_lowers_sharpness_and_contrast_does_not(image: np.ndarray):
    values = [sharpness(image)]
    values += [sharpness(cv2.GaussianBlur(image, (0, 0), s)) for s in (1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 20
    assert sharpness((image * 0.5).astype(np.uint8)) == pytest.approx(values[0], rel=0.1)


def test_a_portrait_is_within_the_limits_and_a_ruined_one_is_not(
    reader: FaceReader, image: np.ndarray
):
    good = measured(reader, image)
    assert good.rejections(QualityLimits()) == []
    assert good.visible == 1
    assert good.uncertainty < 0.05
    blurred = measured(reader, cv2.GaussianBlur(image, (0, 0), 12))
    assert "min_sharpness" in blurred.rejections(QualityLimits())
    small = measured(
        reader, cv2.resize(image, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    )
    assert "min_size" in small.rejections(QualityLimits())
    turned = replace(good, yaw=-80.0, pitch=60.0, presence=0.1, visible=0.5, uncertainty=0.4)
    names = ["max_yaw", "max_pitch", "min_presence", "min_visible", "max_uncertainty"]
    assert turned.rejections(QualityLimits()) == names


@pytest.mark.parametrize(("axis", "angles"), [(1, (20.0, 0.0)), (0, (0.0, 20.0)), (2, (0.0, 0.0))])
def test_head_angles_are_those_of_the_rotation(axis: int, angles: tuple[float, float]):
    rotation = np.zeros(3)
    rotation[axis] = np.radians(20)
    np.testing.assert_allclose(head_angles(rotation), angles, atol=1e-9)
