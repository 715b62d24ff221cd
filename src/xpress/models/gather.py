"""What several training processes see together."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from jaxtyping import Shaped
from pytorch_lightning import Trainer
from torch import Tensor, distributed
from torch.utils.data.distributed import DistributedSampler
from torchmetrics.utilities.distributed import gather_all_tensors

Batch = TypeVar("Batch", bound=Any)


def processes() -> int:
    """Number of training processes, one without a process group."""
    joined = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if joined else 1


def gather_rows(rows: Shaped[Tensor, "N ..."]) -> Shaped[Tensor, "M ..."]:
    """The rows of all processes on end, by rank; every process gets all of them.

    Correlations, quantiles and the like are no means of the processes' own figures: gather first.
    Every process has to call this, also one that has no rows.

    Args:
        rows: of this process, any number of them.

    Returns:
        The rows, without gradients where there are several processes.
    """
    if processes() == 1:
        return rows
    flags = rows.dtype == torch.bool
    gathered = torch.cat(gather_all_tensors(rows.detach().byte() if flags else rows.detach()))
    return gathered.bool() if flags else gathered


def mean_count(count: Shaped[Tensor, ""]) -> Shaped[Tensor, ""]:
    """What to divide a sum over rows by: their number, averaged over the processes; never zero.

    Distributed training averages the processes' gradients. Where each divides by its own number of
    rows, rows of a process with few of them weigh more; divided by this number, the average is the
    mean over all rows, as one process with the larger batch computes it.

    Args:
        count: of this process. Every process has to call this the same number of times.
    """
    total = count.detach().float()
    if processes() > 1:
        distributed.all_reduce(total)
    return torch.where(total > 0, total / processes(), 1.0)


def without_repeats(
    batch: Batch, trainer: Trainer, batch_index: int, dataloader_idx: int = 0
) -> Batch:
    """The rows of an evaluation batch that no other process evaluates too.

    Lightning shares a set out by a `DistributedSampler`, which repeats rows so that every process
    has as many batches: processes with fewer would leave the others waiting. Process r of W has
    rows r, r + W, r + 2W, …; the repeated ones are those past the end, at the end of its share.

    Args:
        batch: what `validation_step` or `test_step` was given; supports slices of rows.
        trainer: that gave it.
        batch_index: number of the batch in its loader.
        dataloader_idx: number of the loader.
    """
    loaders = trainer.test_dataloaders if trainer.testing else trainer.val_dataloaders
    loader = loaders[dataloader_idx] if isinstance(loaders, (list, tuple)) else loaders
    sampler = getattr(loader, "sampler", None)
    if loader is None or not isinstance(sampler, DistributedSampler):
        return batch
    own = len(range(sampler.rank, len(sampler.dataset), sampler.num_replicas))  # type: ignore[arg-type]
    return batch[: max(own - batch_index * loader.batch_size, 0)]
