import numpy as np
import pytest
import torch
from xpress.data_modules.eyes.dataset import OPEN, SHUT, EyeAugment, EyeDataset, EyePairs
from xpress.data_modules.eyes.rows import EyeRows, read_eyes
from xpress.data_modules.resumable import SeededRow

from xpress.media.eye_crop import IRIS_REACH, LID_REACH

from ...drawn_eyes import eye_pack


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> EyeRows:
    return read_eyes(eye_pack(tmp_path_factory.mktemp("eyes") / "eyes.parquet"))


def test_pairs_are_of_one_eye_in_the_asked_states(rows):
    area = rows.openings()
    wanted = {"closed": (True, False), "open": (True, True), "reopened": (False, True)}
    for kind, (open_reference, open_truth) in wanted.items():
        pairs = EyePairs(rows, kind).pairs
        assert pairs
        for reference, truth in pairs:
            assert reference != truth
            assert rows.eye[reference] == rows.eye[truth]
            for row, opened in ((reference, open_reference), (truth, open_truth)):
                assert area[row] >= OPEN if opened else area[row] <= SHUT
    assert len(EyePairs(rows, "open", limit=3)) == 3
    assert EyePairs(rows, "open").pairs == EyePairs(rows, "open").pairs


def test_the_maps_lie_where_the_picture_shows_lids_and_iris(rows):
    batch = EyePairs(rows, "open")[0].finish()
    lids, iris = batch.maps[0, 2] * LID_REACH, batch.maps[0, 3] * IRIS_REACH
    brightness = batch.image[0].mean(0)
    seen = (lids > 1.5) & (iris > 1.5)
    assert seen.sum() > 20
    assert brightness[seen].mean() < 0.3  # iris
    assert brightness[(lids > 1.5) & (iris < -1.5)].mean() > 0.8  # eyeball
    assert 0.5 < brightness[lids < -3].mean() < 0.7  # skin


def test_left_eyes_look_like_right_ones(rows):
    pairs = EyePairs(rows, "closed")
    shut = rows.openings() < 0.01
    sides = {bool(rows.left[t]): number for number, (_, t) in enumerate(pairs.pairs) if shut[t]}
    left, right = (pairs[sides[side]].finish() for side in (True, False))
    assert (left.image - right.image).abs().mean() < 0.02
    torch.testing.assert_close(left.maps[:, 2], right.maps[:, 2], atol=0.02, rtol=0)


def test_both_maps_of_a_pair_share_their_error(rows):
    """With the truth itself as reference, what is told of both must be the same."""
    same = EyeDataset(rows, EyeAugment(same=1.0, small=0.0, photometric=0.0, grey=0.0))
    batch = same.__getitems__([SeededRow(row, 7 + row) for row in range(12)]).finish()
    torch.testing.assert_close(batch.maps[:, :2], batch.maps[:, 2:])
    torch.testing.assert_close(batch.image, batch.reference)
    exact = EyeDataset(
        rows,
        EyeAugment(
            same=1.0, small=0.0, photometric=0.0, grey=0.0, offset=0.0, gap=0.0, bend=0.0, iris=0.0
        ),
    )
    other = exact.__getitems__([SeededRow(row, 7 + row) for row in range(12)]).finish()
    assert (other.maps - batch.maps).abs().max() > 0.1


def test_a_draw_says_what_a_row_becomes(rows):
    data = EyeDataset(rows)
    one, two = (data.__getitems__([SeededRow(3, 11), SeededRow(9, 5)]) for _ in range(2))
    for first, second in zip(vars(one).values(), vars(two).values(), strict=True):
        assert torch.equal(first, second)
    other = data.__getitems__([SeededRow(3, 12), SeededRow(9, 5)])
    assert not torch.equal(other.image[0], one.image[0])
    assert torch.equal(other.image[1], one.image[1])


def test_references_are_of_the_same_eye_and_mostly_open(rows):
    data = EyeDataset(rows, EyeAugment(same=0.0))
    rng = np.random.default_rng(0)
    found = [data._reference(rng, 2) for _ in range(300)]
    assert {int(rows.eye[row]) for row in found} == {int(rows.eye[2])}
    shut = np.mean(data.open[found] < SHUT)
    assert 0 < shut < 0.2  # two of six pictures are
