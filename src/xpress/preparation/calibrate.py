"""How much of a signal's motion an encoder reads: regressions shrink towards the mean.

    python -m xpress.preparation.calibrate PACK.parquet … [--weights FOLDER]

Each signal that the encoder reads from a training pack is regressed on the labels', both around
their person's mean. The slopes go into the encoder's card as `signal_gain`; transfer makes up for
them, so that lids which the encoder reads half shut, shut.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from xpress.command_line import one_line_errors
from xpress.extraction.encoder import FaceExtractor
from xpress.extraction.face_reader import load_encoder
from xpress.extraction.weight_files import ENCODER, weight_files
from xpress.media.crop import Crop
from xpress.morphable.signals import SIGNALS, expression_signals
from xpress.packs import read_records
from xpress.packs.records import FaceRecords, decode
from xpress.whole_files import written_beside


def read_signals(
    extractor: FaceExtractor, records: FaceRecords, rows: Sequence[int]
) -> tuple[Float[np.ndarray, "N S"], Float[np.ndarray, "N S"]]:
    """Signals that the encoder reads and those of the labels."""
    found, labels = [], []
    for row in rows:
        landmarks = records.landmarks68[row].astype(np.float64)
        face = extractor(decode(records.images[row]), Crop.around(landmarks))
        found.append(face.landmarks68)
        labels.append(landmarks)
    both = [torch.from_numpy(np.array(points, np.float32)) for points in (found, labels)]
    read, label = (expression_signals(points).numpy().astype(np.float64) for points in both)
    return read, label


def signal_gain(
    read: Float[np.ndarray, "N S"], label: Float[np.ndarray, "N S"], people: Sequence[str]
) -> Float[np.ndarray, " S"]:
    """Slope of `read` over `label` within people; the sides of lids and brows are averaged."""
    names, person = np.unique(np.asarray(people), return_inverse=True)
    weights = np.eye(len(names))[person]
    centered = [x - weights @ ((weights.T @ x) / weights.sum(0)[:, None]) for x in (read, label)]
    covariance, variance = (centered[0] * centered[1]).sum(0), (centered[1] ** 2).sum(0)
    for sides in ([3, 4], [5, 6], [10, 11], [12, 13], [14, 15]):
        covariance[sides], variance[sides] = covariance[sides].mean(), variance[sides].mean()
    return covariance / variance


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", nargs="+", type=Path, help="labelled training packs of clips")
    parser.add_argument("--weights", default="default", help="folder with the encoder's card")
    options = parser.parse_args(arguments)
    with weight_files(options.weights) as found:
        extractor = load_encoder(options.weights).extractor
        parts, people = [], []
        for pack in options.packs:
            records = read_records(pack)
            rows = np.flatnonzero(records.has_contours).tolist()
            parts.append(read_signals(extractor, records, rows))
            people += [records.identities[row] or f"{pack}/{row}" for row in rows]
        read, label = (np.concatenate(part) for part in zip(*parts, strict=True))
        gain = signal_gain(read, label, people)
        card = found[ENCODER].with_suffix(".json")
        content = json.loads(card.read_text(encoding="utf-8"))
        content["signal_gain"] = dict(zip(SIGNALS, gain.round(3).tolist(), strict=True))
        with written_beside(card) as partial:
            partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(", ".join(f"{name} {value:.2f}" for name, value in zip(SIGNALS, gain, strict=True)))


if __name__ == "__main__":
    main()
