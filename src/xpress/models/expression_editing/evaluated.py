"""The test loop that all editors of expressions share (Lightning)."""

from __future__ import annotations

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from xpress.batches import ExpressionBatch, ExpressionEdit
from xpress.models.expression_editing.evaluation import EditEvaluation, figure_table
from xpress.models.expression_editing.reader import ActionUnitReader


class EvaluatedEditor(LightningModule):
    """Something with a method `edit`, whose edits are measured in `trainer.test`.

    Logs `test/<set>/<figure>` (see `evaluation.summarize`) and, as `test/loss`, the mean of the
    sets' `au_error_ratio`.
    """

    _evaluation: EditEvaluation | None = None

    def edit(self, image: Tensor, target_units: Tensor) -> ExpressionEdit:
        """Edit crops (B, 3, H, W), RGB in [0, 1], to action units (B, 17)."""
        raise NotImplementedError(f"{type(self).__name__} has no method edit")

    def on_test_epoch_start(self) -> None:
        """Figures are collected over each set."""
        # The reader is made here: it is neither trained, checkpointed nor averaged.
        self._evaluation = EditEvaluation(ActionUnitReader().to(self.device))

    def test_step(self, batch: ExpressionBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Edit a batch of one set and measure what came of it."""
        assert self._evaluation is not None
        self._evaluation.update(self.edit, batch, self._test_names()[dataloader_idx])

    def on_test_epoch_end(self) -> None:
        """Log every figure, and print the table of the model card."""
        assert self._evaluation is not None
        ratios = []
        for name in self._test_names():
            figures = self._evaluation.figures(name)
            logged = {f"test/{name}/{n}": torch.tensor(v) for n, v in figures.items()}
            self.log_dict(logged, sync_dist=True)
            if "au_error_ratio" in figures:
                ratios.append(figures["au_error_ratio"])
        if ratios:
            mean = torch.tensor(sum(ratios) / len(ratios))
            self.log("test/loss", mean, prog_bar=True, sync_dist=True)
        if self.trainer.is_global_zero:
            print(figure_table(self.trainer.callback_metrics, "test"))

    def _test_names(self) -> list[str]:
        names = list(getattr(getattr(self.trainer, "datamodule", None), "test_names", []))
        loaders = self.trainer.test_dataloaders
        count = len(loaders) if isinstance(loaders, (list, tuple)) else 1
        return names or [str(number) for number in range(count)]
