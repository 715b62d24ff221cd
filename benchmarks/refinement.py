"""What `task=extract refine=N` gains: colours and landmarks before and after so many steps.

On people held out of the training packs, on whom the settings are chosen; the `val` packs are
measured by `face_parameters.py --refine N`.

    python benchmarks/refinement.py [--steps 1 3 5] [--set landmark=0.04 …] [--weights …]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from common import machine
from encoders import Measured, open_encoder
from xpress.data_modules.pack_data_module import held_out

from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.refinement import FaceRefiner
from xpress.extraction.refinement_problem import RefineSettings
from xpress.media.crop import Crop
from xpress.models.face_autoencoder.decoder import FaceDecoder, inner_face_mask
from xpress.models.face_autoencoder.metrics import landmark_metrics
from xpress.packs import read_records
from xpress.packs.records import FaceRecords, decode

HOLDOUT = 0.05
"""As `data.holdout` of the training."""
FIGURES = ("nme51", "nme68", "eye_error", "mouth_error")


class Figures:
    """Accuracy of faces of a pack against its labels and its pictures."""

    def __init__(self, measured: Measured, records: FaceRecords, rows: Sequence[int]) -> None:
        self.labels = records.landmarks68[list(rows)].astype(np.float64)
        self.images = [decode(records.images[row]) for row in rows]
        self.colored = [records.color[row] != 0 for row in rows]
        self.decoder = FaceDecoder(measured.model)
        front = inner_face_mask(measured.model)[self.decoder.triangles].amin(1) > 0
        self._front = front.numpy()

    def __call__(self, faces: Sequence[FaceSample]) -> list[float]:
        """`FIGURES`, then the RMS colour error inside the render as `mode=test` computes it."""
        found = torch.from_numpy(np.stack([face.landmarks68 for face in faces])).float()
        figures = landmark_metrics(found, torch.from_numpy(self.labels).float())
        errors = [self._rms(i, face) for i, face in enumerate(faces) if self.colored[i]]
        return [*(figures[name] for name in FIGURES), float(np.mean(errors))]

    @torch.no_grad()
    def _rms(self, row: int, face: FaceSample) -> float:
        crop = Crop.around(self.labels[row])
        p = face.parameters.torch()
        place = torch.from_numpy(crop.to_crop(face.translation)).float()[None]
        p = p.replace(translation=place, scale=p.scale * crop.zoom)
        drawn = self.decoder(p, (crop.size, crop.size))
        index = drawn.fragments.face_index[0].numpy()
        seen = (index >= 0) & self._front[index]
        picture = crop.cut(self.images[row]).astype(np.float64) / 255
        image = drawn.image[0].clamp(0, 1).permute(1, 2, 0).numpy()
        return float(np.sqrt(((image - picture)[seen] ** 2).mean()))


def gain(
    measured: Measured,
    records: FaceRecords,
    rows: Sequence[int],
    steps: Sequence[int],
    settings: RefineSettings,
) -> None:
    """Print the figures before, and after each number of steps."""
    figures = Figures(measured, records, rows)
    faces = measured.read_rows(records, rows)
    print(f"{records.name}, {len(rows)} pictures, {sum(figures.colored)} in colour")
    print(f"{'steps':>8}" + "".join(f"{name:>13}" for name in (*FIGURES, "colour RMS")))
    print(f"{0:8}" + "".join(f"{value:13.4f}" for value in figures(faces)))
    refiner = FaceRefiner(measured.model, settings)
    for count in steps:
        start = time.process_time()
        refined = [
            refiner(image, face, count) for image, face in zip(figures.images, faces, strict=True)
        ]
        spent = (time.process_time() - start) / max(sum(item.steps for item in refined), 1)
        values = figures([item.face for item in refined])
        row = f"{count:8}" + "".join(f"{value:13.4f}" for value in values)
        print(f"{row}   {spent * 1e3:.0f} ms a step", flush=True)


def evenly(rows: np.ndarray, count: int) -> list[int]:
    """At most so many of some rows, from the first to the last."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    return rows[places].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[2] / "shared/data"
    folder = Path(os.environ.get("XPRESS_DATA", beside))
    parser.add_argument("--weights", default="default", help="checkpoint, .safetensors or folder")
    parser.add_argument("--morphable", type=Path, help="face model, where the weights say none")
    parser.add_argument("--data", type=Path, default=folder, help="folder of the packs")
    parser.add_argument("--pictures", type=int, default=75, help="of each pack")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--set", nargs="*", default=[], help="settings of the refinement")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    if not options.data.is_dir():
        print(f"{options.data}: no packs; give --data")
        return
    given = dict(text.split("=", 1) for text in options.set)
    settings = RefineSettings(**{name: float(value) for name, value in given.items()})
    print(settings)
    try:
        measured = open_encoder(options.weights, options.morphable)
        for name in ("faces-train", "video-faces-train"):
            records = read_records(options.data / f"{name}.parquet")
            out = np.flatnonzero(held_out(records.people, HOLDOUT))
            rows = evenly(out, options.pictures)
            gain(measured, records, rows, options.steps, settings)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
