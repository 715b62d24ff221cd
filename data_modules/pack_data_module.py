"""What the data modules of packs share: the people held out, the sets and the loaders."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset
from xpress.data_modules.raw_batch import RawBatch, as_made
from xpress.data_modules.resumable import ResumableLoader, ResumableSampler, resumable_loader
from xpress.data_modules.streaming.stream import RowStream, StreamLoader

from xpress.errors import InputError
from xpress.packs.media_files import is_media
from xpress.packs.prepared import TRAIN, splits_of
from xpress.packs.shards import source_name
from xpress.preparation.faces.prepare import kept_pack
from xpress.preparation.faces.settings import PrepareSettings

log = logging.getLogger(__name__)

Path = str | os.PathLike
Paths = Sequence[Path] | Mapping[str, Path]
PackWeights = Mapping[str, float] | Sequence[float]
Rows = TypeVar("Rows", bound="LabelledRows")


@runtime_checkable
class LabelledRows(Protocol):
    """Rows of a pack."""

    @property
    def people(self) -> list[str]:
        """Who is shown in each row."""

    def select(self: Rows, rows: Int[np.ndarray, " M"]) -> Rows:
        """Some of them, in the given order."""


class PackDataModule(LightningDataModule):
    """Batches from packs; the loaders' workers hand over uint8, which is made float on the device.

    While fitting, validation runs on people held out of `train` (`val_names` is `["holdout"]`), so
    that the `val` packs choose nothing; `trainer.validate` runs on `val`, `trainer.test` on `test`,
    one loader a pack in the order of `val_names` and `test_names`.

    A subclass gives `setup_fit` and `evaluation_set`.

    Args:
        train: packs, see `xpress.packs`.
        val: the same for validation, named by key or by file stem.
        test: the same for testing; `val` where empty.
        batch_size: of training; evaluation uses the same.
        num_workers: processes of the training loader; evaluation uses none, it is cheap.
        holdout: share of the people in `train` left out for validation while fitting, by a hash
            of their name; packs with a column `split` say themselves who is left out.
        pack_weights: multiplies how often rows of entries of `train` are drawn, by the entry's
            name (by one where not named) or one for each.
        pack_folder: where packs that are made of videos and pictures are kept.
        pack_every: each how manieth frame of a video they take.
        pin_memory: page-locked batches, for a GPU.
        seed: of the sampler and the augmentation.
    """

    validate_on = "holdout"
    start_worker: Callable[[int], None] | None = None
    pack_settings: PrepareSettings

    def __init__(
        self,
        train: Paths,
        val: Paths,
        test: Paths,
        *,
        batch_size: int,
        num_workers: int,
        holdout: float,
        pack_weights: PackWeights | None = None,
        pack_folder: Path = "logs/packs",
        pack_every: int = 5,
        pin_memory: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= holdout < 1:
            raise InputError(f"data.holdout={holdout}: give a share below 1")
        self.paths = {"train": named(train), "val": named(val), "test": named(test or val)}
        self.pack_weights = _weights_of(pack_weights or {}, list(self.paths["train"]))
        self.batch_size, self.num_workers, self.pin_memory = batch_size, num_workers, pin_memory
        self.holdout, self.seed = holdout, seed
        self.pack_folder = pack_folder
        self.pack_settings = PrepareSettings(every=pack_every)
        self.train_set: Any = None
        self.eval_sets: dict[str, dict[str, Any]] = {}
        self.sampler: Callable[[int, int], ResumableSampler] | None = None
        self._stage = "fit"

    def setup_fit(self) -> dict[str, Any]:
        """Make `train_set` with its `sampler`, or a stream; gives what is held out, by name."""
        raise NotImplementedError

    def evaluation_set(self, path: Path) -> Dataset | RowStream:
        """Canonical rows of a pack of `val` or `test`."""
        raise NotImplementedError

    def made_pack(self, path: Path) -> Path:
        """The pack of a folder of videos and pictures, made if that was not done before."""
        return kept_pack(path, self.pack_folder, self.pack_settings)

    def who_is_held_out(self) -> Callable[[list[str]], Bool[np.ndarray, " N"]] | None:
        """Takes people of `train`, gives (N,) who is held out; None: nobody."""
        if not self.holdout:
            return None
        splits: dict[str, str] = {}
        for path in self.paths["train"].values():
            splits |= splits_of(path)
        return partial(held_out, share=self.holdout, splits=splits)

    @property
    def val_names(self) -> list[str]:
        """Names of the loaders `val_dataloader` returns, in order."""
        return list(self.eval_sets.get(self._val_split, {}))

    @property
    def test_names(self) -> list[str]:
        """Names of the loaders `test_dataloader` returns, in order."""
        return list(self.eval_sets.get("test", {}))

    @property
    def holdout_set(self) -> Any:
        """What was held out of `train`, where it is one set; None without any."""
        return self.eval_sets.get("holdout", {}).get("holdout")

    @property
    def fitting(self) -> bool:
        """Whether a trainer is to fit, or there is none."""
        return self.trainer is None or self.trainer.state.fn == "fit"

    @property
    def _val_split(self) -> str:
        return "holdout" if self._stage == "fit" and self.validate_on == "holdout" else "val"

    @property
    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def prepare_data(self) -> None:
        """Make packs of videos and pictures. Lightning calls it in one process of a machine."""
        self.use_packs()

    def use_packs(self) -> None:
        """Put packs in the place of videos and pictures."""
        for paths in self.paths.values():
            for name, path in paths.items():
                if is_media(path):
                    paths[name] = self.made_pack(path)

    def setup(self, stage: str = "fit") -> None:
        """Read what the stage needs; called again, it reads nothing twice."""
        self._stage = stage
        self.use_packs()
        if stage == "fit":
            self.read_train()
        split = "test" if stage in ("test", "predict") else self._val_split
        if split not in self.eval_sets:
            self.eval_sets[split] = self.evaluation_sets(split)
        if stage == "fit" and self.trainer is not None and not self.val_names:
            self.trainer.limit_val_batches = 0  # or Lightning warns that there are none

    def read_train(self) -> None:
        """Read `train`, if that was not done before."""
        if self.train_set is not None:
            return
        if not self.paths["train"]:
            raise InputError("data.train: nothing given; name at least one pack or folder")
        self.eval_sets["holdout"] = self.setup_fit()
        if self.holdout and not self.eval_sets["holdout"]:
            log.warning(
                "data: nobody fell into data.holdout=%s; without figures there is no best "
                "checkpoint, so raise it",
                self.holdout,
            )

    def evaluation_sets(self, split: str) -> dict[str, Any]:
        """The sets of "val" or "test" by name; a pack of both is read once."""
        known = {
            os.fspath(path): self.eval_sets[other][name]
            for other in ("val", "test")
            for name, path in self.paths[other].items()
            if name in self.eval_sets.get(other, {})
        }
        return {
            name: known.get(os.fspath(path)) or self.evaluation_set(path)
            for name, path in self.paths[split].items()
        }

    def split_people(
        self, read: Callable[[Path], Rows]
    ) -> tuple[list[Rows], list[Rows], Float[np.ndarray, " N"]]:
        """Rows of `train` to learn from, those of people held out, and the former's weights.

        Raises:
            InputError: nobody is left to train on.
        """
        kept, held, weights = [], [], [np.zeros(0)]
        for path, scale in zip(self.paths["train"].values(), self.pack_weights, strict=True):
            rows = read(path)
            out = held_out(rows.people, self.holdout, splits_of(path))
            held += [rows.select(np.flatnonzero(out))] if out.any() else []
            kept += [rows.select(np.flatnonzero(~out))] if not out.all() else []
            weights.append(np.full(int((~out).sum()), scale))
        if not kept:
            raise InputError(f"data.holdout={self.holdout}: leaves nobody to train on")
        return kept, held, np.concatenate(weights)

    def train_dataloader(self) -> ResumableLoader | StreamLoader:
        """Varied rows, in the order of the sampler."""
        if isinstance(self.train_set, RowStream):
            return StreamLoader(self.train_set, self.num_workers, self.pin_memory, *self._place)
        if self.train_set is None or self.sampler is None:
            raise InputError("data: call setup('fit') before train_dataloader()")
        return resumable_loader(
            self.train_set,
            self.sampler(*self._place),
            self.num_workers,
            collate_fn=as_made,
            worker_init_fn=self.start_worker,
            prefetch_factor=4 if self.num_workers else None,
            pin_memory=self.pin_memory,
        )

    def val_dataloader(self) -> list[DataLoader | StreamLoader]:
        """Canonical rows, one loader a name of `val_names`."""
        return self._eval_loaders(self._val_split)

    def test_dataloader(self) -> list[DataLoader | StreamLoader]:
        """Canonical rows, one loader a name of `test_names`."""
        return self._eval_loaders("test")

    def _eval_loaders(self, split: str) -> list[DataLoader | StreamLoader]:
        return [
            StreamLoader(rows, self.num_workers, self.pin_memory, *self._place)
            if isinstance(rows, RowStream)
            else DataLoader(rows, batch_size=self.batch_size, collate_fn=as_made)
            for rows in self.eval_sets.get(split, {}).values()
        ]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int = 0) -> Any:
        """uint8 to float, on the device."""
        del dataloader_idx
        return batch.finish() if isinstance(batch, RawBatch) else batch


def held_out(
    people: Sequence[str], share: float, splits: Mapping[str, str] | None = None
) -> Bool[np.ndarray, " N"]:
    """Which rows belong to held-out people: as their pack says, else by a hash of the name.

    The same person is held out in every pack and every run.

    Args:
        people: of the rows.
        share: of the people; 0 holds nobody out.
        splits: see `prepared.splits_of`.
    """

    def is_out(name: str) -> bool:
        if splits and name in splits:
            return share > 0 and splits[name] != TRAIN
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        return int.from_bytes(digest) < share * 2**64

    chosen = {name: is_out(name) for name in set(people)}
    return np.array([chosen[name] for name in people], bool)


def named(paths: Paths) -> dict[str, Path]:
    """Packs by name, by default their file's stem.

    Raises:
        InputError: two have one name.
    """
    if isinstance(paths, Mapping):
        return dict(paths)
    result: dict[str, Path] = {}
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        name = source_name(path)
        if name in result:
            raise InputError(f"{path}: {name} is named twice; give the packs as a mapping")
        result[name] = path
    return result


def _weights_of(given: PackWeights, names: list[str]) -> list[float]:
    if isinstance(given, Mapping):
        return [float(given.get(name, 1.0)) for name in names]
    if len(given) != len(names):
        raise InputError(f"data.pack_weights: give {len(names)}, one a pack, or name the packs")
    return [float(weight) for weight in given]
