"""Which rows an epoch draws: rare expressions more often, synthetic faces in every batch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from xpress.data_modules.resumable import ResumableSampler


class FaceSampler(ResumableSampler):
    """Row numbers for training, one epoch at a time.

    Args:
        weights: of the real rows 0 … N-1, drawn with replacement; None draws each once.
        real: number of real rows.
        synthetic: number of synthetic rows, which follow them.
        synthetic_ratio: share of synthetic rows, exact in each batch.
        batch_size: rows of a batch.
        epoch_size: rows of an epoch; by default as many real ones as there are.
        seed: the same seed and epoch give the same rows, on every process.
        rank: number of this process.
        world_size: number of processes, which share an epoch.
    """

    def __init__(
        self,
        weights: Float[np.ndarray, " N"] | None,
        real: int,
        synthetic: int = 0,
        synthetic_ratio: float = 0.0,
        batch_size: int = 128,
        epoch_size: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        ratio = synthetic_ratio if synthetic else 0.0
        ratio = ratio if real else 1.0
        self.synthetic_per_batch = round(ratio * batch_size)
        self.real_per_batch = batch_size - self.synthetic_per_batch
        if epoch_size is not None:
            batches = epoch_size // batch_size
        elif self.real_per_batch and real:
            batches = real // self.real_per_batch
        else:
            batches = synthetic // batch_size
        super().__init__(max(batches, 1) * batch_size, batch_size, seed, rank, world_size)
        self.weights = None if weights is None else torch.as_tensor(weights, dtype=torch.double)
        self.real, self.synthetic = real, synthetic

    def order(self, generator: torch.Generator) -> Int[Tensor, " N"]:
        """Whole batches, each with its share of synthetic rows, in random order."""
        real = self._draw(self.real, self.real_per_batch, self.weights, generator)
        synthetic = self._draw(self.synthetic, self.synthetic_per_batch, None, generator)
        rows = torch.cat([real, synthetic + self.real], 1)
        mixed = [batch[torch.randperm(len(batch), generator=generator)] for batch in rows]
        return torch.cat(mixed)

    def _draw(
        self,
        rows: int,
        per_batch: int,
        weights: Float[Tensor, " N"] | None,
        generator: torch.Generator,
    ) -> Int[Tensor, "M P"]:
        batches = self.rows // self.batch_size
        count = batches * per_batch
        if count == 0:
            return torch.empty(batches, 0, dtype=torch.long)
        if weights is not None:
            drawn = torch.multinomial(weights, count, replacement=True, generator=generator)
        else:
            rounds = -(-count // rows)
            drawn = torch.cat([torch.randperm(rows, generator=generator) for _ in range(rounds)])
        return drawn[:count].view(batches, per_batch)


class WeightedSampler(ResumableSampler):
    """Rows in proportion to weights, drawn with replacement.

    Args:
        weights: of the rows.
        batch_size: see `ResumableSampler`.
        seed: see `ResumableSampler`.
        rank: see `ResumableSampler`.
        world_size: see `ResumableSampler`.
    """

    def __init__(
        self,
        weights: Float[np.ndarray, " N"],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(len(weights), batch_size, seed, rank, world_size)
        self.weights = torch.as_tensor(weights, dtype=torch.double)

    def order(self, generator: torch.Generator) -> Int[Tensor, " N"]:
        """Rows of one epoch."""
        return torch.multinomial(self.weights, self.rows, replacement=True, generator=generator)
