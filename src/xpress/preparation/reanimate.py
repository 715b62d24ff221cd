"""Photographs with expressions they never had: rare lids, lips and brows for training.

    python -m xpress.preparation.reanimate --fits fits.safetensors --output reanimated.parquet \
        --output-fits reanimated_fits.safetensors --count 6000 PACK.parquet …

Every picture is moved by the project's own warp to an expression put together from other faces'
fits (mouth, eyes and brows apart) and from blinks and winks. Its landmarks move with the mesh, its
parameters are the new expression's. Skin, light and background stay real, which rendered faces
lack. The second output holds the given fits and the new ones, for one `data.fits`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import safe_open
from safetensors.numpy import save
from tqdm import tqdm

from xpress.animation.animator import FaceAnimator
from xpress.animation.warping.mesh_evaluator import Projection
from xpress.command_line import one_line_errors
from xpress.morphable.mirror import mirror_parameters
from xpress.morphable.model import MorphableModel
from xpress.morphable.regions import REGIONS, moved_by
from xpress.packs import read_records
from xpress.packs.expression_balance import expression_weights
from xpress.packs.fitted_parameters import ParameterTable, load_fits
from xpress.packs.records import decode
from xpress.reenactment.pretrained import load_eyes
from xpress.structures import FaceParameters
from xpress.whole_files import written_beside

BORROWED = 0.7
"""Probability that a region's expression comes from another face."""
LIDS_CLOSED = 0.45
"""Probability of a blink or a wink on top."""
LARGEST_YAW = 0.7
"""Radians; beyond, half of the picture would have to be invented."""


def mixed_expression(
    rng: np.random.Generator, own: np.ndarray, table: np.ndarray, chance: np.ndarray, names: list
) -> np.ndarray:
    """A new expression (Ke,) from one's own, other faces' regions, and closing lids."""
    new = own.copy()
    for region in REGIONS:
        if rng.random() < BORROWED:
            rows = moved_by(names, [region])
            new[rows] = table[rng.choice(len(table), p=chance)][rows]
    if rng.random() < LIDS_CLOSED:
        sides = ("_L", "_R") if rng.random() < 0.75 else (rng.choice(["_L", "_R"]),)
        closing = 1.0 if rng.random() < 0.4 else rng.random()
        for side in sides:
            new[names.index(f"eyeBlink{side}")] = closing
            new[names.index(f"eyeWide{side}")] *= 1 - closing
    return new.clip(0, 1).astype(np.float32)


class Reanimator:
    """Draws row after row; one a process.

    Args:
        packs: files of labelled pictures.
        fits: their fitted parameters.
        seed: of everything random.
    """

    def __init__(self, packs: Sequence[Path], fits: Path, seed: int) -> None:
        records = [read_records(path) for path in packs]
        self.images = [image for record in records for image in record.images]
        keys = self.keys = [f"{record.name}/{key}" for record in records for key in record.keys]
        self.identities = [name for record in records for name in record.identities]
        self.color = np.concatenate([record.color for record in records])
        self.points = np.concatenate(
            [np.concatenate([r.landmarks68, r.contours], axis=1) for r in records]
        )
        self.table: ParameterTable = load_fits(fits, keys)[0]
        labelled = np.concatenate([r.has_contours for r in records])
        turned = np.abs(self.table.rotation[:, 1]) > LARGEST_YAW
        self.rows = np.flatnonzero(self.table.valid & labelled & ~turned)
        weights = expression_weights(self.points[self.rows, :68])
        self.chance = weights / weights.sum()
        self.model = MorphableModel.default()
        self.animator = FaceAnimator(self.model, eyes=load_eyes())
        self.corners = self.model.landmark_corners.numpy()
        self.weights = self.model.landmark_weights.numpy()[..., None]
        self.seed = seed

    def __call__(self, number: int) -> dict:
        """One new row: encoded picture, landmarks, and the parameters that made it."""
        rng = np.random.default_rng((self.seed, number))
        row = int(rng.choice(self.rows))
        image = decode(self.images[row])
        parameters = self._parameters(row)
        own = self.table.expression[row]
        new = mixed_expression(
            rng, own, self.table.expression[self.rows], self.chance, self.model.expression_names
        )
        self.animator.set_target(image, parameters)
        moved = Projection(parameters).displace(self.animator.evaluator.offsets(new - own))
        points = self.points[row] + (moved[self.corners] * self.weights).sum(1)[:, :2]
        encoded = cv2.imencode(
            ".webp", self.animator.render(new)[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 92]
        )[1]
        return {
            "image": encoded.tobytes(),
            "key": f"{number:06d}",
            "identity": self.identities[row],
            "color": bool(self.color[row] != 0),
            "landmarks68": points[:68].ravel().astype(np.float32),
            "contours": points[68:].ravel().astype(np.float32),
            "row": row,
            "expression": new,
            "width": image.shape[1],
        }

    def _parameters(self, row: int) -> FaceParameters:
        table = self.table
        names = ("identity", "expression", "rotation", "translation", "scale")
        known = {name: torch.from_numpy(getattr(table, name)[row : row + 1]) for name in names}
        none = torch.zeros(1, self.model.sizes[2])
        return FaceParameters(color=none, illumination=torch.zeros(1, 9, 3), **known)


_worker: list[Reanimator] = []


def _start(make: partial) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    _worker[:] = [make()]


def _draw(number: int) -> dict:
    return _worker[0](number)


def append_fits(
    path: Path, output: Path, name: str, rows: Sequence[dict], source: Reanimator
) -> None:
    """Write the fits of `path` followed by those of the new rows, mirrored ones included."""
    with safe_open(path, framework="np") as archive:
        old = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118
        keys = json.loads(archive.metadata()["keys"])
    index = np.array([row["row"] for row in rows])
    table = source.table
    new = {n: getattr(table, n)[index] for n in ("identity", "rotation", "translation", "scale")}
    new["expression"] = np.stack([row["expression"] for row in rows])
    widths = torch.tensor([float(row["width"]) for row in rows])
    identity, expression, rotation, translation = (
        torch.from_numpy(new[n]) for n in ("identity", "expression", "rotation", "translation")
    )
    mirrored = mirror_parameters(source.model, identity, expression, rotation, translation, widths)
    new |= {f"{key}_flipped": value.numpy() for key, value in mirrored.items()}
    new["scale_flipped"] = new["scale"]
    new["ok"] = new["ok_flipped"] = np.ones(len(rows), bool)
    keys += [f"{name}/{row['key']}" for row in rows]
    joined = {key: np.concatenate([old[key], new[key].astype(old[key].dtype)]) for key in old}
    output.write_bytes(save(joined, metadata={"keys": json.dumps(keys)}))


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", nargs="+", type=Path)
    parser.add_argument("--fits", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-fits", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    make = partial(Reanimator, options.packs, options.fits, options.seed)
    with mp.get_context("spawn").Pool(options.processes, _start, (make,)) as pool:
        drawn = pool.imap(_draw, range(options.count), chunksize=16)
        rows = list(tqdm(drawn, total=options.count, desc="reanimating", unit="face"))
    columns = ("image", "key", "identity", "color", "landmarks68", "contours")
    with written_beside(options.output_fits) as fits, written_beside(options.output) as pack:
        append_fits(options.fits, fits, options.output.stem, rows, make())
        pq.write_table(pa.table({c: [row[c] for row in rows] for c in columns}), pack)
    print(f"{options.output}: {len(rows)} faces; fits in {options.output_fits}")


if __name__ == "__main__":
    main()
