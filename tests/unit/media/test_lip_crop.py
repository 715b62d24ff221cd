import numpy as np
import pytest

from xpress.media.lip_crop import LIP_WIDTH, MIDDLE, MIRRORED, lip_crop


def outline(turn: float = 0.0) -> np.ndarray:
    angle = np.linspace(np.pi, -np.pi, 20, endpoint=False)
    points = np.stack([np.cos(angle) * 30, -np.sin(angle) * 12], 1)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return points @ turned + (90, 70)


@pytest.mark.parametrize("turn", [0.0, 0.4, -0.3])
def test_lips_lie_level_in_the_middle_at_one_size(turn):
    lips = outline(turn)
    inside = (lip_crop(lips).to_crop(lips) - MIDDLE) / LIP_WIDTH
    assert inside[10, 0] - inside[0, 0] == pytest.approx(1)
    assert inside[0, 1] == pytest.approx(inside[10, 1])
    np.testing.assert_allclose(inside.mean(0), 0, atol=0.06)
    assert inside[5, 1] < 0 < inside[15, 1]


def test_misplaced_crops_still_know_where_they_are():
    lips = outline()
    crop = lip_crop(lips, (0.1, -0.05), 1.2, 0.1)
    np.testing.assert_allclose(crop.to_image(crop.to_crop(lips)), lips, atol=1e-9)
    assert crop.side == pytest.approx(lip_crop(lips).side / 1.2)


def test_mirroring_twice_is_nothing():
    assert np.array_equal(MIRRORED[MIRRORED], np.arange(40))
    lips = outline()
    mirrored = (lips * (-1, 1) + (180, 0))[MIRRORED[:20]]
    np.testing.assert_allclose(mirrored, lips, atol=1e-9)
