"""Sample grids after every validation: files in the run's folder, and to the loggers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pytorch_lightning as pl
from jaxtyping import UInt8
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from xpress.media.images import write_image


@runtime_checkable
class DrawsPictures(Protocol):
    """A network that can show its work: what `PictureGrid` asks of a LightningModule."""

    def picture_grid(self, batch: Any, rows: int) -> UInt8[np.ndarray, "H W 3"]:
        """At most `rows` samples of a validation batch as one RGB picture."""
        ...


class PictureGrid(pl.Callback):
    """Draw the first validation batch of every set, once a validation.

    Networks without `picture_grid(batch, rows)` are passed over.

    Args:
        folder: where `epoch_000_<set>.jpg` are written.
        rows: samples a picture.
    """

    def __init__(self, folder: str, rows: int = 8) -> None:
        self.folder, self.rows = Path(folder), rows

    @rank_zero_only
    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Called by Lightning."""
        if batch_idx or trainer.sanity_checking or not isinstance(pl_module, DrawsPictures):
            return
        names = list(getattr(getattr(trainer, "datamodule", None), "val_names", []))
        name = names[dataloader_idx] if dataloader_idx < len(names) else str(dataloader_idx)
        grid = pl_module.picture_grid(batch, self.rows)
        write_image(self.folder / f"epoch_{trainer.current_epoch:03d}_{name}.jpg", grid)
        step = logged_step(trainer)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"val/{name}", [grid], step=step)
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(f"val/{name}", grid, step, dataformats="HWC")


def logged_step(trainer: pl.Trainer) -> int:
    """The step at which Lightning logs this validation's figures.

    `trainer.global_step` is another: it counts the steps of every optimiser.
    """
    return trainer.fit_loop.epoch_loop._batches_that_stepped
