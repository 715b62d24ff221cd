"""Figures of whole sets, in validation and in tests (Lightning)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from xpress.models.gather import gather_rows


class SetFigures(LightningModule):
    """Collects rows over each set, and logs the figures of all processes' rows together.

    A subclass gives `validation_step`, which calls `collect`, `figures`, `figure_table`, and
    `badness`: its mean over the sets is `val/loss`, by which checkpoints are chosen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[tuple[int, str], list[tuple[Tensor, ...]]] = {}

    def collect(self, number: int, *columns: Tensor, method: str = "") -> None:
        """Keep the rows of a batch.

        Args:
            number: of the set's loader.
            columns: tensors with a row for each of the batch's, or for some.
            method: a subdivision of the set's figures; "" for none.
        """
        self._rows.setdefault((number, method), []).append(columns)

    def figures(self, *columns: Tensor) -> dict[str, float]:
        """What is logged of a set's rows."""
        raise NotImplementedError

    def badness(self, figures: Mapping[str, float], method: str) -> float | None:
        """What checkpoints are chosen by, less is better; None where this method does not count."""
        raise NotImplementedError

    def figure_table(self, metrics: Mapping[str, Tensor], stage: str) -> str:
        """Logged figures for people."""
        raise NotImplementedError

    def set_names(self, stage: str) -> list[str]:
        """Names of the sets of "val" or "test", as far as the data module tells."""
        data = getattr(self.trainer, "datamodule", None) if self._trainer else None
        return list(getattr(data, f"{stage}_names", []))

    def on_validation_epoch_start(self) -> None:
        """Rows are collected over each set: quantiles and correlations need it whole."""
        self._rows = {}

    def on_validation_epoch_end(self) -> None:
        """Log every figure; `val/loss` is what checkpoints are chosen by."""
        self._log_figures("val")

    def on_test_epoch_start(self) -> None:
        """As in validation."""
        self._rows = {}

    def test_step(self, batch: Any, batch_index: int, dataloader_idx: int = 0) -> None:
        """As in validation."""
        self.validation_step(batch, batch_index, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        """Log every figure, and print the table of the model card."""
        self._log_figures("test")
        if self.trainer.is_global_zero:
            print(self.figure_table(self.trainer.callback_metrics, "test"))

    def _log_figures(self, stage: str) -> None:
        names, chosen = self.set_names(stage), []
        for (number, method), rows in self._rows.items():
            columns = (gather_rows(torch.cat(column)) for column in zip(*rows, strict=True))
            figures = self.figures(*columns)
            name = names[number] if number < len(names) else str(number)
            prefix = "/".join(part for part in (stage, name, method) if part)
            known = {f"{prefix}/{n}": v for n, v in figures.items() if math.isfinite(v)}
            self.log_dict(known, sync_dist=True)
            if (badness := self.badness(figures, method)) is not None:
                chosen.append(badness)
        if chosen:
            self.log(f"{stage}/loss", sum(chosen) / len(chosen), prog_bar=True, sync_dist=True)
