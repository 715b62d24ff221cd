from __future__ import annotations

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.data_module import LandmarkFacesDataModule

from xpress.batches import FaceBatch
from xpress.errors import InputError


def module(write_pack, **changes):
    arguments = {
        "train": [write_pack("first", 30, 10), write_pack("second", 20, 20)],
        "val": {"one": write_pack("third", 5)},
        "image_size": 64,
        "batch_size": 10,
        "num_workers": 0,
        "holdout": 0.3,
    }
    return LandmarkFacesDataModule(**{**arguments, **changes})


def test_people_are_held_out_as_a_whole(write_pack):
    data = module(write_pack)
    data.setup("fit")
    train, held = set(data.train_set.identities), set(data.holdout_set.identities)
    assert train.isdisjoint(held)
    assert train | held == {f"person/{i}" for i in range(20)}
    assert len(data.train_set) + len(data.holdout_set) == 50
    assert data.val_names == ["holdout"]
    assert sum(len(b) for loader in data.val_dataloader() for b in loader) == len(data.holdout_set)


def collect(data):
    data.setup("fit")
    return [batch.finish() for batch in data.train_dataloader()]


@pytest.mark.parametrize("workers", [0, 2])
def test_seeds_repeat_with_any_number_of_workers(write_pack, workers):
    a = collect(module(write_pack, seed=3))
    b = collect(module(write_pack, num_workers=workers, seed=3))
    other = collect(module(write_pack, num_workers=workers, seed=4))
    assert len(a) == len(b) > 2
    for first, second, third in zip(a, b, other, strict=True):
        assert torch.equal(first.image, second.image)
        assert torch.equal(first.landmarks68, second.landmarks68)
        assert not torch.equal(first.image, third.image)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_rest_of_an_epoch_is_that_of_the_whole(write_pack, workers):
    whole = collect(module(write_pack))
    data = module(write_pack, num_workers=workers)
    data.setup("fit")
    loader = data.train_dataloader()
    loader.load_state_dict({"batches": 2})
    rest = [batch.finish() for batch in loader]
    assert len(rest) == len(whole) - 2 > 0
    for first, second in zip(rest, whole[2:], strict=True):
        assert torch.equal(first.image, second.image)
        assert torch.equal(first.landmarks68, second.landmarks68)


def test_workers_draw_differently(write_pack):
    # one row only, so that equal crops could only come from equal random states
    data = module(write_pack, train=[write_pack("a", 1)], holdout=0.0, num_workers=2, epoch_size=20)
    data.augment = Augment(photometric=0.0, grey=0.0)
    first, second = collect(data)
    assert not torch.equal(first.landmarks68, second.landmarks68)


def test_named_loaders_of_each_stage(write_pack):
    data = module(write_pack, test=[write_pack("fourth", 4)], validate_on="val")
    data.setup("fit")
    assert data.val_names == ["one"]
    assert len(data.val_dataloader()[0].dataset) == 5
    data.setup("test")
    assert data.test_names == ["fourth"]
    assert len(data.test_dataloader()[0].dataset) == 4
    data = module(write_pack)
    data.setup("validate")
    assert data.val_names == ["one"]
    data.setup("test")
    assert data.test_names == ["one"]


def test_val_and_test_packs_may_share_a_name(write_pack):
    data = module(write_pack, test={"one": write_pack("fourth", 7)})
    for stage, rows in (("validate", 5), ("test", 7)):
        data.setup(stage)
        (loader,) = data.val_dataloader() if stage == "validate" else data.test_dataloader()
        assert sum(len(batch) for batch in loader) == rows


def test_pack_weights_multiply(write_pack):
    data = module(write_pack, pack_weights=[0.0, 1.0], holdout=0.0, epoch_size=200)
    data.setup("fit")
    assert {row for row in data.train_dataloader().sampler if row < 30} == set()


class Probe(LightningModule):
    """Keeps what the trainer hands over."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, _):
        self.seen.append(batch)
        return self.weight * batch.image.mean()

    def validation_step(self, batch, _):
        self.seen.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_the_trainer_gets_finished_batches(write_pack, tmp_path):
    probe = Probe()
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )
    trainer.fit(probe, module(write_pack))
    assert len(probe.seen) >= 4
    for batch in probe.seen:
        assert isinstance(batch, FaceBatch)
        assert batch.image.dtype == torch.float32
        assert 0 <= float(batch.image.min()) < float(batch.image.max()) <= 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train": []}, "nothing given"),
        ({"holdout": 1.0}, "give a share below 1"),
        ({"holdout": 0.999999}, "leaves nobody to train on"),
        ({"validate_on": "train"}, "choose holdout or val"),
        ({"pack_weights": [1.0]}, "give 2, one a pack"),
        ({"train": ["missing.parquet"]}, "no such file"),
    ],
)
def test_bad_options_are_named(write_pack, changes, reason):
    with pytest.raises(InputError, match=reason):
        module(write_pack, **changes).setup("fit")
