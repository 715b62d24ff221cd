import numpy as np
import pytest
import torch
from xpress.data_modules.eyes.crops import EVALUATION, EyeCropAugment, EyeCropDataset
from xpress.data_modules.eyes.rows import EyeRows, read_eyes
from xpress.data_modules.resumable import SeededRow

from xpress.media.eye_crop import CENTER, EYE_WIDTH
from xpress.morphable.signals import eye_signals

from ...drawn_eyes import eye_pack

EXACT = EyeCropAugment(corner=0.0, zoom=0.0, small=0.0, grey=0.0, photometric=0.0)


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> EyeRows:
    return read_eyes(eye_pack(tmp_path_factory.mktemp("eyes") / "eyes.parquet"))


def test_points_lie_where_the_picture_shows_them(rows):
    opened = np.flatnonzero(rows.openings() > 0.2).tolist()
    for augment in (EXACT, EVALUATION):
        batch = EyeCropDataset(rows, augment).__getitems__(opened).finish()
        for image, points in zip(batch.image, batch.points, strict=True):
            x, y = (points[16].numpy() * EYE_WIDTH + CENTER).round().astype(int)
            assert image[:, y, x].mean() < 0.35  # iris
            middle = (points[12:16].mean(0).numpy() * EYE_WIDTH + CENTER).round().astype(int)
            assert image[:, middle[1] + 8, middle[0]].mean() > 0.5  # skin below the lower lid


def test_crops_move_but_signals_do_not(rows):
    """The corners' errors turn, shift and scale a crop; what an eye does is not touched."""
    exact = EyeCropDataset(rows, EXACT).__getitems__(list(range(12)))
    moved = EyeCropDataset(rows, EyeCropAugment(photometric=0.0), seed=0)
    moved = moved.__getitems__([SeededRow(row, row) for row in range(12)])
    assert (moved.points - exact.points).abs().mean() > 0.02
    torch.testing.assert_close(
        eye_signals(moved.points), eye_signals(exact.points), atol=1e-3, rtol=0
    )


def test_a_draw_says_what_a_row_becomes(rows):
    data = EyeCropDataset(rows, EyeCropAugment(photometric=3.0), seed=0)
    one, two = (data.__getitems__([SeededRow(3, 11), SeededRow(9, 5)]) for _ in range(2))
    for first, second in zip(vars(one).values(), vars(two).values(), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(data.__getitems__([SeededRow(3, 12)]).image, one.image[:1])


def test_evaluation_is_always_alike(rows):
    data = EyeCropDataset(rows, EVALUATION)
    assert torch.equal(data[5].image, data.__getitems__([4, 5]).image[1:])


def test_small_eyes_lose_detail_alone(rows):
    row = int(rows.openings().argmax())
    small = EyeCropDataset(
        rows,
        EyeCropAugment(corner=0.0, zoom=0.0, small=1.0, grey=0.0, photometric=0.0, smallest=8.0),
        0,
    )
    exact = EyeCropDataset(rows, EXACT)[row]
    for seed in range(4):
        blurred = small[SeededRow(row, seed)]
        torch.testing.assert_close(exact.points, blurred.points)
        contrast = [crop.image.float().diff(dim=2).abs().mean() for crop in (exact, blurred)]
        assert contrast[1] < 0.97 * contrast[0]
