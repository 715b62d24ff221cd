"""The data modules with streams, under a trainer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from safetensors.numpy import save_file
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.data_module import LandmarkFacesDataModule
from xpress.data_modules.mouths.data_module import MouthCropsDataModule
from xpress.data_modules.pack_data_module import held_out
from xpress.data_modules.streaming import groups
from xpress.data_modules.streaming.stream import RowStream, StreamLoader

from xpress.errors import InputError


class Recorder(LightningModule):
    """Remembers what it was shown."""

    def __init__(self, save_at=None, path=None):
        super().__init__()
        self.save_at, self.path = save_at, path
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen, self.validated = [], 0

    def training_step(self, batch, _):
        self.seen.append((self.current_epoch, batch.landmarks68.double().sum().item()))
        return self.weight.sum()

    def on_train_batch_end(self, *_):
        if self.save_at == len(self.seen):
            self.trainer.save_checkpoint(self.path)

    def validation_step(self, batch, _):
        self.validated += len(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def faces(path, **changes):
    options = {
        "image_size": 32,
        "batch_size": 8,
        "num_workers": 0,
        "holdout": 0.3,
        "streaming": True,
        "shuffle_rows": 20,
        "augment": Augment(photometric=0.3),
    }
    return LandmarkFacesDataModule(**{"train": [path], **options, **changes})


def fit(data, folder, ckpt_path=None, save_at=None):
    module = Recorder(save_at, folder / "middle.ckpt")
    trainer = Trainer(
        max_epochs=2,
        enable_checkpointing=False,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path)
    return module


def faces_loader(folder):
    data = faces(folder)
    data.setup("fit")
    return data.train_dataloader()


@pytest.mark.parametrize("workers", [0, 2])
def test_training_resumes_in_the_middle_of_a_stream(write_shards, tmp_path, workers):
    folder = write_shards(90)
    steps = len(faces_loader(folder))
    assert steps > 5
    whole = fit(faces(folder, num_workers=workers), tmp_path, save_at=steps + 3)
    assert len(whole.seen) == 2 * steps
    rest = fit(faces(folder, num_workers=workers), tmp_path, tmp_path / "middle.ckpt")
    assert rest.seen == whole.seen[steps + 3 :]
    # the epochs differ, and validation saw the people held out
    assert {s for e, s in whole.seen if e == 0}.isdisjoint({s for e, s in whole.seen if e == 1})
    people = [f"person/{i % 11}" for i in range(90)]
    assert whole.validated == 3 * held_out(people, 0.3).sum()  # once to check, twice after


def test_streams_hold_out_the_same_people(write_shards):
    folder = write_shards(90)
    streamed, whole = faces(folder), faces(folder, streaming=False)
    for data in (streamed, whole):
        data.setup("fit")
    assert isinstance(streamed.train_set, RowStream)
    assert streamed.train_set.rows == len(whole.train_set)
    assert streamed.holdout_set.rows == len(whole.holdout_set)

    def red(loaders):
        batches = [batch for loader in loaders for batch in loader]
        return sorted(int(n) for batch in batches for n in batch.image[:, 16, 16, 0])

    assert red(streamed.val_dataloader()) == red(whole.val_dataloader())
    assert streamed.val_names == ["holdout"]


def test_large_packs_are_streamed_by_themselves(write_shards, monkeypatch):
    folder = write_shards(90)
    small = faces(folder, streaming="auto")
    small.setup("fit")
    assert not isinstance(small.train_set, RowStream)
    monkeypatch.setattr(groups, "AUTO_BYTES", 1000)
    large = faces(folder, streaming="auto", val={"all": folder}, validate_on="val")
    large.setup("fit")
    assert isinstance(large.train_set, RowStream)
    (loader,) = large.val_dataloader()
    assert isinstance(loader, StreamLoader)
    assert sum(len(batch) for batch in loader) == 90


def test_rendered_faces_are_mixed_in(write_shards):
    folder = write_shards(90)

    class Rendered:
        limit = None

        def prepare_data(self):
            pass

        def source(self):
            data = faces(folder, streaming=False)
            (source, *_) = data.setup("fit") or data.train_set.sources
            return type(source)(source.records, source.pixels, exact=True)

    data = faces(folder, synthetic=Rendered(), synthetic_ratio=0.25, holdout=0.0)
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert len(batches) == 90 // 6
    assert {len(batch) for batch in batches} == {8}


def test_fits_follow_their_rows(write_shards, tmp_path):
    folder = write_shards(40)
    rng = np.random.default_rng(0)
    fitted = {
        "identity": rng.normal(size=(40, 4)).astype(np.float32),
        "expression": np.tile(np.arange(40, dtype=np.float32)[:, None], (1, 53)),
        "rotation": np.zeros((40, 3), np.float32),
        "translation": np.full((40, 2), 16, np.float32),
        "scale": np.ones(40, np.float32),
        "ok": np.ones(40, bool),
    }
    names = json.dumps([f"many/row/{i}" for i in range(40)])
    save_file(fitted, tmp_path / "fits.safetensors", {"keys": names})
    data = faces(
        folder,
        fits=tmp_path / "fits.safetensors",
        augment=Augment(flip=0.0, photometric=0.0, grey=0.0),
    )
    data.negatives = 0.0
    data.setup("fit")
    for batch in data.train_dataloader():
        rows = batch.image[:, 16, 16, 0].float()
        assert batch.has_parameters.all()
        assert torch.equal(batch.parameters.expression[:, 0], rows)


def test_what_cannot_be_streamed_is_said(write_shards, tmp_path):
    folder = write_shards(20)
    with pytest.raises(InputError, match="choose auto, true or false"):
        faces(folder, streaming="always").setup("fit")
    two = {"train": {"one": folder, "two": folder}, "pack_weights": {"two": 2.0}}
    with pytest.raises(InputError, match="pack_weights: not while streaming"):
        faces(folder, **two).setup("fit")
    (tmp_path / "some.csv").write_text("path\n")
    with pytest.raises(InputError, match=r"some\.csv: only Parquet can be streamed"):
        faces(tmp_path / "some.csv").setup("fit")


def test_mouths_streamed_are_those_of_the_whole_pack(packs):
    options = {"train": [packs / "mouths-val.parquet"], "num_workers": 0, "holdout": 0.2}
    streamed = MouthCropsDataModule(**options, streaming=True)
    whole = MouthCropsDataModule(**options, streaming=False)
    for data in (streamed, whole):
        data.setup("fit")
    assert streamed.train_set.rows == len(whole.train_set)
    assert torch.allclose(streamed.mean_mouth, whole.mean_mouth, atol=1e-6)
    (a,), (b,) = (list(data.val_dataloader()) for data in (streamed, whole))
    assert torch.equal(
        torch.cat([batch.image for batch in a]), torch.cat([batch.image for batch in b])
    )
    batch = next(iter(streamed.train_dataloader()))
    assert batch.image.shape == (32, 96, 96, 3)
    assert len(set(batch.row.tolist())) == 32
