"""Mouth crops with the hole between the lips."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import albumentations as A
import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset
from xpress.data_modules.augment import cut_flipped, to_grey
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.resumable import Draw, ResumableSampler

from xpress.batches import MouthBatch
from xpress.media.crop import Crop
from xpress.media.mouth_crop import MOUTH_RATIO, SIZE, hole_mask, mouth_crop
from xpress.morphable.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmark_weights import LIPS_INNER
from xpress.structures import ArrayStruct

INNER = np.array([int(np.flatnonzero(p == CONTOUR_MEDIAPIPE_INDEX)[0]) for p in LIPS_INNER])
"""Rows of the inner lips among the contour points, in order around the mouth."""
OUTER = slice(48, 60)
"""The outer lips among the 68 landmarks."""
LOCAL_MARGIN, LOCAL_SMALLEST = 1.0, (16.0, 8.0)
"""Pixels around the hole in the local discriminator's box, and the box's least width and height."""


@dataclass(frozen=True)
class MouthAugment:
    """How training crops differ from the canonical one.

    Attributes:
        ratio: range of the crop's side over the lips' width, log-uniform.
        shift: standard deviation of the crop's centre in sides (cut at 2.5 deviations).
        roll: largest roll in degrees.
        flip: probability of the mirror image.
        grey: probability of turning grey.
        photometric: multiplies the probabilities of the changes of colour.
        grow: range in pixels by which the hole grows (shrinks where negative), uniform; at
            inference its outline comes from a mesh.
        jolt: standard deviation in pixels of the hole's shift.
        wobble: standard deviation in pixels of each point of its outline.
    """

    ratio: Sequence[float] = (1.3, 1.75)
    shift: float = 0.03
    roll: float = 15.0
    flip: float = 0.5
    grey: float = 0.05
    photometric: float = 1.0
    grow: Sequence[float] = (-1.0, 2.5)
    jolt: float = 0.6
    wobble: float = 0.4

    def crop(self, rng: np.random.Generator, canonical: Crop) -> Crop:
        """A crop near the canonical one."""
        low, high = np.log(self.ratio[0] / MOUTH_RATIO), np.log(self.ratio[1] / MOUTH_RATIO)
        zoom, roll = rng.random(2)
        side = canonical.side * np.exp(low + (high - low) * zoom)
        x, y = np.array(canonical.center) + self.shift * side * rng.standard_normal(2).clip(
            -2.5, 2.5
        )
        angle = np.deg2rad(self.roll * (2 * roll - 1))
        return Crop((float(x), float(y)), float(side), canonical.size, float(angle))

    def hole(
        self, rng: np.random.Generator, contour: Float[np.ndarray, "N 2"], size: int
    ) -> UInt8[np.ndarray, "S S"]:
        """The hole, not quite where the lips are."""
        jolt = self.jolt * rng.standard_normal(2)
        wobble = self.wobble * rng.standard_normal(contour.shape)
        least, most = self.grow
        return hole_mask(contour + jolt + wobble, size, float(rng.uniform(least, most)))

    def filters(self) -> A.Compose:
        """Changes of colour; nothing that blurs, because the truth must stay sharp."""

        def p(value: float) -> float:
            return min(value * self.photometric, 1.0)

        return A.Compose(
            [
                A.RandomBrightnessContrast(0.25, 0.2, p=p(0.5)),
                A.RandomGamma((70, 140), p=p(0.3)),
                A.HueSaturationValue(8, 30, 15, p=p(0.4)),
                A.RGBShift(12, 12, 12, p=p(0.2)),
            ],
            is_check_shapes=False,
        )


@dataclass(frozen=True)
class RawMouths(ArrayStruct):
    """`MouthBatch` as workers hand it over: uint8 RGB (B, H, W, 3) and holes."""

    image: UInt8[Tensor, "B H W 3"]
    hole: UInt8[Tensor, "B H W"]
    distance: Float[Tensor, "B H W"]
    box: Float[Tensor, "B 4"]
    row: Int[Tensor, " B"]

    def __len__(self) -> int:
        return self.image.shape[0]

    def pin_memory(self, device: str | None = None) -> RawMouths:
        """Called by `DataLoader(pin_memory=True)`."""
        del device
        return self.map(Tensor.pin_memory)

    def finish(self) -> MouthBatch:
        """Floats in [0, 1], channels-last in memory, on the device the batch is on."""
        image = self.image.permute(0, 3, 1, 2).float().div_(255)
        hole, distance = self.hole[:, None].float(), self.distance[:, None]
        return MouthBatch(image, hole, distance, self.box, self.row)


class MouthDataset(Dataset):
    """Batches of mouth crops; rows of all sources are numbered on end.

    Args:
        sources: labelled pictures whose contours are known, at least one.
        size: pixels of the crop's side.
        augment: how crops vary; None gives the canonical crop with the labelled hole.
        seed: of random choices for rows that carry no seed of their own.
    """

    def __init__(
        self,
        sources: Sequence[FaceSource],
        size: int = SIZE,
        augment: MouthAugment | None = None,
        seed: int = 0,
    ) -> None:
        self.sources, self.size, self.augment = list(sources), size, augment
        records = [source.records for source in sources]
        lengths = [len(r) for r in records]
        self._source = np.repeat(np.arange(len(records)), lengths)
        self._row = np.concatenate([np.arange(n) for n in lengths])
        self.lips = np.concatenate([r.landmarks68[:, OUTER] for r in records])
        self.inner = np.concatenate([r.contours[:, INNER] for r in records])
        self._filters = augment.filters() if augment else None
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._row)

    def openings(self) -> Float[np.ndarray, " N"]:
        """Area of each hole over the lips' width squared."""
        return opening(self.lips, self.inner)

    def __getitem__(self, index: int) -> RawMouths:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawMouths:
        """A batch."""
        made = [self._make(index) for index in indices]
        image, hole, distance, box = (
            torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True)
        )
        row = torch.tensor([int(index) for index in indices])
        return RawMouths(image, hole, distance, box, row)

    def _make(self, index: int) -> tuple[np.ndarray, ...]:
        row, size = int(index), self.size
        source = self.sources[self._source[row]]
        image = source.pixels[int(self._row[row])]
        crop = mouth_crop(self.lips[row], MOUTH_RATIO, size)
        if self.augment is None:
            pixels, matrix = cut_flipped(image, crop, False)
            hole = hole_mask(_move(self.inner[row], matrix), size)
        else:
            pixels, hole = self._vary(index, image, crop, row)
        return pixels, hole, *surroundings(hole)

    def _vary(self, index, image, crop, row) -> tuple[np.ndarray, np.ndarray]:
        assert self.augment is not None
        assert self._filters is not None
        rng = self._rng
        if isinstance(index, Draw):
            rng = np.random.default_rng(index.seed)
            self._filters.set_random_state(rng, random.Random(index.seed))
        flip = bool(rng.random() < self.augment.flip)
        pixels, matrix = cut_flipped(image, self.augment.crop(rng, crop), flip)
        inner = self.inner[row]
        if flip:
            inner = inner * (-1, 1) + (image.shape[1] - 1, 0)
        hole = self.augment.hole(rng, _move(inner, matrix), self.size)
        if rng.random() < self.augment.grey:
            pixels = to_grey(pixels)
        return self._filters(image=pixels)["image"], hole


def as_made(batch: RawMouths) -> RawMouths:
    """For loaders: `MouthDataset.__getitems__` has made the batch already."""
    return batch


class MouthSampler(ResumableSampler):
    """Mouths in proportion to weights, drawn with replacement.

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


def opening(
    lips: Float[np.ndarray, "N M 2"], inner: Float[np.ndarray, "N K 2"]
) -> Float[np.ndarray, " N"]:
    """Area between the lips (shoelace formula) over the squared width of the lips."""
    x, y = inner[..., 0], inner[..., 1]
    area = np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1)) / 2
    width = np.ptp(lips[..., 0], axis=1)
    return area / np.maximum(width, 1e-6) ** 2


def is_open(
    lips: Float[np.ndarray, "N M 2"],
    inner: Float[np.ndarray, "N K 2"],
    least_opening: float,
    least_width: float,
) -> Bool[np.ndarray, " N"]:
    """Which mouths are open and large enough to show something."""
    return (opening(lips, inner) >= least_opening) & (np.ptp(lips[..., 0], axis=1) >= least_width)


def surroundings(
    hole: UInt8[np.ndarray, "S S"],
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, " 4"]]:
    """Each pixel's distance to the hole's edge, and the box tight around the hole (xyxy)."""
    inside = cv2.distanceTransform(hole, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - hole, cv2.DIST_L2, 3)
    distance = np.maximum(inside, outside) - 0.5
    x, y, width, height = cv2.boundingRect(hole)
    if width == 0:
        x, y = hole.shape[1] // 2, hole.shape[0] // 2
    size = np.array([width, height]) + 2 * LOCAL_MARGIN
    half = np.maximum(size, LOCAL_SMALLEST) / 2
    center = np.array([x + width / 2, y + height / 2])
    box = np.concatenate([center - half, center + half])
    return distance.astype(np.float32), box.astype(np.float32)


def _move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]
