"""How far are face parameters to be trusted: expression, identity and steadiness.

What `train.py task=face_autoencoder mode=test` does not give: action units of rendered faces whose
parameters are known, how much of a person's identity changes from picture to picture, and how
tracked landmarks tremble and lag. In about a minute on one core.

    python benchmarks/face_parameters.py [--weights FILE.ckpt|FILE.safetensors|DIR] [--refine 3]
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from common import machine
from encoders import Measured, open_encoder
from face_figures import acceleration, agreement, lag, within_over_between, without_similarity
from refinement import evenly, gain
from xpress.data_modules.synthetic.data_module import make_renderer

from xpress.errors import InputError
from xpress.extraction.refinement_problem import RefineSettings
from xpress.media.crop import Crop
from xpress.media.video import VideoReader
from xpress.models.face_autoencoder.decoder import inner_face_mask
from xpress.models.face_autoencoder.metrics import nme51, nme68
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ActionUnits
from xpress.morphable.signals import expression_signals
from xpress.packs import read_records
from xpress.reenactment.reenactor import Reenactor

SEED = 987_654_321
"""Of the rendered faces; trainings use small ones."""
PICTURES = 3
"""A person of `faces-val` counts who has so many colour video frames."""


def synthetic(
    measured: Measured, count: int, backgrounds: Path | None, morphable: Path | None
) -> None:
    """Action units of rendered faces."""
    behind = [] if backgrounds is None else [backgrounds]
    renderer = make_renderer(morphable, 144, SEED, None, behind, largest=200)
    images, faces = [], []
    for start in range(0, count, 16):
        drawn, labels = renderer(range(start, min(start + 16, count)))
        images += list(drawn)
        faces += labels
    points = np.stack([face["landmarks68"] for face in faces])
    found = measured.read(images, [Crop.around(p, size=measured.size) for p in points])
    units = ActionUnits(measured.model.expression_names)
    true_units = ActionUnits(renderer.model.expression_names)
    read = units(np.stack([face.expression for face in found]))
    truth = true_units(np.stack([face["expression"] for face in faces]).astype(np.float64))
    result = agreement(read, truth)
    print(f"\nrendered faces with known parameters: {count}, seed {SEED}")
    print(f"{'':6}" + "".join(f"{name:>6}" for name in ACTION_UNIT_NAMES) + f"{'mean':>8}")
    for name, row in (("corr.", result.correlation), ("gain", result.gain)):
        print(f"{name:6}" + "".join(f"{value:6.2f}" for value in row) + f"{row.mean():8.3f}")
    landmarks = np.stack([face.landmarks68 for face in found])
    both = [torch.from_numpy(p.astype(np.float32)) for p in (landmarks, points)]
    print(f"NME51 {100 * nme51(*both).mean():.2f}%, NME68 {100 * nme68(*both).mean():.2f}%")
    turned = np.linalg.norm(
        [a.rotation - b["rotation"] for a, b in zip(found, faces, strict=True)], axis=1
    )
    print(f"rotation off by {np.rad2deg(turned).mean():.1f}° (mean)")


def identity(measured: Measured, pack: Path, frames: str = "") -> None:
    """Variance within people over variance between people.

    Quoted is the shape: coefficients that hardly move a vertex would count as much as those that
    make the face, and the model's modes are not independent where only landmarks are seen.
    """
    records = read_records(pack)
    wanted = [i for i, key in enumerate(records.keys) if key.startswith(frames)]
    wanted = [i for i in wanted if records.identities[i] and records.color[i] != 0]
    counts = Counter(records.identities[i] for i in wanted)
    rows = [i for i in wanted if counts[records.identities[i]] >= PICTURES]
    people = [records.identities[i] for i in rows]
    model = measured.model
    coefficients = np.stack([face.identity for face in measured.read_rows(records, rows)])
    front = inner_face_mask(model).numpy() > 0
    shapes = model.neutral(torch.from_numpy(coefficients).float()).numpy()[:, front]
    shapes = shapes[:, ::4].astype(np.float64)  # a quarter of the vertices tells the same
    mean = model.mean.numpy()[front][::4].astype(np.float64)
    aligned = without_similarity(shapes, mean)
    ratios = [
        within_over_between(values.reshape(len(rows), -1), people)
        for values in (shapes, aligned, coefficients)
    ]
    print(
        f"{pack.stem}: {len(rows)} pictures of {len(set(people))} people: "
        f"shape {ratios[0]:.3f} (quoted), shape without place, turn and size {ratios[1]:.3f}, "
        f"coefficients {ratios[2]:.3f}"
    )


def steadiness(measured: Measured, clip: Path) -> np.ndarray:
    """Prints how a clip's tracked landmarks tremble and lag; returns what is averaged."""
    with np.load(clip.with_name(f"{clip.stem}.landmarks.npz")) as archive:
        labels = archive["landmarks68"].astype(np.float64)
    reenactor = Reenactor(measured.model, measured.extractor, size=measured.size)
    frames = list(VideoReader(clip).timed())[: len(labels)]
    rows = []
    for smoothing in (True, False):
        tracked = reenactor.track_faces(iter(frames), "largest", clip.name, smoothing)
        faces = [found[0] if found else None for _, _, found in tracked]
        seen = np.array([face is not None for face in faces])
        if not seen.all():
            print(f"{clip.name}: {int((~seen).sum())} frames without a face, left out")
        read = np.array([face.landmarks68 for face in faces if face is not None])
        truth = labels[: len(seen)][seen]
        ratios = [acceleration(read, inner) / acceleration(truth, inner) for inner in (True, False)]
        signals = [expression_signals(torch.from_numpy(points)).numpy() for points in (read, truth)]
        mouth = [s[:, 0] for s in signals]
        lids = [s[:, 3:5].mean(1) for s in signals]
        bridge = [points[:, 27:31].mean(1) for points in (read, truth)]
        along = np.linalg.svd(bridge[1] - bridge[1].mean(0), full_matrices=False)[2][0]
        head = [points @ along for points in bridge]
        lags = [lag(*pair) for pair in (mouth, lids, head)]
        rows.append([*ratios, *lags])
        print(_steady_line(clip.stem, smoothing, rows[-1]))
    return np.array(rows)


def _steady_line(name: str, smoothing: bool, row) -> str:
    how = "smoothed" if smoothing else "raw"
    return (
        f"{name:16}{how:>10}: acceleration {row[0]:.2f}× (51 points, quoted), {row[1]:.2f}× (68); "
        f"lag in frames: mouth {row[2]:+.2f}, lids {row[3]:+.2f}, head {row[4]:+.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[2] / "shared/data"
    folder = Path(os.environ.get("XPRESS_DATA", beside))
    parser.add_argument("--weights", default="default", help="checkpoint, .safetensors or folder")
    parser.add_argument("--morphable", type=Path, help="face model, where the weights say none")
    parser.add_argument("--data", type=Path, default=folder, help="folder of the packs")
    parser.add_argument("--faces", type=int, default=800, help="rendered faces")
    parser.add_argument("--refine", type=int, nargs="*", default=[], help="steps, also several")
    parser.add_argument("--pictures", type=int, default=150, help="of each pack, to be refined")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    start = time.perf_counter()
    try:
        measured = open_encoder(options.weights, options.morphable)
        print(f"weights: {options.weights}")
        pack = options.data / "video-faces-val.parquet"
        behind = pack if pack.is_file() else None
        synthetic(measured, options.faces, behind, options.morphable)
        if not options.data.is_dir():
            print(f"{options.data}: no packs; give --data")
            return
        print("\nidentity: variance within people over variance between people")
        identity(measured, pack)
        identity(measured, options.data / "faces-val.parquet", "p1/")
        print("\ntracked landmarks against the clips' own labels")
        clips = sorted((options.data / "samples").glob("talking_*.mp4"))
        both = np.array([steadiness(measured, clip) for clip in clips])
        for smoothing, row in zip((True, False), both.mean(0), strict=True):
            print(_steady_line("mean", smoothing, row))
        if options.refine:
            print("\nextract refine=N")
        for name in ("faces-val", "video-faces-val") if options.refine else ():
            records = read_records(options.data / f"{name}.parquet")
            rows = evenly(np.arange(len(records)), options.pictures)
            gain(measured, records, rows, options.refine, RefineSettings())
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
