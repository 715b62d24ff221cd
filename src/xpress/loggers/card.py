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


def checkpoint_card(
    checkpoint: str | os.PathLike,
    configuration: Mapping[str, Any],
    metrics: Mapping[str, float],
    commit: str | None = None,
) -> dict[str, Any]:
    """What is known of a checkpoint, as JSON takes it.

    Args:
        checkpoint: written by training.
        configuration: of the whole run, resolved.
        metrics: figures at the time the checkpoint was written.
        commit: of the code that trained.
    """
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    state = loaded["state_dict"]
    return {
        "task": configuration.get("task_name"),
        "file": Path(checkpoint).name,
        "sha256": hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest(),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "epoch": loaded["epoch"],
        "global_step": loaded["global_step"],
        "metrics": dict(metrics),
        "seed": configuration.get("seed"),
        "model": configuration.get("model"),
        "data": configuration.get("data"),
        "commit": commit,
        "versions": {name: version(name) for name in ("xpress", "torch", "pytorch-lightning")},
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card as Markdown, for people."""
    lines = [
        f"# {card['task']}",
        "",
        f"`{card['file']}`: {card['parameters']:,} parameters after epoch {card['epoch']} "
        f"({card['global_step']:,} steps), commit {card['commit'] or 'unknown'}.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:.4g} |" for name, value in sorted(card["metrics"].items())),
        "",
        "Network and data:",
        "",
        "```json",
        json.dumps({name: card[name] for name in ("model", "data")}, indent=2),
        "```",
    ]
    return "\n".join(lines) + "\n"
