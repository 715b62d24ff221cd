"""Mouth crops with the hole between the lips."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset
from xpress.data_modules.augment import to_grey
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.mouths.augmentation import LAYERS, MouthAugment
from xpress.data_modules.mouths.references import clips_of, teeth_of
from xpress.data_modules.raw_batch import RawBatch, colors
from xpress.data_modules.resumable import SeededRow

from xpress.batches import MouthBatch
from xpress.media.crop import Crop
from xpress.media.mouth_crop import (
    MOUTH_RATIO,
    SIZE,
    hole_mask,
    mouth_crop,
    reference_layers,
    shown_teeth,
    teeth_masks,
)
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.landmarks.landmark_weights import LIPS_INNER

INNER = np.array([int(np.flatnonzero(p == CONTOUR_MEDIAPIPE_INDEX)[0]) for p in LIPS_INNER])
"""Rows of the inner lips among the contour points, in order around the mouth."""
OUTER = slice(48, 60)
"""The outer lips among the 68 landmarks."""
LOCAL_MARGIN, LOCAL_SMALLEST = 1.0, (16.0, 8.0)
"""Pixels around the hole in the local discriminator's box, and the box's least width and height."""

CHOICE = 3
"""Rows of a clip among which a reference is chosen: a short video shows fewer teeth."""
EDGE = 1.5
"""Pixels from the lips of a reference that are not shown: labels are not exact."""


@dataclass(frozen=True)
class RawMouths(RawBatch):
    """`MouthBatch` as workers hand it over: everything uint8, pictures (B, H, W, 3)."""

    image: UInt8[Tensor, "B H W 3"]
    hole: UInt8[Tensor, "B H W"]
    distance: Float[Tensor, "B H W"]
    box: Float[Tensor, "B 4"]
    teeth: UInt8[Tensor, "B 2 H W"]
    reference: UInt8[Tensor, "B 2 H W 4"]
    row: Int[Tensor, " B"]

    def finish(self) -> MouthBatch:
        """Floats in [0, 1], channels-last in memory, on the device the batch is on."""
        hole, distance = self.hole[:, None].float(), self.distance[:, None]
        teeth = self.teeth.float().div_(255)
        reference = self.reference.permute(0, 1, 4, 2, 3).flatten(1, 2).float().div_(255)
        return MouthBatch(colors(self.image), hole, distance, self.box, teeth, reference, self.row)


class MouthDataset(Dataset):
    """Batches of mouth crops; rows of all sources are numbered on end.

    Args:
        sources: labelled pictures whose contours are known, at least one; where the teeth are
            follows from their parameters, if they have any.
        size: pixels of the crop's side.
        augment: how crops vary; None gives the canonical crop with the labelled hole and, as the
            reference, the clip's other row that shows most of the teeth.
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
        self.teeth = np.concatenate([teeth_of(source) for source in self.sources])
        self._clips = clips_of(records, np.isfinite(self.teeth).all((1, 2, 3, 4)))
        self._teeth_shown: dict[int, float] = {}
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
        columns = [torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True)]
        row = torch.tensor([int(index) for index in indices])
        return RawMouths(*[*columns, row])

    def _make(
        self, index: int
    ) -> tuple[
        UInt8[np.ndarray, "S S 3"],
        UInt8[np.ndarray, "S S"],
        Float[np.ndarray, "S S"],
        Float[np.ndarray, " 4"],
        UInt8[np.ndarray, "2 S S"],
        UInt8[np.ndarray, "2 S S 4"],
    ]:
        row, size = int(index), self.size
        crop = mouth_crop(self.lips[row], MOUTH_RATIO, size)
        if self.augment is None:
            hole = hole_mask(crop.to_crop(self.inner[row]), size)
            teeth = crop.to_crop(self.teeth[row])
            reference = self._reference(self._most_teeth(self._others(row)), teeth)
            pixels = crop.cut(self._picture(row))
        else:
            pixels, hole, teeth, reference = self._vary(index, crop, row)
        return pixels, hole, *surroundings(hole), teeth_masks(teeth, size), reference

    def _picture(self, row: int) -> UInt8[np.ndarray, "H W 3"]:
        return self.sources[self._source[row]].pixels[int(self._row[row])]

    def _vary(
        self, index, crop, row
    ) -> tuple[
        UInt8[np.ndarray, "S S 3"],
        UInt8[np.ndarray, "S S"],
        Float[np.ndarray, "2 2 N 2"],
        UInt8[np.ndarray, "2 S S 4"],
    ]:
        assert self.augment is not None
        assert self._filters is not None
        rng = self._rng
        if isinstance(index, SeededRow):
            rng = np.random.default_rng(index.seed)
            self._filters.set_random_state(rng, random.Random(index.seed))
        flip = bool(rng.random() < self.augment.flip)
        crop = self.augment.crop(rng, crop)
        hole = self.augment.hole(rng, crop.to_crop(self.inner[row]), self.size)
        teeth = self.augment.teeth(rng, crop.to_crop(self.teeth[row]))
        reference = self._reference(self._partner(rng, row), teeth)
        pictures = {"image": crop.cut(self._picture(row))}
        pictures |= {name: layer[..., :3] for name, layer in zip(LAYERS, reference, strict=True)}
        if rng.random() < self.augment.grey:
            pictures = {name: to_grey(picture) for name, picture in pictures.items()}
        pictures = self._filters(**pictures)
        for name, layer in zip(LAYERS, reference, strict=True):
            layer[..., :3] = np.where(layer[..., 3:] > 0, pictures[name], 0)
        if flip:
            middle = self.size - 1
            teeth = teeth * (-1, 1) + (middle, 0)
            hole, reference = hole[:, ::-1], reference[:, :, ::-1]
            pictures["image"] = pictures["image"][:, ::-1]
        made = pictures["image"], hole, teeth, reference
        image, hole, teeth, reference = (np.ascontiguousarray(array) for array in made)
        return image, hole, teeth, reference

    def _reference(
        self, partner: int | None, teeth: Float[np.ndarray, "2 2 N 2"]
    ) -> UInt8[np.ndarray, "2 S S 4"]:
        """What another row shows between its lips, laid on the wanted rows of teeth."""
        if partner is None or not np.isfinite(teeth).all():
            return np.zeros((2, self.size, self.size, 4), np.uint8)
        # Cut upright first, so that a large picture does not alias.
        crop = mouth_crop(self.lips[partner], MOUTH_RATIO, self.size)
        pixels, inside = self._inside(partner, crop)
        shown = np.dstack([pixels, np.full_like(inside, 255)]) * inside[..., None]
        return reference_layers(shown, crop.to_crop(self.teeth[partner]), teeth, self.size)

    def _inside(
        self, row: int, crop: Crop
    ) -> tuple[UInt8[np.ndarray, "S S 3"], UInt8[np.ndarray, "S S"]]:
        """A row's crop, and one safely between its lips."""
        inside = hole_mask(crop.to_crop(self.inner[row]), crop.size, -EDGE)
        return crop.cut(self._picture(row)), inside

    def _partner(self, rng: np.random.Generator, row: int) -> int | None:
        """Of some other rows of the clip the one that shows most of the teeth, or nobody."""
        assert self.augment is not None
        others = self._others(row)
        alone = rng.random() < self.augment.alone
        some = rng.integers(max(len(others), 1), size=CHOICE)
        return None if alone or not len(others) else self._most_teeth(others[some])

    def _most_teeth(self, rows: Int[np.ndarray, " M"]) -> int | None:
        return max(rows.tolist(), key=self._shown_teeth, default=None)

    def _others(self, row: int) -> Int[np.ndarray, " M"]:
        clip = self._clips.get(row, np.zeros(0, int))
        return clip[clip != row]

    def _shown_teeth(self, row: int) -> float:
        if row not in self._teeth_shown:
            crop = mouth_crop(self.lips[row], MOUTH_RATIO, self.size)
            self._teeth_shown[row] = shown_teeth(*self._inside(row, crop), crop.size / MOUTH_RATIO)
        return self._teeth_shown[row]


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
