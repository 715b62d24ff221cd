"""Light in numpy against light in torch."""

import numpy as np
import pytest
import torch

from xpress.animation.warping.relighting import (
    HIGHEST,
    LOWEST,
    estimate_illumination,
    is_degenerate,
    luminance_light,
    shading_change,
)
from xpress.rendering.lighting import ambient, shade, spherical_harmonics


def normals(count: int, seed: int = 0) -> np.ndarray:
    """Unit vectors that look at the viewer."""
    points = np.random.default_rng(seed).normal(size=(count, 3))
    points[:, 2] = np.abs(points[:, 2]) + 0.3
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def light(seed: int = 0) -> np.ndarray:
    """Mostly ambient light with some direction and colour."""
    values = np.random.default_rng(seed).normal(0, 0.15, (9, 3))
    values[0] += 3
    return values.astype(np.float32)


def test_bands_agree_with_torch():
    points = normals(50)
    expected = spherical_harmonics(torch.from_numpy(points)).numpy()
    bands = spherical_harmonics(points)
    assert bands.dtype == np.float32
    np.testing.assert_allclose(bands, expected, atol=1e-6)


def test_a_known_light_is_found_in_spite_of_outliers():
    points, known = normals(800), light()
    albedo = np.random.default_rng(1).uniform(0.3, 0.7, (800, 3)).astype(np.float32)
    colors = (
        albedo * shade(torch.from_numpy(points)[None], torch.from_numpy(known)[None])[0].numpy()
    )
    colors[:80] = 0  # hair
    found = estimate_illumination(colors, albedo, points)
    fresh = normals(200, seed=2)
    np.testing.assert_allclose(
        spherical_harmonics(fresh) @ found, spherical_harmonics(fresh) @ known, rtol=0.06
    )


def test_too_few_colours_give_flat_light():
    empty = np.zeros((0, 3), np.float32)
    shading = spherical_harmonics(normals(20)) @ estimate_illumination(empty, empty, empty)
    np.testing.assert_allclose(shading, 1, atol=1e-5)


def test_degenerate_lights_are_recognised():
    assert is_degenerate(np.zeros((9, 3), np.float32))
    assert is_degenerate(np.full((9, 3), np.nan, np.float32))
    assert not is_degenerate(ambient(1)[0].numpy())
    assert not is_degenerate(light())


def test_the_change_is_the_logarithm_of_two_shadings():
    old, new, known = normals(100), normals(100, seed=3), light()
    gray = luminance_light(known)
    rows = np.arange(0, 100, 2)
    found = shading_change(old, new, gray, rows)
    before, after = (
        (spherical_harmonics(torch.from_numpy(n)) @ torch.from_numpy(gray)).numpy()
        for n in (old, new)
    )
    expected = np.log(np.clip(after / before, LOWEST, HIGHEST))
    np.testing.assert_allclose(found[rows], expected[rows], atol=1e-5)
    assert not found[1::2].any()


@pytest.mark.parametrize("toward", [1, -1])
def test_the_change_is_limited(toward):
    old, new = (np.tile(np.array([[s, 0, 0.1]], np.float32), (5, 1)) for s in (-toward, toward))
    lamp = np.zeros(9, np.float32)
    lamp[0], lamp[3] = 1.0, 0.55
    found = np.exp(shading_change(old, new, lamp, np.arange(5)))
    np.testing.assert_allclose(found, HIGHEST if toward > 0 else LOWEST, rtol=1e-5)


def test_without_motion_nothing_changes():
    same = normals(30)
    assert not shading_change(same, same, luminance_light(light()), np.arange(30)).any()
