"""What a W&B run keeps beside curves and pictures."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from xpress.callbacks.pictures import logged_step
from xpress.loggers.card import card_text, checkpoint_card
from xpress.loggers.wandb_logger import CHECKPOINT_KEY, WandbLogger
from xpress.models.face_autoencoder.mesh import write_reconstruction
from xpress.models.face_autoencoder.module import FaceAutoencoder


class WandbRun(pl.Callback):
    """The run's id in its checkpoints, a mesh a validation, and the best checkpoint at the end.

    Does nothing where no `WandbLogger` is among the trainer's loggers.
    """

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The id, by which resuming goes on with the run."""
        for logger in _runs(trainer):
            checkpoint[CHECKPOINT_KEY] = {"id": logger.version}

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
        """The first face of the first set as a mesh, where the network makes one."""
        runs = _runs(trainer)
        first = batch_idx == 0 and dataloader_idx == 0 and not trainer.sanity_checking
        if not runs or not first or not isinstance(pl_module, FaceAutoencoder):
            return
        import wandb

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "face.obj"
            if write_reconstruction(pl_module, batch, path):
                for logger in runs:
                    mesh = wandb.Object3D(str(path), caption=f"epoch {trainer.current_epoch}")
                    logger.log_metrics({"val/mesh": mesh}, logged_step(trainer))

    @rank_zero_only
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The best checkpoint (the last where none is best) and its card as one artifact."""
        saved = trainer.checkpoint_callback
        best = getattr(saved, "best_model_path", "") or getattr(saved, "last_model_path", "")
        for logger in _runs(trainer):
            if logger.log_model and best and Path(best).is_file():
                _log_model(logger, best)


def _runs(trainer: pl.Trainer) -> list[WandbLogger]:
    return [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]


def _log_model(logger: WandbLogger, checkpoint: str) -> None:
    import wandb

    run = logger.experiment
    card = checkpoint_card(checkpoint, run.settings.git_commit)
    name = f"{card['task'] or 'model'}-{run.id}"
    artifact = wandb.Artifact(name, type="model", metadata=card)
    # where it lies: a copy in the user's home folder would stay there if it is never uploaded
    artifact.add_file(checkpoint, name="model.ckpt", policy="immutable")
    with artifact.new_file("card.json") as file:
        json.dump(card, file, indent=2)
    with artifact.new_file("README.md") as file:
        file.write(card_text(card))
    run.log_artifact(artifact, aliases=["best"])
