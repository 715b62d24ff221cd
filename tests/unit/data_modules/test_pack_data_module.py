"""What all data modules of packs do alike, with rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch.utils.data import Dataset
from xpress.data_modules.pack_data_module import PackDataModule, held_out, named
from xpress.data_modules.raw_batch import RawBatch, colors
from xpress.data_modules.sampling import WeightedSampler

from xpress.errors import InputError

ROWS = {"first": range(30), "second": range(100, 120), "third": range(200, 203)}


@dataclass(frozen=True)
class Pictures(RawBatch):
    image: torch.Tensor

    def finish(self) -> torch.Tensor:
        return colors(self.image)


class Numbers(Dataset):
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    @property
    def people(self) -> list[str]:
        return [f"person {number // 2}" for number in self.numbers]

    def select(self, rows: np.ndarray) -> Numbers:
        return Numbers([self.numbers[row] for row in rows])

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitems__(self, rows: list[int]) -> Pictures:
        chosen = [self.numbers[row] for row in rows]
        return Pictures(
            torch.tensor(chosen, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 4, 4, 3)
        )


class NumbersDataModule(PackDataModule):
    def __init__(self, train=("first", "second"), val=("third",), test=(), **options) -> None:
        options = {"batch_size": 4, "num_workers": 0, "holdout": 0.3, **options}
        super().__init__(train, val, test, **options)
        self.read = []

    def evaluation_set(self, path) -> Numbers:
        self.read.append(path)
        return Numbers(list(ROWS[path]))

    def setup_fit(self) -> dict[str, Numbers]:
        kept, held, self.weights = self.split_people(self.evaluation_set)
        self.train_set = Numbers([number for rows in kept for number in rows.numbers])
        self.sampler = partial(WeightedSampler, self.weights, self.batch_size, self.seed)
        return {"holdout": Numbers([n for rows in held for n in rows.numbers])} if held else {}


def test_people_are_held_out_as_a_whole():
    data = NumbersDataModule()
    data.setup("fit")
    held, kept = data.holdout_set, data.train_set
    assert set(held.people).isdisjoint(kept.people)
    assert sorted(held.numbers + kept.numbers) == [*ROWS["first"], *ROWS["second"]]
    assert data.val_names == ["holdout"]
    data.setup("fit")
    assert data.read == ["first", "second"]


def test_sets_follow_the_stage_and_are_read_once():
    data = NumbersDataModule(test={"third": "third", "other": "first"})
    data.setup("validate")
    assert data.val_names == ["third"]
    assert data.train_set is None
    data.setup("test")
    assert data.test_names == ["third", "other"]
    assert [len(loader.dataset) for loader in data.test_dataloader()] == [3, 30]
    assert data.read == ["third", "first"]
    by_val = NumbersDataModule()
    by_val.validate_on = "val"
    by_val.setup("fit")
    assert by_val.val_names == ["third"]


def test_packs_are_weighted_by_name_or_by_place():
    for weights in ({"second": 0.25, "elsewhere": 3.0}, [1.0, 0.25]):
        data = NumbersDataModule(pack_weights=weights, holdout=0.0)
        data.setup("fit")
        np.testing.assert_array_equal(data.weights, [1.0] * 30 + [0.25] * 20)
    with pytest.raises(InputError, match=r"data\.pack_weights: give 2, one a pack"):
        NumbersDataModule(pack_weights=[1.0])


def test_loaders_hand_over_bytes_and_the_trainer_gets_floats():
    data = NumbersDataModule(holdout=0.0)
    data.setup("fit")
    first = next(iter(data.train_dataloader()))
    assert first.image.dtype == torch.uint8
    finished = data.on_after_batch_transfer(first)
    torch.testing.assert_close(finished[:, 0, 0, 0] * 255, first.image[:, 0, 0, 0].float())
    assert data.on_after_batch_transfer(finished) is finished


def test_what_cannot_be_is_told(caplog):
    for options, reason in (
        ({"train": ()}, r"data\.train: nothing given"),
        ({"holdout": 1.0}, r"data\.holdout=1\.0: give a share below 1"),
        ({"holdout": 0.999999}, "leaves nobody to train on"),
    ):
        with pytest.raises(InputError, match=reason):
            NumbersDataModule(**options).setup("fit")
    with pytest.raises(InputError, match="call setup"):
        NumbersDataModule().train_dataloader()
    data = NumbersDataModule(train=("third",), holdout=1e-9)
    data.setup("fit")
    assert "nobody fell into data.holdout=1e-09" in caplog.text
    assert data.val_names == data.val_dataloader() == []


class Mean(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.validated = torch.nn.Parameter(torch.zeros(())), 0

    def training_step(self, batch: torch.Tensor, _) -> torch.Tensor:
        return self.weight * batch.mean()

    def validation_step(self, batch: torch.Tensor, _) -> None:
        self.validated += len(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*treespec:FutureWarning"
)
@pytest.mark.parametrize(("holdout", "validated"), [(0.3, True), (0.0, False)])
def test_a_fit_without_hold_out_has_nothing_to_warn_of(tmp_path, holdout, validated):
    module = Mean()
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, NumbersDataModule(holdout=holdout))  # a warning would be an error
    assert (module.validated > 0) == validated
    assert module.weight != 0


def test_packs_of_one_name_need_a_mapping():
    assert named("some/pack.parquet") == {"pack": "some/pack.parquet"}
    with pytest.raises(InputError, match="named twice"):
        named(["one/pack.parquet", "two/pack.parquet"])
    assert named({"a": "one/pack.parquet", "b": "two/pack.parquet"})["b"] == "two/pack.parquet"


def test_the_hash_holds_out_its_share():
    names = [f"someone {i}" for i in range(20_000)]
    out = held_out(names, 0.1)
    assert out.mean() == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(out[:100], held_out(names[:100], 0.1))
    # more of the people contain fewer of them
    assert out[held_out(names, 0.05)].all()
    assert not held_out(names, 0.0).any()
