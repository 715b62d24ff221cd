"""What Lightning leaves out of a checkpoint or forgets to take from it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback


class ExactResume(Callback):
    """A run that is resumed computes what it would have computed.

    Checkpoints get the global random states of Python, NumPy and torch, of every process: plain
    numbers and tensors, so that they load with `weights_only=True`. With another number of
    processes than before, those without a state of their own keep the one that the seed gave
    them. A loader's workers have no part in it: see `data_modules.resumable`.

    The loader gets its place in the epoch back: Lightning 2.6 forgets it where the loader was
    asked for its length before, as `trainer.estimated_stepping_batches` does. Give `max_epochs`,
    not `max_steps`: with that Lightning ends an epoch twice whose end the checkpoint was.
    """

    def __init__(self) -> None:
        self._restored: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """Called by Lightning in every process for a checkpoint."""
        own = collect()
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return {"processes": [own]}
        states: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(states, own)
        return {"processes": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning with a checkpoint."""
        self._restored = state_dict["processes"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Once everything that draws while a run is set up has drawn."""
        if trainer.global_rank < len(self._restored):
            restore(self._restored[trainer.global_rank])
        self._restored = []
        trainer.fit_loop._load_combined_loader_states()  # nothing, where it was done


def collect() -> dict[str, Any]:
    """The states of this process."""
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    state: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": [str(name), [int(key) for key in keys], position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore(state: dict[str, Any]) -> None:
    """Set the states of this process to what `collect` gave."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
