"""The card that travels with a checkpoint: where it comes from and what it reaches."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from xpress.checkpoints.run_record import KEY


def checkpoint_card(checkpoint: str | os.PathLike, commit: str | None = None) -> dict[str, Any]:
    """What a checkpoint tells of itself, as JSON takes it.

    Args:
        checkpoint: written by training, with a `RunRecord`.
        commit: of the code that trained.
    """
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    record = loaded.get(KEY, {})
    return {
        "task": record.get("task"),
        "file": Path(checkpoint).name,
        "sha256": hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest(),
        "parameters": sum(tensor.numel() for tensor in loaded["state_dict"].values()),
        "epoch": loaded["epoch"],
        "global_step": loaded["global_step"],
        "figures": record.get("figures", {}),
        "seed": record.get("seed"),
        "model": record.get("model"),
        "data": record.get("data"),
        "commit": commit,
        "versions": {name: version(name) for name in ("xpress", "torch", "pytorch-lightning")},
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card as Markdown, for people."""
    lines = [
        f"# {card['task'] or card['file']}",
        "",
        f"`{card['file']}`: {card['parameters']:,} parameters in epoch {card['epoch']} "
        f"({card['global_step']:,} steps), commit {card['commit'] or 'unknown'}.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:.4g} |" for name, value in sorted(card["figures"].items())),
        "",
        "Network and data:",
        "",
        "```json",
        json.dumps({name: card[name] for name in ("model", "data")}, indent=2),
        "```",
    ]
    return "\n".join(lines) + "\n"
