"""Build the default face model from ICT-FaceKit and labelled packs.

    python -m xpress.preparation.build_model --ict ict_facekit.npz \
        --mesh-points ict_mediapipe.json --indices landmark_indices.json \
        --output morphable.safetensors PACK.parquet …

Landmarks are moved on the mesh to where the packs' labels are; the colour basis is learned from
the packs' colour pictures under the fitted geometry. Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from xpress.command_line import one_line_errors
from xpress.morphable.fitting import FitSettings
from xpress.morphable.io.ict import read_ict
from xpress.morphable.io.mediapipe import landmark_vertices
from xpress.morphable.model import MorphableModel
from xpress.packs import read_records
from xpress.preparation.color_basis import build_color_basis
from xpress.preparation.embedding import landmark_offsets, move_embedding
from xpress.preparation.fit_packs import (
    LabelledPack,
    fit_quality,
    fit_rows,
    image_widths,
    labelled_rows,
    save_fits,
)

ROUNDS = 2
SUBSET = 1500


def refine_landmarks(model: MorphableModel, pack: LabelledPack, seed: int = 0) -> None:
    """Alternate fits and moves of the landmark embedding on a random part of the pack."""
    rows = np.random.default_rng(seed).permutation(len(pack.keys))[:SUBSET]
    part = pack.select(np.sort(rows))
    for _ in range(ROUNDS):
        fit = fit_rows(model, part, FitSettings(iterations=7, noise=0.015))
        embedding = move_embedding(model, landmark_offsets(fit))
        model.landmark_corners, model.landmark_weights = embedding.corners, embedding.weights
        quality = fit_quality(fit, part.landmarks).median()
        print(f"landmarks moved; median residual before {quality:.4f}", flush=True)


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", nargs="+", type=Path, help="labelled packs, training part only")
    parser.add_argument("--ict", type=Path, required=True)
    parser.add_argument("--mesh-points", type=Path, required=True)
    parser.add_argument("--indices", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--fits", type=Path, help="also keep the fits, for the encoder's training")
    parser.add_argument("--identity-modes", type=int, default=60)
    parser.add_argument("--color-modes", type=int, default=40)
    options = parser.parse_args(arguments)
    vertices = landmark_vertices(options.ict, options.mesh_points, options.indices)
    model = read_ict(options.ict, options.identity_modes, vertices)
    records = [read_records(path) for path in options.packs]
    pack = labelled_rows(records)
    refine_landmarks(model, pack)
    fit = fit_rows(model, pack, FitSettings(iterations=7, noise=0.012))
    quality = fit_quality(fit, pack.landmarks)
    print(f"median residual {quality.median():.4f} of the eye-corner distance", flush=True)
    if options.fits:
        save_fits(options.fits, model, pack, fit, image_widths(records))
    build_color_basis(model, records, fit, quality, options.color_modes)
    model.info = {
        **model.info,
        "packs": [path.stem for path in options.packs],
        "median_residual": round(float(quality.median()), 5),
    }
    model.save(options.output)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
