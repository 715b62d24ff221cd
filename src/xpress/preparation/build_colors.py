"""Learn the colour basis of a face model anew, from pictures whose geometry is fitted.

    python -m xpress.preparation.fit_packs --output fits.safetensors PACK.parquet …
    python -m xpress.preparation.build_colors --fits fits.safetensors \
        --output morphable.safetensors PACK.parquet …

`xpress.preparation.build_model` does the same at the end of a whole build. An encoder's colour
coefficients belong to the basis it was trained with: train its colours again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch

from xpress.command_line import one_line_errors
from xpress.morphable.fitting import Fit
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel
from xpress.packs import read_records
from xpress.packs.fitted_parameters import load_fits
from xpress.preparation.color_basis import build_color_basis
from xpress.preparation.fit_packs import WORST, fit_quality, labelled_rows
from xpress.rendering.camera import project


def learn_colors(
    model: MorphableModel, packs: Sequence[str | os.PathLike], fits: str | os.PathLike, modes: int
) -> None:
    """Set the colour basis of a model.

    Args:
        model: changed in place.
        packs: labelled pictures.
        fits: of the model to these pictures, see `targets.load_fits`.
        modes: columns of the basis.

    Raises:
        InputError: a file is missing or not what it should be, or no colour picture fits well.
    """
    records = [read_records(path) for path in packs]
    pack = labelled_rows(records)
    table = load_fits(fits, pack.keys)[0]
    names = ("identity", "expression", "rotation", "translation", "scale")
    fitted = {name: torch.from_numpy(getattr(table, name)) for name in names}
    points = LandmarkModel.of(model).points(fitted["identity"], fitted["expression"])
    pose = fitted["rotation"], fitted["translation"], fitted["scale"]
    fit = Fit(**fitted, residual=pack.landmarks - project(points, *pose)[..., :2])
    quality = fit_quality(fit, pack.landmarks)
    quality[~torch.from_numpy(table.valid)] = 1 + WORST
    build_color_basis(model, records, fit, quality, modes)


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", nargs="+", type=Path, help="the packs that were fitted")
    parser.add_argument("--fits", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="face model; the package's by default")
    parser.add_argument("--modes", type=int, default=40)
    options = parser.parse_args(arguments)
    # a copy: the package's model is one object for the whole process
    given = MorphableModel.load(options.model) if options.model else MorphableModel.default()
    model = deepcopy(given)
    learn_colors(model, options.packs, options.fits, options.modes)
    model.save(options.output)
    print(options.output)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
