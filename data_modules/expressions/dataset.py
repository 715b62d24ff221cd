"""Face crops with action units, wanted action units and, in some rows, a teacher's edit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Shaped, UInt8
from torch import Tensor
from torch.utils.data import Dataset
from xpress.data_modules.augment import A, Augment, canonical_crop, cut_flipped
from xpress.data_modules.expressions.rows import ExpressionRows
from xpress.data_modules.raw_batch import RawBatch, colors
from xpress.data_modules.resumable import SeededRow, row_generator

from xpress.batches import ExpressionBatch
from xpress.packs.edit_pairs import PairRows, cut_flow


@dataclass(frozen=True)
class ExpressionAugment(Augment):
    """Small moves and changes of colour; nothing that hides or blurs, which an editor would learn.

    The labels stay: action units have no sides, and the crops stay near the canonical one.
    """

    ratio: Sequence[float] = (1.4, 1.6)
    shift: float = 0.02
    roll: float = 8.0
    flip: float = 0.5
    grey: float = 0.0
    photometric: float = 1.0

    def filters(self, seed: int) -> A.Compose | None:
        """Changes of colour with their own random state, or None where they are off."""
        if self.photometric <= 0:
            return None

        def p(value: float) -> float:
            return min(value * self.photometric, 1.0)

        changes = [
            A.RandomBrightnessContrast(0.15, 0.15, p=p(0.4)),
            A.RandomGamma((80, 125), p=p(0.2)),
            A.HueSaturationValue(4, 20, 10, p=p(0.3)),
            A.RGBShift(8, 8, 8, p=p(0.15)),
        ]
        return A.Compose(changes, is_check_shapes=False, seed=seed)


@dataclass(frozen=True)
class RawExpressions(RawBatch):
    """`ExpressionBatch` as workers hand it over: uint8 RGB (B, H, W, 3), flow (B, H, W, 2)."""

    image: UInt8[Tensor, "B H W 3"]
    action_units: Float[Tensor, "B 17"]
    target_units: Float[Tensor, "B 17"]
    row: Int[Tensor, " B"]
    edited: UInt8[Tensor, "B H W 3"] | None
    flow: Float[Tensor, "B H W 2"] | None
    has_teacher: Bool[Tensor, " B"]

    def finish(self) -> ExpressionBatch:
        """Floats in [0, 1], channels-last in memory, on the device the batch is on."""
        return ExpressionBatch(
            image=colors(self.image),
            action_units=self.action_units,
            target_units=self.target_units,
            row=self.row,
            edited=None if self.edited is None else colors(self.edited),
            flow=None if self.flow is None else self.flow.permute(0, 3, 1, 2).float(),
            has_teacher=self.has_teacher,
        )


class ExpressionDataset(Dataset):
    """Batches of crops; rows of all sources are numbered on end, pairs of the teacher after them.

    Args:
        sources: faces with action units.
        size: pixels of the crop's side.
        augment: how crops vary; None gives the canonical crop, whose wanted action units are
            those of another face, fixed by `seed` and row.
        pairs: edits to learn from; their wanted action units are the edited picture's.
        noise: largest change of a wanted action unit in training.
        chance: weights of the rows of `sources` whose action units are wanted; equal by default.
        seed: of all random choices for rows that bring no seed of their own.
    """

    def __init__(
        self,
        sources: Sequence[ExpressionRows],
        size: int = 96,
        augment: ExpressionAugment | None = None,
        pairs: PairRows | None = None,
        noise: float = 0.1,
        chance: Float[np.ndarray, " N"] | None = None,
        seed: int = 0,
    ) -> None:
        self.sources, self.size, self.augment = list(sources), size, augment
        self.pairs, self.noise, self.seed = pairs, noise, seed
        lengths = [len(source) for source in sources]
        self._source = np.repeat(np.arange(len(lengths)), lengths)
        self._row = np.concatenate([np.arange(n) for n in lengths])
        self.units = np.concatenate([source.units for source in sources])
        self.landmarks68 = np.concatenate([source.records.landmarks68 for source in sources])
        self._boxes = np.concatenate([self.landmarks68.min(1), self.landmarks68.max(1)], 1)
        weights = np.ones(self.faces) if chance is None else chance
        self._chance = np.cumsum(weights) / np.sum(weights)
        self._rng = np.random.default_rng(seed)
        self._filters = augment.filters(seed % 2**32) if augment else None

    @property
    def faces(self) -> int:
        """Rows that are no pairs."""
        return len(self._row)

    def __len__(self) -> int:
        return self.faces + (len(self.pairs) if self.pairs else 0)

    def __getitem__(self, index: int) -> RawExpressions:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawExpressions:
        """A batch."""
        made = [self._make(index) for index in indices]
        image, units, target, edited, flow = zip(*made, strict=True)
        taught = [index >= self.faces for index in indices]

        def stack(column: Sequence) -> Shaped[Tensor, "B ..."]:
            return torch.from_numpy(np.stack(column))

        return RawExpressions(
            image=stack(image),
            action_units=stack(units),
            target_units=stack(target),
            row=torch.tensor([int(index) for index in indices]),
            edited=stack(edited) if self.pairs else None,
            flow=stack(flow) if self.pairs else None,
            has_teacher=torch.tensor(taught),
        )

    def _make(
        self, index: int
    ) -> tuple[
        UInt8[np.ndarray, "S S 3"],
        Float32[np.ndarray, "17"],
        Float32[np.ndarray, "17"],
        UInt8[np.ndarray, "S S 3"] | None,
        Float32[np.ndarray, "S S 2"] | None,
    ]:
        rng = row_generator(index, self._rng)
        if isinstance(index, SeededRow) and self._filters is not None:
            self._filters.set_random_state(rng, random.Random(index.seed))
        if int(index) >= self.faces:
            return self._make_pair(int(index) - self.faces, rng)
        row = int(index)
        source = self.sources[self._source[row]]
        image = source.pixels[int(self._row[row])]
        crop, flip = canonical_crop(self._boxes[row], self.size), False
        if self.augment is not None:
            flip = bool(rng.random() < self.augment.flip)
            crop = self.augment.crop(rng, self._boxes[row], self.size)
        pixels = self._colored(cut_flipped(image, crop, flip)[0])
        target = self._target(row, rng)
        if self.pairs is None:
            return pixels, self.units[row], target, None, None
        still = np.zeros((self.size, self.size, 2), np.float32)
        return pixels, self.units[row], target, pixels, still

    def _make_pair(
        self, row: int, rng: np.random.Generator
    ) -> tuple[
        UInt8[np.ndarray, "S S 3"],
        Float32[np.ndarray, "17"],
        Float32[np.ndarray, "17"],
        UInt8[np.ndarray, "S S 3"],
        Float32[np.ndarray, "S S 2"],
    ]:
        pairs = self.pairs
        assert pairs is not None
        image, edited = pairs.pixels[row], pairs.edited[row]
        crop, flip = canonical_crop(pairs.boxes[row], self.size), False
        if self.augment is not None:
            flip = bool(rng.random() < self.augment.flip)
            crop = self.augment.crop(rng, pairs.boxes[row], self.size)
        both = [cut_flipped(picture, crop, flip)[0] for picture in (image, edited)]
        # Side by side, so that one change of colour is drawn for both.
        pixels, edited = np.split(self._colored(np.concatenate(both, axis=1)), 2, axis=1)
        flow = cut_flow(pairs.flow[row], image.shape[1], crop, flip)
        return pixels, pairs.units[row], pairs.edited_units[row], edited, flow

    def _colored(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
        return image if self._filters is None else self._filters(image=image)["image"]

    def _target(self, row: int, rng: np.random.Generator) -> Float32[np.ndarray, "17"]:
        """Action units of another face, in training with bounded noise."""
        if self.augment is None:
            rng = np.random.default_rng((self.seed, row))
        other = int(np.searchsorted(self._chance, rng.random()))
        other = (other + (other == row)) % self.faces
        target = self.units[other]
        if self.augment is not None:
            target = target + rng.uniform(-self.noise, self.noise, len(target))
        return target.clip(0, 1).astype(np.float32)
