"""The batch as workers hand it over: pictures still uint8, a quarter of the bytes to move."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from xpress.batches import FaceBatch
from xpress.structures import ArrayStruct, FaceParameters


@dataclass(frozen=True)
class RawFaces(ArrayStruct):
    """`FaceBatch` with `image` as uint8 RGB (B, H, W, 3); the other fields are the same."""

    image: UInt8[Tensor, "B H W 3"]
    landmarks68: Float[Tensor, "B 68 2"]
    contours: Float[Tensor, "B 138 2"]
    has_landmarks: Bool[Tensor, " B"]
    has_contours: Bool[Tensor, " B"]
    color: Bool[Tensor, " B"]
    present: Bool[Tensor, " B"]
    identity_index: Int[Tensor, " B"]
    parameters: FaceParameters | None
    has_parameters: Bool[Tensor, " B"]
    exact: Bool[Tensor, " B"]
    scores: Float[Tensor, "B S"] | None = None

    def __len__(self) -> int:
        return self.image.shape[0]

    def pin_memory(self, device: str | None = None) -> RawFaces:
        """Called by `DataLoader(pin_memory=True)`."""
        del device
        return self.map(Tensor.pin_memory)

    def finish(self) -> FaceBatch:
        """Float RGB in [0, 1], channels-last in memory, on the device the batch is on."""
        image = self.image.permute(0, 3, 1, 2).float().div_(255)
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return FaceBatch(**{**values, "image": image})
