import pytest
from xpress.data_modules.eyes.data_module import EyesDataModule
from xpress.data_modules.eyes.dataset import RawEyes

from xpress.batches import EyeBatch
from xpress.errors import InputError

from ...drawn_eyes import eye_pack


@pytest.fixture
def make(tmp_path):
    pack = eye_pack(tmp_path / "drawn.parquet")

    def make(**changes) -> EyesDataModule:
        return EyesDataModule(**{"train": [pack], "batch_size": 8, "holdout": 0.5, **changes})

    return make


def test_people_are_held_out_as_a_whole_and_told_apart_by_kind(make, tmp_path):
    data = make(val=[tmp_path / "drawn.parquet"])
    data.setup("fit")
    held = {pairs.rows.identity[0] for pairs in data.eval_sets["holdout"].values()}
    assert held
    for pairs in data.eval_sets["holdout"].values():
        assert set(pairs.rows.identity).isdisjoint(data.train_set.rows.identity)
    assert data.val_names == ["closed", "open", "reopened"]
    assert len(data.val_dataloader()) == 3
    data.setup("validate")
    assert data.val_names == ["drawn-closed", "drawn-open", "drawn-reopened"]
    data.setup("test")
    assert data.test_names == data.val_names
    assert all(isinstance(batch, RawEyes) for batch in data.test_dataloader()[0])


def test_the_trainer_gets_finished_batches_with_more_shut_eyes(make):
    data = make(holdout=0.0, closed_more=50.0)
    data.setup("fit")
    assert data.val_dataloader() == []
    batches = list(data.train_dataloader())
    assert len(batches) == 6
    batch = data.on_after_batch_transfer(batches[0])
    assert isinstance(batch, EyeBatch)
    assert batch.image.shape == (8, 3, 48, 64)
    assert data.on_after_batch_transfer(batch) is batch
    drawn = [int(row) for raw in batches for row in raw.row]
    assert (data.train_set.open[drawn] < 0.06).mean() > 0.7


def test_mistakes_are_told(make):
    with pytest.raises(InputError, match=r"data\.train"):
        make(train=()).setup("fit")
    with pytest.raises(InputError, match=r"data\.holdout=1"):
        make(holdout=1.0)
    with pytest.raises(InputError, match="before"):
        make().train_dataloader()
