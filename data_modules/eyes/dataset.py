"""Pairs of crops of one eye: a reference, and how the eye is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset
from xpress.data_modules.eyes.rows import EyeRows
from xpress.data_modules.raw_batch import RawBatch, colors
from xpress.data_modules.resumable import row_generator

from xpress.batches import EyeBatch
from xpress.media.eye_crop import (
    EYE_WIDTH,
    HEIGHT,
    WIDTH,
    cut_eye,
    eye_matrix,
    iris_map,
    lid_flow,
    lid_map,
    painted_region,
    transform,
)

EyePair = tuple[
    UInt8[np.ndarray, "H W 3"],
    UInt8[np.ndarray, "H W 3"],
    Float[np.ndarray, "4 H W"],
    Float[np.ndarray, "H W 2"],
]
"""Truth, reference, maps and flow."""
EyeGeometry = tuple[Float[np.ndarray, "16 2"], Float[np.ndarray, " 2"], float]
"""Lids, iris centre and radius in pixels of a crop."""

SHUT, OPEN = 0.06, 0.14
"""Area between the lids over the squared width: closed below, open above."""
KINDS = ("closed", "open", "reopened")
"""What evaluation tells apart: an open eye as reference for a shut one, an open one for an open
one, a shut one for an open one."""


@dataclass(frozen=True)
class EyeAugment:
    """How training pairs vary. The fits of a face model, which tell lids and iris at inference,
    are wrong in the same way for the reference and for what is wanted: these errors are both's.

    Attributes:
        zoom: range of the content's size, log-uniform.
        shift: standard deviation of its place, eye widths.
        roll: standard deviation of its turn, radians.
        apart: shift and roll of the reference against the truth, over those of both.
        offset: standard deviation of the lids' error in place, eye widths.
        gap: of the logarithm of the opening's error in size.
        bend: of the error of the lids' curvature, eye widths.
        width: of the logarithm of their error in width.
        tilt: of their error in direction, radians.
        iris: of the iris's error in place beside the lids', eye widths.
        small: share of pairs that are shown as small eyes.
        photometric: share of pairs whose colours change.
        grey: share of pairs without colour.
        same: share of pairs whose reference is the truth itself.
    """

    zoom: Sequence[float] = (0.78, 1.13)
    shift: float = 0.03
    roll: float = 0.06
    apart: float = 0.4
    offset: float = 0.045
    gap: float = 0.15
    bend: float = 0.03
    width: float = 0.06
    tilt: float = 0.05
    iris: float = 0.07
    small: float = 0.35
    photometric: float = 0.7
    grey: float = 0.05
    same: float = 0.1


@dataclass(frozen=True)
class RawEyes(RawBatch):
    """`EyeBatch` as workers hand it over: uint8 RGB (B, H, W, 3)."""

    image: UInt8[Tensor, "B H W 3"]
    reference: UInt8[Tensor, "B H W 3"]
    maps: Float[Tensor, "B 4 H W"]
    flow: Float[Tensor, "B H W 2"]
    row: Int[Tensor, " B"]

    def finish(self) -> EyeBatch:
        """Floats in [0, 1], channels-last in memory, on the device the batch is on."""
        image, reference = colors(self.image), colors(self.reference)
        region = torch.from_numpy(painted_region()).to(image).expand(len(self), 1, -1, -1)
        flow = self.flow.permute(0, 3, 1, 2)
        return EyeBatch(image, reference, self.maps, flow, region, self.row)


class EyeDataset(Dataset):
    """Pairs for training: each row is wanted once, with another picture of its eye beside it.

    Args:
        rows: labelled eyes.
        augment: how pairs vary.
        seed: of random choices for rows that carry no seed of their own.
    """

    def __init__(self, rows: EyeRows, augment: EyeAugment | None = None, seed: int = 0) -> None:
        self.rows, self.augment = rows, augment or EyeAugment()
        self.open = rows.openings()
        order = np.argsort(rows.eye, kind="stable")
        starts = np.flatnonzero(np.diff(rows.eye[order], prepend=-1))
        self._pictures = dict(
            zip(rows.eye[order[starts]].tolist(), np.split(order, starts[1:]), strict=True)
        )
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> RawEyes:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawEyes:
        """A batch."""
        return stacked([self._make(index) for index in indices], indices)

    def _make(self, index: int) -> EyePair:
        rng, row = row_generator(index, self._rng), int(index)
        return _varied(self.rows, self._reference(rng, row), row, self.augment, rng)

    def _reference(self, rng: np.random.Generator, row: int) -> int:
        """Mostly an open eye: so it is in most photographs."""
        if rng.random() < self.augment.same:
            return row
        pictures = self._pictures[int(self.rows.eye[row])]
        weights = np.where(self.open[pictures] < SHUT, 0.25, 1.0)
        return int(rng.choice(pictures, p=weights / weights.sum()))


class EyePairs(Dataset):
    """Fixed pairs for evaluation, as they are labelled.

    Args:
        rows: labelled eyes.
        kind: of `KINDS`.
        limit: pairs at most; a seeded choice.
    """

    def __init__(self, rows: EyeRows, kind: str, limit: int = 400) -> None:
        self.rows = rows
        area = rows.openings()
        of_reference = area <= SHUT if kind == "reopened" else area >= OPEN
        of_truth = area <= SHUT if kind == "closed" else area >= OPEN
        rng = np.random.default_rng(0)
        pairs = []
        for row in rng.permutation(np.flatnonzero(of_truth)):
            others = np.flatnonzero((rows.eye == rows.eye[row]) & of_reference)
            others = others[others != row]
            if len(others):
                pairs.append((int(rng.choice(others)), int(row)))
        self.pairs = pairs[:limit]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> RawEyes:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawEyes:
        """A batch."""
        return stacked([_plain(self.rows, *self.pairs[index]) for index in indices], indices)


def stacked(made: Sequence[EyePair], indices: Sequence[int]) -> RawEyes:
    """A batch of truths, references, maps and flows."""
    image, reference, maps, flow = (
        torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True)
    )
    return RawEyes(image, reference, maps, flow, torch.tensor([int(index) for index in indices]))


def _plain(rows: EyeRows, reference: int, truth: int) -> EyePair:
    crops, geometry = [], []
    for row in (reference, truth):
        lids = rows.lids[row]
        matrix = eye_matrix(lids[0], lids[8], bool(rows.left[row]))
        crops.append(cut_eye(rows.images[row], matrix))
        geometry.append(_moved(rows, row, matrix))
    return crops[1], crops[0], *_told(*geometry)


def _varied(
    rows: EyeRows, reference: int, truth: int, augment: EyeAugment, rng: np.random.Generator
) -> EyePair:
    zoom = np.exp(rng.uniform(*np.log(augment.zoom)))
    shift, roll = augment.shift * rng.standard_normal(2), augment.roll * rng.standard_normal()
    error = _geometry_error(augment, rng)
    crops, geometry = [], []
    for row in (reference, truth):
        lids, at, turn = rows.lids[row], shift, roll
        if row != truth:  # heads move between two frames
            at = shift + augment.apart * augment.shift * rng.standard_normal(2)
            turn = roll + augment.apart * augment.roll * rng.standard_normal()
        matrix = eye_matrix(
            lids[0], lids[8], bool(rows.left[row]), zoom=float(zoom), shift=at, roll=float(turn)
        )
        crops.append(cut_eye(rows.images[row], matrix))
        geometry.append(error(*_moved(rows, row, matrix)))
    first, second = _recolored(np.stack(crops), augment, rng)
    return second, first, *_told(*geometry)


def _moved(rows: EyeRows, row: int, matrix: Float[np.ndarray, "2 3"]) -> EyeGeometry:
    """Lids, iris centre and radius in pixels of a crop."""
    iris = transform(matrix, rows.iris[row])
    radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).max())
    return transform(matrix, rows.lids[row]), iris[0], radius


def _geometry_error(augment: EyeAugment, rng: np.random.Generator):
    """One error of lids and iris, to be made for both crops of a pair."""
    offset = augment.offset * EYE_WIDTH * rng.standard_normal(2)
    beside = augment.iris * EYE_WIDTH * rng.standard_normal(2)
    gap, size = np.exp(augment.gap * rng.standard_normal()), np.exp(0.08 * rng.standard_normal())
    bend = augment.bend * EYE_WIDTH * rng.standard_normal()
    wider = np.exp(augment.width * rng.standard_normal())
    slope = augment.tilt * rng.standard_normal()

    def err(lids: Float[np.ndarray, "16 2"], iris: Float[np.ndarray, " 2"], radius: float):
        upper, lower = lids[1:8], lids[9:][::-1]
        middle = (upper + lower) / 2
        lids = lids.copy()
        lids[1:8] = middle + gap * (upper - middle)
        lids[9:] = (middle + gap * (lower - middle))[::-1]
        across = 2 * (lids[:, 0] - lids[:, 0].mean()) / max(np.ptp(lids[:, 0]), 1e-3)
        lids[:, 1] += bend * (1 - across**2).clip(0)
        beyond = lids[:, 0] - lids[:, 0].mean()
        lids += np.column_stack([(wider - 1) * beyond, slope * beyond])
        return lids + offset, iris + offset + beside, radius * size

    return err


def _recolored(
    crops: UInt8[np.ndarray, "2 H W 3"], augment: EyeAugment, rng: np.random.Generator
) -> UInt8[np.ndarray, "2 H W 3"]:
    """Both crops smaller, in other light or without colour."""
    if rng.random() < augment.small:
        share = rng.uniform(0.35, 0.9)
        size = max(int(WIDTH * share), 8), max(int(HEIGHT * share), 6)
        shrunk = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA) for crop in crops]
        crops = np.stack(
            [cv2.resize(c, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for c in shrunk]
        )
    if rng.random() < augment.photometric:
        gain = np.exp(0.08 * rng.standard_normal(3) + 0.2 * rng.standard_normal())
        gamma = np.exp(0.2 * rng.standard_normal())
        levels = np.arange(256)[:, None] / 255
        table = (255 * levels**gamma * gain).clip(0, 255).round().astype(np.uint8)
        crops = np.stack([table[crops[..., n], n] for n in range(3)], axis=-1)
    if rng.random() < augment.grey:
        grey = crops @ np.array([0.299, 0.587, 0.114])
        crops = np.repeat(grey[..., None], 3, axis=-1).round().astype(np.uint8)
    return crops


def _told(
    reference: EyeGeometry, wanted: EyeGeometry
) -> tuple[Float[np.ndarray, "4 H W"], Float[np.ndarray, "H W 2"]]:
    """Maps and flow from lids, iris centre and radius."""
    pairs = [(lid_map(lids), iris_map(at, size)) for lids, at, size in (reference, wanted)]
    flow = lid_flow(reference[0], wanted[0], wanted[1] - reference[1])
    return np.stack([m for pair in pairs for m in pair]), flow
