"""Validation of networks that learn to edit expressions (Lightning)."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.trainer.states import TrainerFn

from xpress.batches import ExpressionBatch
from xpress.models.expression_editing.evaluated import EvaluatedEditor
from xpress.models.expression_editing.evaluation import EditEvaluation
from xpress.models.expression_editing.reader import ActionUnitReader


class ValidatedEditor(EvaluatedEditor):
    """Logs `val/<set>/<figure>` (see `evaluation.summarize`) besides those of tests.

    `val/loss`, by which checkpoints are chosen, is the mean over the sets of the error of the
    action units, over that of doing nothing, plus the L1 outside the edit. While fitting, faces
    are edited once; `mode=validate` is thorough.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reader: list[Any] = [None]  # in a list: it is neither trained nor checkpointed
        self._sets: dict[int, str] = {}
        self._validation: EditEvaluation | None = None

    @property
    def reader(self) -> ActionUnitReader:
        """The frozen face encoder, differentiable in its pictures; loaded when first asked for."""
        if self._reader[0] is None:
            self._reader[0] = ActionUnitReader()
        return self._reader[0].to(self.device)

    def on_validation_epoch_start(self) -> None:
        """Figures are collected over each set."""
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        self._validation, self._sets = EditEvaluation(self.reader, thorough=not fitting), {}

    def validation_step(
        self, batch: ExpressionBatch, batch_index: int, dataloader_idx: int = 0
    ) -> None:
        """Edit a batch of one set and read the action units back."""
        assert self._validation is not None
        names = list(getattr(getattr(self.trainer, "datamodule", None), "val_names", []))
        known = dataloader_idx < len(names)
        name = names[dataloader_idx] if known else str(dataloader_idx)
        self._sets[dataloader_idx] = name
        self._validation.update(self.edit, batch, name)

    def on_validation_epoch_end(self) -> None:
        """Log every figure."""
        assert self._validation is not None
        chosen = []
        for name in self._sets.values():
            figures = self._validation.figures(name)
            logged = {f"val/{name}/{n}": torch.tensor(v) for n, v in figures.items()}
            self.log_dict(logged, sync_dist=True)
            chosen.append(figures["au_error_ratio"] + figures["kept/l1"])
        if chosen:
            loss = torch.tensor(sum(chosen) / len(chosen))
            self.log("val/loss", loss, prog_bar=True, sync_dist=True)
