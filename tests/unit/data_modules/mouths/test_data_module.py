from __future__ import annotations

import numpy as np
import pytest
import torch
from xpress.data_modules.mouths.data_module import MouthCropsDataModule, mean_mouth, opening_weights
from xpress.data_modules.mouths.dataset import MouthDataset, RawMouths

from xpress.batches import MouthBatch
from xpress.errors import InputError

HEIGHTS = [0.0, 0.1, *np.linspace(2, 12, 18)]
"""Two closed mouths and eighteen open ones."""


@pytest.fixture
def make(write_mouths):
    """Makes the module; some arguments are given, and the packs drawn on demand."""

    def make(**changes) -> MouthCropsDataModule:
        if "train" not in changes:
            changes["train"] = [write_mouths(HEIGHTS, people=10)]
        defaults = {"size": 32, "batch_size": 4, "num_workers": 0, "holdout": 0.3}
        return MouthCropsDataModule(**{**defaults, **changes})

    return make


def people(dataset: MouthDataset) -> set[str]:
    return {name for source in dataset.sources for name in source.records.identities}


def test_closed_mouths_are_left_out_and_people_held_out_as_a_whole(make):
    data = make()
    data.setup("fit")
    train, held = people(data.train_set), people(data.holdout_set)
    assert train.isdisjoint(held)
    assert held
    assert len(data.train_set) + len(data.holdout_set) == 18
    assert data.val_names == ["holdout"]
    assert sum(len(b) for loader in data.val_dataloader() for b in loader) == len(data.holdout_set)
    openings = data.train_set.openings()
    assert openings.min() >= data.least_opening
    strict = make(least_opening=float(np.median(openings)), holdout=0.0)
    strict.setup("fit")
    assert 0 < len(strict.train_set) < 14
    assert strict.val_names == strict.val_dataloader() == []


def test_the_trainer_gets_finished_batches(make):
    data = make(holdout=0.0)
    data.setup("fit")
    raw = list(data.train_dataloader())
    assert len(raw) == 4
    assert all(isinstance(batch, RawMouths) for batch in raw)
    batch = data.on_after_batch_transfer(raw[0])
    assert isinstance(batch, MouthBatch)
    assert data.on_after_batch_transfer(batch) is batch
    assert batch.image.shape == (4, 3, 32, 32)


def test_evaluation_is_canonical_and_the_same_each_time(make):
    data = make()
    data.setup("fit")
    first, second = (torch.cat([b.image for b in data.val_dataloader()[0]]) for _ in range(2))
    assert torch.equal(first, second)


def test_each_stage_reads_its_packs(make, write_mouths):
    one, two = write_mouths([5.0] * 3, name="one"), write_mouths([6.0] * 2, name="two")
    data = make(val={"a": one}, test={"b": two})
    data.setup("validate")
    assert data.val_names == ["a"]
    assert [len(loader.dataset) for loader in data.val_dataloader()] == [3]
    assert data.train_set is None
    data.setup("test")
    assert data.test_names == ["b"]
    assert [len(loader.dataset) for loader in data.test_dataloader()] == [2]
    data = make(val=[one])
    data.setup("test")
    assert data.test_names == ["one"]
    assert [len(loader.dataset) for loader in data.test_dataloader()] == [3]


def test_packs_of_one_name_are_told_apart(make, write_mouths):
    one, two = write_mouths([5.0] * 3, name="one"), write_mouths([6.0] * 2, name="two")
    data = make(val={"mouths": one}, test={"mouths": two})
    data.setup("validate")
    assert len(data.val_dataloader()[0].dataset) == 3
    data.setup("test")
    assert len(data.test_dataloader()[0].dataset) == 2


def test_open_mouths_are_drawn_more_often(make):
    openings = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 5.0])
    weights = opening_weights(openings, 3.0)
    high = np.sort(openings)[9]  # the upper decile of eleven
    expected = [1 + 2 * min((o - 0.02) / (high - 0.02), 1) for o in openings]
    np.testing.assert_allclose(weights, expected)
    np.testing.assert_allclose(opening_weights(openings, 1.0), 1)
    np.testing.assert_allclose(opening_weights(np.full(4, 0.2), 3.0), 1)
    data = make(holdout=0.0, open_more=100.0)
    data.setup("fit")
    sampler = data.train_dataloader().sampler
    expected = opening_weights(data.train_set.openings(), 100.0)
    np.testing.assert_allclose(sampler.weights / sampler.weights[0], expected / expected[0])


def test_packs_are_weighted_by_name(make, write_mouths):
    train = [write_mouths([5.0] * 4, name="one"), write_mouths([5.0] * 6, name="two")]
    data = make(train=train, holdout=0.0, pack_weights={"two": 0.25, "elsewhere": 3.0})
    data.setup("fit")
    weights = data.train_dataloader().sampler.weights.numpy()
    np.testing.assert_allclose(weights / weights[0], [1] * 4 + [0.25] * 6)
    assert make(pack_weights=[0.5]).pack_weights == [0.5]
    assert make().pack_weights == [1.0]


def test_the_mean_mouth_is_that_of_a_plain_loop(make):
    data = make()
    data.setup("test")
    found = data.mean_mouth
    assert found.shape == (1, 3, 32, 32)
    total, count = np.zeros((32, 32, 3)), np.zeros((32, 32))
    plain = MouthDataset(data.train_set.sources, 32)
    for row in range(len(plain)):
        batch = plain[row]
        image, hole = batch.image[0].numpy() / 255, batch.hole[0].numpy()
        for y in range(32):
            for x in range(32):
                if hole[y, x]:
                    total[y, x] += image[y, x]
                    count[y, x] += 1
    assert (count == 0).any()
    everywhere = total.sum((0, 1)) / count.sum()
    for y in range(32):
        for x in range(32):
            mean = total[y, x] / count[y, x] if count[y, x] else everywhere
            np.testing.assert_allclose(found[0, :, y, x], mean, atol=1e-6)
    torch.testing.assert_close(mean_mouth(plain, batch_size=3), found)
    assert data.mean_mouth is found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train": []}, "data.train: nothing given"),
        ({"train": ["missing.parquet"]}, "no such file"),
        ({"holdout": 1.0}, "data.holdout=1.0: give a share below 1"),
        ({"holdout": 0.999999}, "leaves nobody to train on"),
        ({"least_opening": 10.0}, "no opened mouth"),
        ({"pack_every": 0}, "every=1 or more"),
        ({"pack_weights": [1.0, 2.0]}, "data.pack_weights: give 1, one a pack"),
    ],
)
def test_bad_options_are_named_in_one_line(make, changes, reason):
    with pytest.raises(InputError, match=reason) as error:
        make(**changes).setup("fit")
    assert "\n" not in str(error.value)


def test_packs_without_contours_are_told(make, write_pack):
    with pytest.raises(InputError, match="no opened mouth with contours"):
        make(train=[write_pack("plain", contours=None)]).setup("fit")
