"""Faces before and after an edit, for networks that learn editing from the face model's warp.

    python -m xpress.preparation.edit_pairs --fits fits.safetensors --output pairs.parquet \
        --count 8000 PACK.parquet …

Every picture is given another expression by the project's own morphable editor: parts of other
faces' expressions, action units pushed up, opened and closed mouths, blinks and winks. A row keeps
the encoder's canonical crop before and after, the flow of the warp between them, and the action
units of both as the encoder reads them; `python -m xpress.preparation.annotate pairs.parquet` reads
those anew with another encoder.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from xpress.animation.animator import FaceAnimator
from xpress.command_line import one_line_errors
from xpress.editing.morphable import MorphableEditor
from xpress.errors import InputError
from xpress.extraction.action_unit_encoder import UnitEncoder
from xpress.extraction.face_sample import FaceSample
from xpress.media.crop import Crop
from xpress.morphable.action_units import ACTION_UNIT_NAMES
from xpress.morphable.expression_geometry import ExpressionGeometry
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.packs.edit_pairs import FLOW_SIZE
from xpress.packs.records import decode
from xpress.preparation.annotate_packs import label_pictures
from xpress.preparation.reanimate import Reanimator, _draw, _start, mixed_expression
from xpress.reenactment.pretrained import load_pretrained
from xpress.whole_files import written_beside

SIZE = 128
"""Pixels of the crop's side."""
QUALITY = 95
"""Of WebP."""
ROWS = 256
"""Rows of a row group."""
PUSHED = 0.75
"""Probability that some action units are set on top of what is borrowed."""
LIPS_CLOSED = 0.15
"""Probability that the mouth is shut instead."""
LIPS = ("jawOpen", "mouthLowerDown", "mouthUpperUp", "mouthFunnel")
"""Beginnings of the shapes that part the lips."""
LARGEST_JAW = 0.7
"""Activation; a jaw that drops further has to be invented from too little."""
SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("edited", pa.binary()),
        ("flow", pa.binary()),
        ("key", pa.string()),
        ("source", pa.string()),
        ("identity", pa.string()),
        ("color", pa.bool_()),
        ("landmarks68", pa.list_(pa.float32())),
        ("contours", pa.list_(pa.float32())),
    ]
)


class PairMaker(Reanimator):
    """Draws pair after pair; one a process.

    Args:
        packs: files of labelled pictures; grey ones are left out.
        fits: their fitted parameters.
        seed: of everything random.
        mouth: see `load_pretrained`.
    """

    def __init__(
        self, packs: Sequence[Path], fits: Path, seed: int, mouth: str = "generator"
    ) -> None:
        super().__init__(packs, fits, seed)
        coloured = self.color[self.rows] > 0
        if not coloured.any():
            raise InputError("edit pairs: no colour picture with fitted parameters; add packs")
        self.rows: np.ndarray = self.rows[coloured]
        chance: np.ndarray = self.chance[coloured]
        self.chance: np.ndarray = chance / chance.sum()
        geometry = ExpressionGeometry(LandmarkModel.of(self.model), self.model.expression_names)
        painters = load_pretrained(mouth=mouth)
        self.animator = FaceAnimator(self.model, painters.mouth, painters.eyes)
        self.editor = MorphableEditor(geometry, self.animator)

    def __call__(self, number: int) -> dict:
        """One new row; see `SCHEMA`."""
        rng = np.random.default_rng((self.seed, number))
        row = int(rng.choice(self.rows))
        image, points = decode(self.images[row]), self.points[row].astype(np.float64)
        face = self._face(row)
        edited = self.editor.edit_expression(image, face, self._wanted(rng, face))
        flow = self._flow(image, bool(edited.changed.any()))
        crop = Crop.around(points[:68], size=SIZE)
        moved = crop.to_crop(points).astype(np.float32)
        return {
            "image": encoded(crop.cut(image)),
            "edited": encoded(crop.cut(edited.image)),
            "flow": crop_flow(flow, crop).tobytes(),
            "key": f"{number:06d}",
            "source": self.keys[row],
            "identity": self.identities[row] or self.keys[row].partition("/")[2],
            "color": True,
            "landmarks68": moved[:68].ravel(),
            "contours": moved[68:].ravel(),
        }

    def _flow(self, image: np.ndarray, changed: bool) -> np.ndarray:
        """Of the edit just made; an unchanged picture was never drawn."""
        return self.animator.last_flow() if changed else np.zeros((*image.shape[:2], 2), np.float32)

    def _wanted(self, rng: np.random.Generator, face: FaceSample) -> np.ndarray:
        """An expression that leaves what is common: see the constants above."""
        names = self.model.expression_names
        own = face.expression.astype(np.float32)
        table = self.table.expression[self.rows]
        new = mixed_expression(rng, own, table, self.chance, names).astype(np.float64)
        if rng.random() < PUSHED:
            chosen = rng.choice(ACTION_UNIT_NAMES, rng.integers(1, 5), replace=False)
            new = self.editor.solver(new, {str(name): float(rng.random()) for name in chosen})
        jaw = names.index("jawOpen")
        new[jaw] = min(new[jaw], LARGEST_JAW)
        if rng.random() < LIPS_CLOSED:
            parting = [i for i, name in enumerate(names) if name.startswith(LIPS)]
            new[[*parting, names.index("mouthClose")]] = 0
        return new.clip(0, 1)

    def _face(self, row: int) -> FaceSample:
        known, points = self._parameters(row), self.points[row].astype(np.float64)
        return FaceSample(
            identity=known.identity[0].numpy().astype(np.float64),
            expression=known.expression[0].numpy().astype(np.float64),
            color=known.color[0].numpy().astype(np.float64),
            illumination=known.illumination[0].numpy().astype(np.float64),
            rotation=known.rotation[0].numpy().astype(np.float64),
            translation=known.translation[0].numpy().astype(np.float64),
            scale=float(known.scale[0]),
            landmarks68=points[:68],
            contours=points[68:],
        )


def encoded(image: np.ndarray) -> bytes:
    """RGB uint8 as WebP."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()


def crop_flow(flow: np.ndarray, crop: Crop) -> np.ndarray:
    """A picture's flow in an upright crop: pixels of the crop on the stored grid, float16."""
    full = cv2.warpAffine(flow, crop.matrix, (crop.size, crop.size), borderMode=cv2.BORDER_CONSTANT)
    small = cv2.resize(full * crop.zoom, (FLOW_SIZE, FLOW_SIZE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float16)


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", nargs="+", type=Path)
    parser.add_argument("--fits", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--weights", default="default", help="of the encoder that reads the units")
    parser.add_argument("--mouth", default="generator", choices=("generator", "model", "none"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    write_pairs(options)


def write_pairs(options: argparse.Namespace) -> None:
    """Draw the pairs of the command line in several processes, and label them as they come."""
    encoder = UnitEncoder(options.weights)
    make = partial(PairMaker, options.packs, options.fits, options.seed, options.mouth)
    with (
        written_beside(options.output) as partial_file,
        mp.get_context("spawn").Pool(options.processes, _start, (make,)) as pool,
    ):
        drawn = pool.imap(_draw, range(options.count), chunksize=16)
        rows = iter(tqdm(drawn, total=options.count, desc="editing", unit="face", disable=None))
        writer = None
        while group := list(islice(rows, ROWS)):
            table = pa.Table.from_pylist(group, SCHEMA)
            table = label_pictures(table, encoder, str(options.output))
            writer = writer or pq.ParquetWriter(partial_file, table.schema, compression="zstd")
            writer.write_table(table)
        if writer is not None:
            writer.close()
    print(f"{options.output}: {options.count} pairs")


if __name__ == "__main__":
    main()
