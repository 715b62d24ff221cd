"""Rendered faces whose parameters are known exactly."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Subset
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.dataset import FaceDataset, FaceSource, RawFaces, seed_worker
from xpress.data_modules.raw_batch import as_made
from xpress.data_modules.resumable import ResumableLoader, ResumableSampler, resumable_loader
from xpress.data_modules.synthetic.cache import load_cache, recipe_of, render_cache
from xpress.data_modules.synthetic.scene import SceneRenderer

from xpress.batches import FaceBatch
from xpress.errors import InputError
from xpress.morphable.model import MorphableModel
from xpress.packs import read_records
from xpress.packs.fitted_parameters import load_expressions
from xpress.packs.records import decode

Path_ = str | os.PathLike

_VERSION = 1
"""Raised whenever the same recipe would give other pictures."""


class SyntheticFacesDataModule(LightningDataModule):
    """Faces of the morphable model with random identity, expression, pose, light and background.

    They are rendered once, into a folder, and then cropped and filtered like photographs. In the
    batches `exact` and `has_parameters` are set. Alone it trains and validates on rendered faces;
    given to `LandmarkFacesDataModule(synthetic=…)` it fills a share of each batch.

    Args:
        morphable: file of the face model; None takes the model of the package.
        cache: folder for the rendered faces; rendered anew when any argument that matters changes.
        count: number of faces.
        size: pixels of the rendered square picture.
        fits: safetensors of fitted parameters whose expressions are drawn from as well.
        backgrounds: packs, CSV files or folders whose pictures lend blurred backgrounds.
        processes: how many render.
        image_size: pixels of the square crop.
        batch_size: of its own loaders.
        num_workers: of its own training loader.
        holdout: share of the faces for validation when it is used alone.
        augment: how training crops vary.
        seed: of everything random.

    Attributes:
        limit: how many faces are wanted at most, None for `count`; fewer are kept in a folder of
            their own below `cache`.
    """

    def __init__(
        self,
        cache: Path_,
        morphable: Path_ | None = None,
        count: int = 20_000,
        size: int = 144,
        fits: Path_ | None = None,
        backgrounds: Sequence[Path_] = (),
        processes: int = 2,
        image_size: int = 128,
        batch_size: PositiveInt = 128,
        num_workers: NonNegativeInt = 1,
        holdout: float = 0.02,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if count < 1 or size < 32 or processes < 1:
            raise InputError("data: count and processes are at least 1, size at least 32")
        if not 0 <= holdout < 1:
            raise InputError(f"data.holdout={holdout}: a share below 1")
        self.cache, self.count, self.processes = Path(cache), count, processes
        self.morphable, self.size, self.fits = morphable, size, fits
        self.backgrounds = [str(path) for path in backgrounds]
        self.image_size, self.batch_size, self.num_workers = image_size, batch_size, num_workers
        self.holdout, self.augment, self.seed = holdout, augment or Augment(), seed
        self.limit: int | None = None
        self._source: FaceSource | None = None

    def prepare_data(self) -> None:
        """Render what is not rendered yet. Lightning calls it in one process."""
        make = partial(
            make_renderer, self.morphable, self.size, self.seed, self.fits, self.backgrounds
        )
        folder, count = self._wanted()
        render_cache(folder, make, count, self._recipe(count), self.processes)

    def _wanted(self) -> tuple[Path, int]:
        """Folder and number of the faces: all of them where they are rendered already."""
        few = self.limit is not None and self.limit < self.count
        if not few or recipe_of(self.cache) == self._recipe(self.count):
            return self.cache, self.count
        assert self.limit is not None
        return self.cache / f"first_{self.limit}", self.limit

    def _recipe(self, count: int) -> dict:
        files = [self.morphable or _default_model(), *([self.fits] if self.fits else [])]
        return {
            "version": _VERSION,
            "count": count,
            "size": self.size,
            "seed": self.seed,
            "files": [_digest(Path(file)) for file in files],
            "backgrounds": self.backgrounds,
        }

    def source(self) -> FaceSource:
        """The rendered faces with their exact parameters; renders them if that was not done."""
        if self._source is None:
            self.prepare_data()
            self._source = load_cache(self._wanted()[0])
        return self._source

    def _rows(self) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " M"]]:
        held = round(self.count * self.holdout)
        rows = np.arange(self.count)
        return rows[: self.count - held], rows[self.count - held :]

    def train_dataloader(self) -> ResumableLoader:
        """Augmented crops in random order."""
        dataset = FaceDataset([self.source()], self.image_size, self.augment, seed=self.seed)
        rows, _ = self._rows()
        place = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return resumable_loader(
            dataset,
            ResumableSampler(len(rows), self.batch_size, self.seed, *place),
            self.num_workers,
            collate_fn=as_made,
            worker_init_fn=seed_worker,
        )

    def val_dataloader(self) -> list[DataLoader]:
        """Canonical crops of the faces left out of training; one loader, or none."""
        _, rows = self._rows()
        if not len(rows):
            return []
        dataset = FaceDataset([self.source()], self.image_size)
        part = Subset(dataset, rows.tolist())
        return [DataLoader(part, batch_size=self.batch_size, collate_fn=as_made)]

    def on_after_batch_transfer(
        self, batch: RawFaces | FaceBatch, dataloader_idx: int = 0
    ) -> FaceBatch:
        """uint8 to float, on the device."""
        del dataloader_idx
        return batch.finish() if isinstance(batch, RawFaces) else batch


def make_renderer(
    morphable: Path_ | None,
    size: int,
    seed: int,
    fits: Path_ | None,
    backgrounds: Sequence[Path_],
    largest: int = 1000,
) -> SceneRenderer:
    """Build a renderer from files, at most `largest` background pictures a source."""
    model = MorphableModel.default() if morphable is None else MorphableModel.load(morphable)
    fitted = None if fits is None else load_expressions(fits, len(model.expression_names))
    pictures = []
    for path in backgrounds:
        records = read_records(path)
        rows = np.unique(np.linspace(0, len(records) - 1, largest).astype(int))
        for row in rows:
            try:
                pictures.append(decode(records.images[row]))
            except InputError:
                continue
    return SceneRenderer(model, size, seed, fitted, pictures)


def _default_model() -> Path:
    import xpress

    return Path(xpress.__file__).parent / "assets" / "morphable.safetensors"


def _digest(path: Path) -> str:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
