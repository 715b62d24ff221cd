"""Every command that writes, as small as it may be, for `fault_trials`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

import xpress.training.run  # noqa: F401 - imported once, before all children
from xpress import cli
from xpress.checkpoints.files import CheckpointFiles
from xpress.commands.convert import convert
from xpress.commands.demo import demo
from xpress.commands.edit import edit
from xpress.commands.extract import extract
from xpress.commands.idle import idle
from xpress.commands.interpolate import interpolate
from xpress.commands.live import live
from xpress.commands.reenact import reenact
from xpress.editing.expression_editor import ExpressionEditor
from xpress.export.weights import write_encoder
from xpress.media.video import VideoReader, VideoWriter
from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.preparation import annotate, fit_packs, reanimate
from xpress.preparation.faces.prepare import Spread, prepare
from xpress.preparation.faces.settings import PrepareSettings
from xpress.provenance.provenance import Provenance
from xpress.reenactment.reenactor import Reenactor

Command = Callable[[Path, bool], object]
"""Writes an output; the second argument chooses between the old one and the new one."""
SLOW = ("demo", "exported", "reanimated.parquet", "trained")
"""Stopped once only, and by `make faults` alone."""
ALIKE = ("steps.mp4", "converted.glb", "prepared.parquet", "fits.safetensors")
"""They end as others do; by `make faults` alone."""
TRAINING = [
    "task=face_autoencoder",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "callbacks.rich_progress=null",
    "callbacks.pictures=null",
    "callbacks.model_checkpoint.every_n_batches=2",
    "model.width=0.25",
    "model.size=64",
    "data.image_size=64",
    "data.batch_size=4",
    "data.num_workers=0",
    "data.epoch_size=24",
    "data.holdout=0.2",
    "~data.val.video",
]


def commands(clip: Path, photo: Path, everything: bool) -> dict[str, Command]:
    """Each command that writes, by the name of its output."""
    clip = _shortened(clip)
    folder = clip.parent / "media"
    folder.mkdir()
    shutil.copy(photo, folder)
    shutil.copy(clip, folder)
    return _of_media(clip, photo) | _of_packs(folder, everything)


def _of_media(clip: Path, photo: Path) -> dict[str, Command]:
    """The tasks of `infer.py` but the demo."""
    reenactor, editor = Reenactor.from_pretrained(), ExpressionEditor.from_pretrained()
    quiet: dict = {"progress": False}
    own: dict = quiet | {"reenactor": reenactor}
    edits: dict = quiet | {"loaded": editor}
    reads: dict = quiet | {"reader": reenactor}
    return {
        "video.mp4": lambda out, new: reenact(clip, clip, out, strength=1 + new, **own),
        "photo.png": lambda out, new: reenact(photo, photo, out, strength=1 + new, **own),
        "idle.mov": lambda out, new: idle(photo, out, 0.2, seed=int(new), **own),
        "live.mp4": lambda out, new: live(clip, str(out), photo, reenactor=reenactor),
        "edit.mkv": lambda out, new: edit(clip, out, {"AU12": 0.3 + 0.4 * new}, **edits),
        "edit.jpg": lambda out, new: edit(photo, out, {"AU12": 0.3 + 0.4 * new}, **edits),
        "steps.png": lambda out, new: interpolate(photo, photo, out, [0.5] * (1 + new), **edits),
        "steps.mp4": lambda out, new: interpolate(photo, photo, out, [0.5] * (1 + new), **edits),
        "read": lambda out, new: extract(clip if new else photo, out, **reads),
        "converted.csv": lambda out, new: convert(clip if new else photo, out, **reads),
        "converted.glb": lambda out, new: convert(clip if new else photo, out, **reads),
        "demo": lambda out, new: demo(
            out, reenactor=reenactor, provenance=Provenance(watermark=new)
        ),
    }


def _of_packs(folder: Path, everything: bool) -> dict[str, Command]:
    """Packs, fits, checkpoints, trainings and exports."""
    pack, other = folder.with_name("faces.parquet"), folder.with_name("other.parquet")

    def prepared(out: Path, every: int) -> str:
        settings = PrepareSettings(every=every)
        return prepare([folder], out, settings, Spread(1), report=False, progress=False)

    prepared(pack, 4)
    prepared(other, 3)
    fits = folder.with_name("fits.safetensors")
    fit_packs.main([str(pack), "--output", str(fits)])

    def checkpoint(out: Path, new: bool) -> None:
        CheckpointFiles().save_checkpoint({"state_dict": {"w": torch.full((2**21,), new)}}, out)

    def reanimated(out: Path, new: bool) -> None:
        beside = ["--output-fits", str(out.with_suffix(".safetensors"))]
        options = ["--count", "2", "--processes", "1", "--seed", str(int(new))]
        given = [str(pack), "--fits", str(fits), "--output", str(out), *beside, *options]
        reanimate.main(given)

    found: dict[str, Command] = {
        "last.ckpt": checkpoint,
        "labelled.parquet": lambda out, new: annotate.main(
            [str(pack if new else other), "--output", str(out)]
        ),
        "prepared.parquet": lambda out, new: prepared(out, 3 - new),
        "fits.safetensors": lambda out, new: fit_packs.main(
            [str(pack), "--output", str(out), "--noise", "0.02" if new else "0.01"]
        ),
        "reanimated.parquet": reanimated,
    }
    return found | _of_networks(folder) if everything else found


def _of_networks(folder: Path) -> dict[str, Command]:
    """A training, and its export."""
    module, noise = FaceAutoencoder(width=0.25, size=64), folder.with_name("noise.parquet")
    _write_noise(noise)

    def export(out: Path, new: bool) -> None:
        with torch.no_grad():
            for weight in module.encoder.parameters():
                weight.fill_(0.01 * (1 + new))
        write_encoder(module, out, {"new": new})

    def trained(out: Path, new: bool) -> None:
        out.mkdir(parents=True, exist_ok=True)
        os.chdir(out.parent)
        data = [f"data.train=[{noise}]", f"data.val.faces={noise}"]
        places = [f"hydra.run.dir={out}", f"paths.log_dir={out}", f"seed={int(new)}"]
        sys.argv = ["train.py", *TRAINING, *data, *places]
        cli.train()

    export(folder.with_name("first"), False)  # children need not import the exporter
    return {"exported": export, "trained": trained}


def _write_noise(path: Path, count: int = 40) -> None:
    """A labelled pack, cheap to learn from."""
    generator = np.random.default_rng(3)
    pictures = generator.integers(0, 256, (count, 96, 96, 3), np.uint8)
    table = {
        "image": [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures],
        "key": [f"row/{number}" for number in range(count)],
        "identity": [f"person/{number % 20}" for number in range(count)],
        "color": [True] * count,
        "landmarks68": list(generator.uniform(30, 66, (count, 136)).astype(np.float32)),
        "contours": list(generator.uniform(25, 70, (count, 276))),
    }
    pq.write_table(pa.table(table), path)


def _shortened(clip: Path) -> Path:
    """Its first frames in half the size."""
    path = clip.with_name("short.mp4")
    with VideoWriter(path, 25, (256, 256)) as writer:
        for frame in islice(VideoReader(clip), 6):
            writer.write(np.ascontiguousarray(frame[::2, ::2]))
    return path
