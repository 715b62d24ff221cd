"""Rendered faces on disk: one `.npy` of pictures that is mapped, one safetensors of labels."""

from __future__ import annotations

import json
import logging
import multiprocessing as mp
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tqdm import tqdm
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.synthetic.scene import SceneRenderer

from xpress.errors import InputError
from xpress.packs.fitted_parameters import ParameterTable
from xpress.packs.pixels import DecodedPixels
from xpress.packs.records import FaceRecords
from xpress.whole_files import written_beside

log = logging.getLogger(__name__)

_CHUNK = 160
_BATCH = 16


def render_cache(
    folder: Path, make: Callable[[], SceneRenderer], count: int, recipe: dict, processes: int = 1
) -> None:
    """Render faces 0 … count-1 into a folder, unless it holds them already.

    Args:
        folder: for `images.npy` and `labels.safetensors`; made where absent.
        make: builds the renderer; called once in every process, so it must be picklable.
        count: number of faces.
        recipe: everything the pictures depend on; another recipe renders anew.
        processes: how many render; the result does not depend on it.

    Raises:
        InputError: the folder cannot be written.
    """
    if recipe_of(folder) == recipe:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "labels.safetensors").unlink(missing_ok=True)
        with written_beside(folder / "images.npy") as images:
            labels = _render(images, make, count, processes)
        # Written last: its presence says that the cache is complete.
        with written_beside(folder / "labels.safetensors") as partial:
            partial.write_bytes(save(labels, metadata={"recipe": json.dumps(recipe)}))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error


def load_cache(folder: Path) -> FaceSource:
    """The rendered faces, their pictures mapped from disk and so shared between processes.

    Raises:
        InputError: the folder holds no complete cache.
    """
    try:
        with safe_open(folder / "labels.safetensors", framework="np") as file:
            labels = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        images = np.load(folder / "images.npy", mmap_mode="r")
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder}: holds no complete cache; delete it ({error})") from error
    count = len(images)
    records = FaceRecords(
        "synthetic",
        [],
        [f"synthetic/{i}" for i in range(count)],
        [""] * count,
        np.ones(count, np.int8),
        labels.pop("landmarks68"),
        labels.pop("contours"),
        np.ones(count, bool),
    )
    table = ParameterTable(**labels, valid=np.ones(count, bool))
    return FaceSource(records, DecodedPixels.stack(images), table, exact=True)


def recipe_of(folder: Path) -> dict | None:
    """What the faces in a folder were rendered from; None where there is no complete cache."""
    try:
        with safe_open(folder / "labels.safetensors", framework="np") as file:
            return json.loads((file.metadata() or {})["recipe"])
    except (OSError, KeyError, ValueError, SafetensorError):
        return None


def _render(
    path: Path, make: Callable[[], SceneRenderer], count: int, processes: int
) -> dict[str, Float32[np.ndarray, "N ..."]]:
    """Fill a file with pictures; returns their labels."""
    size = make().size
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, size, size, 3))
    starts = list(range(0, count, _CHUNK))
    jobs = [(path, start, min(start + _CHUNK, count)) for start in starts]
    labels: dict[str, list[np.ndarray]] = {}
    bar = tqdm(total=count, desc="rendering faces", unit="face", disable=count < 1000)

    def collect(chunk: dict[str, Float32[np.ndarray, "N ..."]]) -> None:
        for name, values in chunk.items():
            labels.setdefault(name, []).append(values)
        bar.update(len(chunk["scale"]))

    if processes > 1 and len(jobs) > 1:
        # Forking after torch has started its threads may hang.
        context = mp.get_context("spawn")
        with context.Pool(min(processes, len(jobs)), _start, (make,)) as pool:
            for chunk in pool.imap(_work, jobs):
                collect(chunk)
    else:
        renderer = make()
        for _, start, stop in jobs:
            collect(_render_range(renderer, images, start, stop))
    bar.close()
    return {name: np.concatenate(values) for name, values in labels.items()}


_renderer: SceneRenderer | None = None


def _start(make: Callable[[], SceneRenderer]) -> None:
    global _renderer
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    _renderer = make()


def _work(job: tuple[Path, int, int]) -> dict[str, Float32[np.ndarray, "N ..."]]:
    assert _renderer is not None
    path, start, stop = job
    return _render_range(_renderer, np.load(path, mmap_mode="r+"), start, stop)


def _render_range(
    renderer: SceneRenderer, images: UInt8[np.ndarray, "M S S 3"], start: int, stop: int
) -> dict[str, Float32[np.ndarray, "N ..."]]:
    faces = []
    for first in range(start, stop, _BATCH):
        numbers = range(first, min(first + _BATCH, stop))
        images[numbers.start : numbers.stop], labels = renderer(numbers)
        faces += labels
    return {name: np.stack([face[name] for face in faces]) for name in faces[0]}
