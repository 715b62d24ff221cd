"""Shots begin where the picture changes at once, not where a camera moves."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from xpress.media.video import VideoReader
from xpress.preparation.faces.shots import ShotCuts


def scene(seed: int) -> np.ndarray:
    field = np.random.default_rng(seed).standard_normal((90, 400, 3))
    smooth = cv2.GaussianBlur(field, (0, 0), 9)
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def test_a_pan_is_one_shot_and_another_scene_a_new_one():
    cuts = ShotCuts()
    frames = [scene(1)[:, 8 * n : 8 * n + 160] for n in range(20)]
    frames += [scene(2)[:, 8 * n : 8 * n + 160] for n in range(10)]
    assert [n for n, frame in enumerate(frames) if cuts(np.ascontiguousarray(frame))] == [0, 20]


def test_real_clips_one_after_the_other(samples: Path):
    cuts, begun, number = ShotCuts(), [], 0
    for name in ("talking_man", "talking_woman", "expressive_woman"):
        for frame in islice(VideoReader(samples / f"{name}.mp4"), 15):
            if cuts(frame):
                begun.append(number)
            number += 1
    assert begun == [0, 15, 30]
