"""The card tells what the checkpoint holds."""

import hashlib
import json
from pathlib import Path

import torch

from xpress.checkpoints.run_record import KEY
from xpress.loggers.card import card_text, checkpoint_card


def _checkpoint(path: Path, **record) -> Path:
    state = {"a.weight": torch.zeros(3, 4), "a.bias": torch.zeros(4)}
    torch.save({"state_dict": state, "epoch": 2, "global_step": 1200, **record}, path)
    return path


def test_a_card_names_figures_network_and_data(tmp_path: Path):
    record = {
        "task": "mouth_gan",
        "seed": 3,
        "model": {"size": 128},
        "data": {"train": ["${paths.data_dir}/mouths.parquet"]},
        "figures": {"val/loss": 0.123456, "val/ssim": 0.9},
    }
    path = _checkpoint(tmp_path / "best.ckpt", **{KEY: record})
    card = checkpoint_card(path, "c0ffee")
    assert {name: card[name] for name in record} == record
    assert card["parameters"] == 16
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["commit"] == "c0ffee"
    assert card["versions"]["torch"] == torch.__version__
    assert json.loads(json.dumps(card)) == card
    text = card_text(card)
    assert text.startswith("# mouth_gan\n")
    assert "`best.ckpt`: 16 parameters in epoch 2 (1,200 steps), commit c0ffee." in text
    assert "| val/loss | 0.1235 |\n| val/ssim | 0.9 |" in text
    assert '"size": 128' in text


def test_checkpoints_without_a_record_have_a_card(tmp_path: Path):
    card = checkpoint_card(_checkpoint(tmp_path / "plain.ckpt"))
    assert card["task"] is None
    assert card_text(card).startswith("# plain.ckpt\n")
    assert "commit unknown" in card_text(card)
