"""The untrained editor in the test loop of the trained ones."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from pytorch_lightning import Trainer
from xpress.data_modules.expressions.data_module import ExpressionDataModule

from xpress.editing.measured_editor import MorphableEditing
from xpress.errors import InputError
from xpress.models.expression_editing.reader import ActionUnitReader
from xpress.morphable.action_units import ACTION_UNITS


@pytest.fixture(scope="module")
def module() -> MorphableEditing:
    return MorphableEditing(mouth="model")


@pytest.fixture
def data(packs: Path, tmp_path: Path) -> ExpressionDataModule:
    path = tmp_path / "few.parquet"
    table = pq.read_table(packs / "video-faces-val.parquet")
    pq.write_table(table.take([3, 60, 120, 200]), path)
    cache = tmp_path / "cache"
    return ExpressionDataModule(
        val={"few": path}, image_size=128, batch_size=2, num_workers=0, cache_folder=cache
    )


def test_units_move_towards_what_is_wanted(
    module: MorphableEditing, data: ExpressionDataModule
) -> None:
    data.setup("test")
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader()[0])))
    smile = batch.action_units.clone()
    smile[:, ACTION_UNITS.index(12)] = 0.8
    edit = module.edit(batch.image, smile)
    read = ActionUnitReader()
    rise = (read(edit.image).units - read(batch.image).units)[:, ACTION_UNITS.index(12)]
    assert (rise > 0.15).all()
    untouched = (edit.changed == 0).expand_as(edit.image)
    assert torch.equal(edit.image[untouched], batch.image[untouched])
    assert 0.05 < float(edit.changed.mean()) < 0.9


def test_test_loop_measures_and_prints(
    module: MorphableEditing,
    data: ExpressionDataModule,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.test(module, datamodule=data, verbose=False)
    metrics = trainer.callback_metrics
    assert metrics["test/few/rows"] == 4
    assert 0 < metrics["test/few/au_error_ratio"] < 1
    assert metrics["test/few/lids/fall"] > 30
    assert metrics["test/loss"] == metrics["test/few/au_error_ratio"]
    assert "few, 4 faces" in capsys.readouterr().out


def test_there_is_nothing_to_train(module: MorphableEditing) -> None:
    with pytest.raises(InputError, match="give mode=test"):
        module.configure_optimizers()
