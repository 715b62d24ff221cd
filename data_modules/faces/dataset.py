"""Face crops with landmarks from any mixture of sources."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info
from xpress.data_modules.augment import Augment, canonical_crop, cut_flipped, to_grey
from xpress.data_modules.faces.negatives import cut_negative
from xpress.data_modules.raw_batch import RawBatch, colors
from xpress.data_modules.resumable import SeededRow

from xpress.batches import FaceBatch, FaceLabels
from xpress.errors import InputError
from xpress.morphable.blendshapes import TAUGHT_MIRROR, TAUGHT_SHAPES
from xpress.morphable.landmarks.landmark_names import MIRROR_68, MIRROR_CONTOURS
from xpress.packs.fitted_parameters import ParameterTable, move_pose
from xpress.packs.pixels import Pixels, SelectedPixels
from xpress.packs.records import FaceRecords
from xpress.structures import FaceParameters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FaceSource:
    """Rows of one origin with their pictures and, where known, their parameters.

    Attributes:
        records: labels.
        pixels: pictures by row.
        targets: parameters in pixels of the pictures.
        flipped_targets: those of the mirrored pictures.
        exact: rendered with exactly these parameters; such pictures are never mirrored, because
            a mirrored face has other coefficients.
        scores: of `blendshapes.TAUGHT_SHAPES` by another network, NaN where unknown.
    """

    records: FaceRecords
    pixels: Pixels
    targets: ParameterTable | None = None
    flipped_targets: ParameterTable | None = None
    exact: bool = False
    scores: Float32[np.ndarray, "N S"] | None = None

    @property
    def people(self) -> list[str]:
        """Who is shown in each row."""
        return self.records.people

    def select(self, rows: Int[np.ndarray, " M"]) -> FaceSource:
        """Some rows, with their parameters."""
        targets, flipped = (
            None if table is None else table.select(rows)
            for table in (self.targets, self.flipped_targets)
        )
        scores = None if self.scores is None else self.scores[rows]
        pixels = SelectedPixels(self.pixels, rows)
        records = self.records.select(rows)
        return FaceSource(records, pixels, targets, flipped, self.exact, scores)


@dataclass(frozen=True, kw_only=True)
class RawFaces(FaceLabels, RawBatch):
    """`FaceBatch` as workers hand it over."""

    image: UInt8[Tensor, "B H W 3"]

    def finish(self) -> FaceBatch:
        """Float RGB in [0, 1], channels-last in memory, on the device the batch is on."""
        labels = {name: getattr(self, name) for name in FaceLabels.__dataclass_fields__}
        return FaceBatch(image=colors(self.image), **labels)


class FaceDataset(Dataset):
    """Batches of crops; rows of all sources are numbered on end.

    `__getitems__` makes a whole batch at once: the workers' cost is the crop and the filters, not
    Python. A picture that fails to decode is replaced by the next row, named once and counted in
    `broken`.

    Args:
        sources: at least one.
        size: pixels of the crop's side.
        augment: how crops vary; None gives the canonical crop, unfiltered.
        negatives: share of crops that miss the face (never of `exact` sources).
        seed: of all random choices for rows that bring no seed of their own, as the `SeededRow`s of
            a `FaceSampler` do; workers add theirs to it.
    """

    def __init__(
        self,
        sources: Sequence[FaceSource],
        size: int = 128,
        augment: Augment | None = None,
        negatives: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not sources:
            raise InputError("data: no faces given; name at least one pack in `train`")
        self.sources = list(sources)
        self.size, self.augment, self.negatives, self.seed = size, augment, negatives, seed
        records = [source.records for source in sources]
        lengths = [len(r) for r in records]
        self._source = np.repeat(np.arange(len(sources)), lengths)
        self._row = np.concatenate([np.arange(n) for n in lengths])
        self.landmarks68 = np.concatenate([r.landmarks68 for r in records])
        self.contours = np.concatenate([r.contours for r in records])
        self.has_contours = np.concatenate([r.has_contours for r in records])
        self.color = np.concatenate([r.color for r in records])
        self.exact = np.repeat([source.exact for source in sources], lengths)
        self.identities, self.identity_index = _number([i for r in records for i in r.identities])
        self._boxes = np.concatenate([self.landmarks68.min(1), self.landmarks68.max(1)], 1)
        self._targets = _stack_targets(self.sources, [s.targets for s in sources])
        flipped = [source.flipped_targets for source in sources]
        self._flipped = _stack_targets(self.sources, flipped, like=self._targets)
        self.scores = _stack_scores(self.sources)
        # Shared between workers, so that a broken row is reported by one of them only.
        self._broken = torch.zeros(len(self), dtype=torch.bool).share_memory_().numpy()
        self.reseed(seed)

    def __len__(self) -> int:
        return len(self._row)

    @property
    def broken(self) -> int:
        """Rows found broken so far, by all workers."""
        return int(self._broken.sum())

    def reseed(self, seed: int) -> None:
        """Start all random choices anew."""
        self._rng = np.random.default_rng(seed)
        self._filters = self.augment.filters(seed % 2**32) if self.augment else None

    def __getitem__(self, index: int) -> RawFaces:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> RawFaces:
        """A batch; the rows may differ from `indices` where pictures are broken."""
        count, size = len(indices), self.size
        images = np.empty((count, size, size, 3), np.uint8)
        matrices = np.zeros((count, 2, 3))
        rows = np.zeros(count, np.int64)
        flips, present, color = np.zeros((3, count), bool)
        for i, index in enumerate(indices):
            self._follow(index)
            row, image = self._load(int(index))
            rows[i] = row
            present[i] = self.exact[row] or self._rng.random() >= self.negatives
            if present[i]:
                flips[i] = self._flip(row)
                crop, matrices[i] = self._cut(row, image, bool(flips[i]))
            else:
                crop = cut_negative(self._rng, image, self._boxes[row], size)
            images[i], color[i] = self._filter(row, crop)
        return self._assemble(images, rows, matrices, flips, present, color)

    def _follow(self, index: int) -> None:
        """What is random about a `SeededRow` is a function of its seed alone."""
        if isinstance(index, SeededRow):
            self._rng = np.random.default_rng(index.seed)
            if self._filters is not None:
                self._filters.set_random_state(self._rng, random.Random(index.seed))

    def _load(self, index: int) -> tuple[int, UInt8[np.ndarray, "H W 3"]]:
        for step in range(len(self)):
            row = (index + step) % len(self)
            if self._broken[row]:
                continue
            source = self.sources[self._source[row]]
            try:
                return row, source.pixels[int(self._row[row])]
            except InputError as error:
                self._broken[row] = True
                key = source.records.keys[self._row[row]]
                log.warning("%s: row %s is skipped (%s)", source.records.name, key, error)
        raise InputError("data: not one image of the data set can be decoded")

    def _flip(self, row: int) -> bool:
        if self.augment is None or self.exact[row]:
            return False
        return bool(self._rng.random() < self.augment.flip)

    def _cut(
        self, row: int, image: UInt8[np.ndarray, "H W 3"], flip: bool
    ) -> tuple[UInt8[np.ndarray, "S S 3"], Float[np.ndarray, "2 3"]]:
        if self.augment is None:
            crop = canonical_crop(self._boxes[row], self.size)
        else:
            crop = self.augment.crop(self._rng, self._boxes[row], self.size)
        return cut_flipped(image, crop, flip)

    def _filter(
        self, row: int, image: UInt8[np.ndarray, "S S 3"]
    ) -> tuple[UInt8[np.ndarray, "S S 3"], bool]:
        color = bool(self.color[row] > 0)
        if self.color[row] < 0:
            color = bool(np.ptp(image[::8, ::8].astype(np.int16), axis=2).max() > 8)
        if self.augment is None:
            return image, color
        if color and self.augment.grey > 0 and self._rng.random() < self.augment.grey:
            image, color = to_grey(image), False
        if self._filters is not None:
            image = self._filters(image=image)["image"]
        return image, color

    def _assemble(
        self,
        images: UInt8[np.ndarray, "B S S 3"],
        rows: Int[np.ndarray, " B"],
        matrices: Float[np.ndarray, "B 2 3"],
        flips: Bool[np.ndarray, " B"],
        present: Bool[np.ndarray, " B"],
        color: Bool[np.ndarray, " B"],
    ) -> RawFaces:
        landmarks, contours = self.landmarks68[rows], self.contours[rows]
        has_contours = self.has_contours[rows] & present
        if flips.any():
            width = np.array([self._width(row) for row in rows[flips].tolist()])
            landmarks[flips] = _mirror(landmarks[flips], width)[:, MIRROR_68]
            contours[flips] = _mirror(contours[flips], width)[:, MIRROR_CONTOURS]
        parameters, has_parameters = self._parameters(rows, matrices, flips, present)
        return RawFaces(
            image=torch.from_numpy(images),
            landmarks68=torch.from_numpy(_apply(matrices, landmarks, present)),
            contours=torch.from_numpy(_apply(matrices, contours, has_contours)),
            has_landmarks=torch.from_numpy(present.copy()),
            has_contours=torch.from_numpy(has_contours),
            color=torch.from_numpy(color & present),
            present=torch.from_numpy(present.copy()),
            identity_index=torch.from_numpy(np.where(present, self.identity_index[rows], -1)),
            parameters=parameters,
            has_parameters=torch.from_numpy(has_parameters),
            exact=torch.from_numpy(self.exact[rows] & has_parameters),
            scores=self._scores(rows, flips, present),
        )

    def _scores(
        self,
        rows: Int[np.ndarray, " B"],
        flips: Bool[np.ndarray, " B"],
        present: Bool[np.ndarray, " B"],
    ) -> Float[Tensor, "B S"] | None:
        if self.scores is None:
            return None
        scores = self.scores[rows]
        scores[flips] = scores[flips][:, TAUGHT_MIRROR]
        scores[~present] = np.nan
        return torch.from_numpy(scores)

    def _width(self, row: int) -> int:
        return self.sources[self._source[row]].pixels[int(self._row[row])].shape[1]

    def _parameters(
        self,
        rows: Int[np.ndarray, " B"],
        matrices: Float[np.ndarray, "B 2 3"],
        flips: Bool[np.ndarray, " B"],
        present: Bool[np.ndarray, " B"],
    ) -> tuple[FaceParameters | None, Bool[np.ndarray, " B"]]:
        if self._targets is None:
            return None, np.zeros(len(rows), bool)
        table = self._targets.select(rows)
        if flips.any():
            for name in ParameterTable.__dataclass_fields__:
                mirrored = getattr(self._flipped, name)[rows[flips]]
                getattr(table, name)[flips] = mirrored
        valid = table.valid & present
        matrices = np.where(valid[:, None, None], matrices, np.eye(2, 3))
        pose = move_pose(table.rotation, table.translation, table.scale, matrices)
        rotation, translation, scale = (torch.from_numpy(a.astype(np.float32)) for a in pose)

        def known(name: str) -> Float[Tensor, "B ..."]:
            values = getattr(table, name)
            return torch.from_numpy(values * valid.reshape(-1, *[1] * (values.ndim - 1)))

        parameters = FaceParameters(
            identity=known("identity"),
            expression=known("expression"),
            color=known("color"),
            illumination=known("illumination"),
            rotation=rotation,
            translation=translation,
            scale=scale,
        )
        return parameters, valid


def seed_worker(worker: int) -> None:
    """Give a worker its own random stream, and one thread for OpenCV."""
    del worker
    info = get_worker_info()
    cv2.setNumThreads(0)
    if info is not None and isinstance(info.dataset, FaceDataset):
        info.dataset.reseed(info.seed)


def _number(identities: list[str]) -> tuple[list[str], Int[np.ndarray, " N"]]:
    names = sorted({name for name in identities if name})
    index = {name: i for i, name in enumerate(names)}
    return names, np.array([index.get(name, -1) for name in identities], np.int64)


def _mirror(
    points: Float[np.ndarray, "B N 2"], width: Int[np.ndarray, " B"]
) -> Float[np.ndarray, "B N 2"]:
    return np.stack([width[:, None] - 1 - points[..., 0], points[..., 1]], -1)


def _apply(
    matrices: Float[np.ndarray, "B 2 3"],
    points: Float[np.ndarray, "B N 2"],
    valid: Bool[np.ndarray, " B"],
) -> Float32[np.ndarray, "B N 2"]:
    moved = np.einsum("bij,bnj->bni", matrices[:, :, :2], points) + matrices[:, None, :, 2]
    return np.where(valid[:, None, None], moved, 0).astype(np.float32)


def _stack_targets(
    sources: list[FaceSource],
    tables: list[ParameterTable | None],
    like: ParameterTable | None = None,
) -> ParameterTable | None:
    """All sources' targets on end, zero and not valid for sources without; None without any."""
    known = [table for table in tables if table is not None]
    first = like if like is not None else (known[0] if known else None)
    if first is None:
        return None
    color = max([first.color.shape[1], *(t.color.shape[1] for t in known)])
    widths = first.identity.shape[1], first.expression.shape[1], color
    filled = [
        ParameterTable.zeros(len(source.records), *widths) if table is None else table
        for source, table in zip(sources, tables, strict=True)
    ]
    return ParameterTable.cat(filled)


def _stack_scores(sources: list[FaceSource]) -> Float32[np.ndarray, "N S"] | None:
    """All sources' scores on end, NaN for sources without; None without any."""
    if all(source.scores is None for source in sources):
        return None
    empty = [(len(source.records), len(TAUGHT_SHAPES)) for source in sources]
    return np.concatenate(
        [
            np.full(shape, np.nan, np.float32) if source.scores is None else source.scores
            for source, shape in zip(sources, empty, strict=True)
        ]
    )
