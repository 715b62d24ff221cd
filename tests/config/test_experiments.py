"""Every preset trains: one step of the network and the data it names, on a handful of faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from xpress import configuration
from xpress.packs.edit_pairs import FLOW_SIZE
from xpress.training.run import run_train

FOLDER = Path(configuration.__file__).parents[3] / "conf" / "experiment"
PRESETS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SMALL = [
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=1",
    "+trainer.limit_val_batches=1",
    "+trainer.enable_progress_bar=false",
    "+trainer.enable_model_summary=false",
    "data.batch_size=2",
    "data.num_workers=0",
    "data.pin_memory=false",
    "data.cache=encoded",
    "data.holdout=0.3",
    "callbacks=none",
    "logger=none",
]
FACES = ["data.fits=null", "data.pack_weights=null"]
RENDERED = [
    "data.synthetic.count=4",
    "data.synthetic.processes=1",
    "data.synthetic.fits=null",
    "data.synthetic.backgrounds=[]",
    "data.synthetic_ratio=0.5",
]
PAPER = ["model.size=64", "model.channels=16", "model.critic_channels=16"]  # else too large
PLAIN_EYES = ["model.lpips=null", "model.weights.perceptual=0.0", "data.pack_weights=null"]


@pytest.fixture(scope="module")
def few(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twenty rows of each validation pack, and a teacher who changes nothing."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("faces", "mouths", "eyes"):
        table = pq.read_table(packs / f"{name}-val.parquet")
        pq.write_table(table.take(list(range(0, 600, 30))), folder / f"{name}.parquet")
    table = pq.read_table(folder / "faces.parquet")
    none = np.zeros((2, FLOW_SIZE, FLOW_SIZE), np.float16).tobytes()
    units = [[0.1] * 17] * len(table)
    made = {"edited": table["image"], "flow": [none] * len(table)}
    for name, column in {**made, "action_units": units, "edited_units": units}.items():
        table = table.append_column(name, pa.array(column) if isinstance(column, list) else column)
    pq.write_table(table, folder / "pairs.parquet")
    return {name: folder / f"{name}.parquet" for name in ("faces", "mouths", "eyes", "pairs")}


def composed(preset: str, *overrides: str) -> DictConfig:
    with initialize_config_module("xpress.conf", version_base="1.3"):
        config = compose("train", [f"experiment={preset}", *overrides])
    OmegaConf.set_struct(config, False)
    return config


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_trains(preset: str, few: dict[str, Path], tmp_path: Path):
    general = preset == "smoke"
    task = ["task=face_autoencoder"] if general else []
    limits = [text.replace("+", "") if general and "limit" in text else text for text in SMALL]
    parts = composed(preset, *task)
    if parts.task_name == "lip_landmarks":
        limits = [text for text in limits if "data.cache" not in text]
        options = [f"data.train=[{few['mouths']}]"]
    elif parts.task_name == "mouth_gan":
        options = [f"data.train=[{few['mouths']}]"]
    elif parts.task_name == "eye_landmarks":
        limits = [text for text in limits if "data.cache" not in text]
        options = [f"data.train=[{few['eyes']}]"]
    elif parts.task_name == "eye_gan":
        limits = [text for text in limits if "data.cache" not in text]
        options = [*PLAIN_EYES, f"data.train=[{few['eyes']}]"]
    elif parts.task_name in ("ganimation", "dft_net"):
        options = [f"data.train=[{few['faces']}]", f"data.cache_folder={tmp_path}"]
        options += [f"data.teacher={few['pairs']}"] if parts.data.teacher else PAPER
    else:
        rendered = RENDERED if parts.data.synthetic else []
        options = [*FACES, *rendered, f"data.train=[{few['faces']}]"]
        if rendered:
            options.append(f"data.synthetic.cache={tmp_path / 'rendered'}")
    config = composed(preset, *task, *limits, *options, f"paths.output_dir={tmp_path}")
    configuration.check("train", config, [])
    if config.monitor.metric != "val/loss":
        config.monitor.metric = "val/loss"
    loss = run_train(config)
    assert loss is not None
    assert torch.tensor(loss).isfinite()
