"""A batch as workers hand it over: pictures still uint8, a quarter of the bytes to move."""

from __future__ import annotations

from typing import Any, TypeVar

from jaxtyping import Float, UInt8
from torch import Tensor

from xpress.structures import ArrayStruct

Batch = TypeVar("Batch", bound="RawBatch")


class RawBatch(ArrayStruct):
    """What a dataset's `__getitems__` makes; the subclass, a dataclass, says what else it holds.

    Attributes:
        image: RGB.
    """

    image: UInt8[Tensor, "B H W 3"]

    def __len__(self) -> int:
        return self.image.shape[0]

    def pin_memory(self: Batch, device: str | None = None) -> Batch:
        """Called by `DataLoader(pin_memory=True)`."""
        del device
        return self.map(Tensor.pin_memory)

    def finish(self) -> Any:
        """The batch that networks take, on the device that this one is on."""
        raise NotImplementedError


def colors(image: UInt8[Tensor, "B H W C"]) -> Float[Tensor, "B C H W"]:
    """Float in [0, 1], channels-last in memory."""
    return image.permute(0, 3, 1, 2).float().div_(255)


def as_made(batch: RawBatch) -> RawBatch:
    """For loaders: the dataset's `__getitems__` has made the batch already."""
    return batch
