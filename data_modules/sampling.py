"""Which rows an epoch draws: rare expressions more often, synthetic faces in every batch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from xpress.data_modules.resumable import ResumableSampler


def expression_measures(landmarks68: Float[np.ndarray, "N 68 2"]) -> Float[np.ndarray, "N 8"]:
    """Simple distances that tell expressions apart, each over the outer eye-corner distance.

    Columns: right and left lid opening (mean of two point pairs), inner-lip opening, mouth width,
    height of the mouth corners over the middle of the lips (a smile is positive), right and left
    brow height over the eye, and the nose tip's offset from the middle of the eye corners along
    the eye line (yaw).
    """
    p = np.asarray(landmarks68, np.float64)
    right, left = p[:, 36], p[:, 45]
    across = left - right
    width = np.maximum(np.linalg.norm(across, axis=1), 1e-6)
    ux = across / width[:, None]
    uy = np.stack([-ux[:, 1], ux[:, 0]], 1)  # down in an upright face

    def gap(a: list[int], b: list[int]) -> np.ndarray:
        return np.linalg.norm(p[:, a] - p[:, b], axis=2).mean(1)

    def below(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ((a - b) * uy).sum(1)

    corners, lips = p[:, [48, 54]].mean(1), p[:, [51, 57]].mean(1)
    measures = [
        gap([37, 38], [41, 40]),
        gap([43, 44], [47, 46]),
        gap([61, 62, 63], [67, 66, 65]),
        gap([48], [54]),
        below(lips, corners),
        below(p[:, 36:42].mean(1), p[:, 18:21].mean(1)),
        below(p[:, 42:48].mean(1), p[:, 23:26].mean(1)),
        ((p[:, 30] - (right + left) / 2) * ux).sum(1),
    ]
    return np.stack(measures, 1) / width[:, None]


def expression_weights(
    landmarks68: Float[np.ndarray, "N 68 2"], largest: float = 6.0
) -> Float[np.ndarray, " N"]:
    """Sampling weights: how rare a face's rarest measure is.

    Each measure's density is a smoothed histogram over 40 bins between its 0.5% and 99.5%
    quantiles (what lies outside falls into the last bins). A measure's weight is the median
    density over its own; a row takes the largest of its measures' weights, over the median row's.

    Returns:
        Weights in [1, largest].
    """
    measures = expression_measures(landmarks68)
    weights = np.ones(len(measures))
    for column in measures.T:
        low, high = np.quantile(column, [0.005, 0.995])
        if high - low < 1e-9:
            continue
        bins = np.clip((column - low) / (high - low) * 40, 0, 39).astype(int)
        counts = np.convolve(np.bincount(bins, minlength=40), [0.25, 0.5, 0.25], mode="same")
        density = np.maximum(counts[bins], 1e-9)
        weights = np.maximum(weights, np.median(density) / density)
    return (weights / np.median(weights)).clip(1.0, largest)


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
        weights: np.ndarray | None,
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
        self, rows: int, per_batch: int, weights: torch.Tensor | None, generator: torch.Generator
    ) -> torch.Tensor:
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
