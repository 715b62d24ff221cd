"""Fit the face model to every row of labelled packs: targets for the encoder's training.

`python -m xpress.preparation.fit_packs --output fits.safetensors PACK.parquet …`
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import save
from torch import Tensor

from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.morphable.fitting import Fit, FitSettings, fit_landmarks
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.landmarks.landmark_weights import fit_weights
from xpress.morphable.mirror import mirror_parameters
from xpress.morphable.model import MorphableModel
from xpress.packs import FaceRecords, read_records
from xpress.packs.fitted_parameters import FITTED_WITH
from xpress.packs.records import decode
from xpress.whole_files import written_beside

WORST = 0.035
"""A fit whose mean residual over the eye-corner distance is larger is no target."""
JAW = ("jawOpen", "jawForward")
"""A jaw moves lips and chin so far that least squares open it for every grin."""


@dataclass(frozen=True)
class LabelledPack:
    """Landmarks of all rows of some packs.

    Attributes:
        keys: "<pack>/<row key>".
        landmarks: the 68, then the contour points, pixels.
        groups: person of each row.
    """

    keys: list[str]
    landmarks: Float[Tensor, "N 206 2"]
    groups: Int[Tensor, " N"]

    def select(self, rows: np.ndarray) -> LabelledPack:
        """Some rows; groups are numbered anew."""
        groups = torch.unique(self.groups[rows], return_inverse=True)[1]
        return LabelledPack([self.keys[i] for i in rows], self.landmarks[rows], groups)


def labelled_rows(records: Sequence[FaceRecords]) -> LabelledPack:
    """The rows with contour labels of several packs on end.

    Raises:
        InputError: there is none.
    """
    keys, points, people = [], [], []
    for record in records:
        rows = np.flatnonzero(record.has_contours)
        names = [f"{record.name}/{record.keys[i]}" for i in rows]
        keys += names
        people += [record.identities[i] or name for i, name in zip(rows, names, strict=True)]
        points.append(np.concatenate([record.landmarks68, record.contours], axis=1)[rows])
    if not keys:
        packs = ", ".join(record.name for record in records)
        raise InputError(f"{packs}: no row has contour points; give packs with a contours column")
    groups = np.unique(people, return_inverse=True)[1]
    return LabelledPack(keys, torch.from_numpy(np.concatenate(points)), torch.from_numpy(groups))


def fit_quality(fit: Fit, landmarks: Float[Tensor, "N L 2"]) -> Float[Tensor, " N"]:
    """Mean residual of the 51 inner landmarks over the outer-eye-corner distance."""
    eye = (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1).clamp_min(1e-3)
    return fit.residual[:, 17:68].norm(dim=-1).mean(1) / eye


def fit_rows(
    model: MorphableModel, pack: LabelledPack, settings: FitSettings, people: int = 400
) -> Fit:
    """Fit all rows, some hundred people at a time so that memory stays bounded."""
    reduced, weights = LandmarkModel.of(model), torch.from_numpy(fit_weights())
    parts, order = [], []
    for start in range(0, int(pack.groups.max()) + 1, people):
        rows = ((pack.groups >= start) & (pack.groups < start + people)).nonzero()[:, 0]
        groups = pack.groups[rows] - start
        parts.append(fit_landmarks(reduced, pack.landmarks[rows], weights, groups, settings))
        order.append(rows)
        print(f"fitted {sum(map(len, order))} of {len(pack.keys)} pictures", flush=True)
    back = torch.cat(order).argsort()
    return Fit(*(torch.cat([getattr(p, n) for p in parts])[back] for n in Fit.__dataclass_fields__))


def save_fits(
    path: str | os.PathLike, model: MorphableModel, pack: LabelledPack, fit: Fit, widths: Tensor
) -> None:
    """Write the file that the data module's `fits` reads, mirrored rows included."""
    quality = fit_quality(fit, pack.landmarks)
    good = quality < WORST
    tensors = {n: getattr(fit, n) for n in ("identity", "expression", "rotation", "translation")}
    tensors |= {"scale": fit.scale, "ok": good}
    mirrored = mirror_parameters(
        model, fit.identity, fit.expression, fit.rotation, fit.translation, widths
    )
    tensors |= {f"{name}_flipped": value for name, value in mirrored.items()}
    tensors |= {"scale_flipped": fit.scale.clone(), "ok_flipped": good.clone()}
    meta = {
        "keys": json.dumps(pack.keys),
        "residual": f"{quality.median():.4f}",
        FITTED_WITH: model.fingerprint(),
    }
    with written_beside(path) as partial:
        partial.write_bytes(save({n: v.contiguous() for n, v in tensors.items()}, meta))


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", nargs="+", type=Path, help="labelled packs with contours")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="face model; the package's by default")
    parser.add_argument("--noise", type=float, default=0.012, help="see FitSettings")
    parser.add_argument("--prior", type=float, default=0.35, help="deviation of an activation")
    parser.add_argument(
        "--jaw-prior",
        type=float,
        help="of the jaw's own: 0.1 keeps it shut where lips alone part, for rows of teeth",
    )
    options = parser.parse_args(arguments)
    model = MorphableModel.load(options.model) if options.model else MorphableModel.default()
    records = [read_records(path) for path in options.packs]
    pack = labelled_rows(records)
    prior = torch.full((len(model.expression_names),), options.prior)
    if options.jaw_prior is not None:
        for name in JAW:
            prior[model.expression_names.index(name)] = options.jaw_prior
    fit = fit_rows(model, pack, FitSettings(7, options.noise, prior))
    save_fits(options.output, model, pack, fit, image_widths(records))
    quality = fit_quality(fit, pack.landmarks)
    print(f"median residual {quality.median():.4f} of the eye-corner distance; {options.output}")


def image_widths(records: Sequence[FaceRecords]) -> Float[Tensor, " N"]:
    """Width of each labelled row's picture, pixels."""
    widths = [
        decode(record.images[i]).shape[1]
        for record in records
        for i in np.flatnonzero(record.has_contours)
    ]
    return torch.tensor(widths, dtype=torch.float32)


if __name__ == "__main__":
    main()
