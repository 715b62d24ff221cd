"""What every run hands its loggers, whichever they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from xpress.loggers.wandb_logger import WandbLogger


@contextmanager
def recorded(
    trainer: pl.Trainer, config: DictConfig, checkpoint: str | None = None
) -> Iterator[None]:
    """Give every logger the whole configuration once, and end W&B's run with the block.

    Args:
        trainer: with `enable_autolog_hparams=False`, or Lightning repeats the network's part.
        config: of the command; interpolations are resolved.
        checkpoint: to be resumed; training goes on with the W&B run that wrote it.
    """
    parameters: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    runs = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
    for run in runs:
        if checkpoint and config.mode == "fit":
            run.continue_from(checkpoint)
    for logger in trainer.loggers:
        logger.log_hyperparams(parameters)
    exit_code = 1
    try:
        yield
        exit_code = 0
    finally:
        for run in runs:
            run.close(exit_code)
