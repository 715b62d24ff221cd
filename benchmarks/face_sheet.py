"""What the encoder makes of faces, on one sheet: landmarks, render and mesh of each.

    python benchmarks/face_sheet.py --output sheet.jpg [PACK.parquet|PICTURE …] [--photographs]

Without `--photographs` no pixel of a picture is shown, so that the sheet may be passed on:
landmarks stand on plain ground, and the faces are drawn with the colours that were extracted.
Labels are green, ours red. The `val` packs are taken where nothing is named.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from encoders import Measured, open_encoder
from jaxtyping import Float, UInt8

from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.refinement import FaceRefiner
from xpress.media.crop import Crop
from xpress.media.images import read_image, write_image
from xpress.models.face_autoencoder.decoder import FaceDecoder
from xpress.packs import read_records
from xpress.packs.records import decode
from xpress.reenactment.reenactor import Reenactor
from xpress.rendering.camera import project, rotate
from xpress.rendering.normals import vertex_normals
from xpress.rendering.renderer import render

GREEN, RED = (40, 160, 60), (225, 50, 40)
PLAIN = 238
"""Grey level of the ground."""
CLAY = torch.tensor([0.62, 0.72, 0.86])
LAMP = torch.tensor([0.30, 0.50, 0.81])
SMOOTH = 2
"""Faces are drawn that much larger and averaged down."""


@dataclass(frozen=True)
class PortrayedFace:
    """A face in its picture, with its labels where it has any."""

    image: UInt8[np.ndarray, "H W 3"]
    face: FaceSample
    labels: Float[np.ndarray, "68 2"] | None


def of_pack(measured: Measured, pack: Path, count: int) -> list[PortrayedFace]:
    """Colour pictures of a pack, of as many different people as it has, evenly over its rows."""
    records = read_records(pack)
    records = records.select(np.flatnonzero(records.color != 0))
    turns: dict[str, int] = {}
    order = []
    for row, person in enumerate(records.identities):
        turns[person] = turns.get(person, -1) + 1
        order.append((turns[person], row))
    first = [row for turn, row in sorted(order) if turn == 0]
    first = first if len(first) >= count else [row for _, row in sorted(order)][:count]
    rows = [first[i] for i in np.linspace(0, len(first) - 1, min(count, len(first))).astype(int)]
    faces = measured.read_rows(records, rows)
    images = [decode(records.images[row]) for row in rows]
    labels = [records.landmarks68[row].astype(np.float64) for row in rows]
    return [PortrayedFace(*row) for row in zip(images, faces, labels, strict=True)]


def of_picture(measured: Measured, path: Path) -> list[PortrayedFace]:
    """All faces of a picture."""
    image = read_image(path)
    reenactor = Reenactor(measured.model, measured.extractor, size=measured.size)
    return [PortrayedFace(image, face, None) for face in reenactor.find(image, "all", str(path))]


class Painter:
    """Draws one face's cells.

    Args:
        measured: gives the face model.
        size: pixels of a cell's side.
        photographs: whether the picture is shown, and lies below what is drawn.
    """

    def __init__(self, measured: Measured, size: int, photographs: bool) -> None:
        self.decoder = FaceDecoder(measured.model)
        self.size, self.photographs = size, photographs

    @torch.no_grad()
    def __call__(self, shown: PortrayedFace) -> UInt8[np.ndarray, "S W 3"]:
        """Picture (if it may be shown), landmarks, render and mesh, side by side."""
        large = self.size * SMOOTH
        around = shown.face.landmarks68 if shown.labels is None else shown.labels
        crop = Crop.around(around, size=large)
        below = crop.cut(shown.image) if self.photographs else _plain(large)
        dots = below.copy()
        for points, color in ((shown.labels, GREEN), (shown.face.landmarks68, RED)):
            for x, y in crop.to_crop(points) if points is not None else ():
                place = round(float(x) * 8), round(float(y) * 8)
                cv2.circle(dots, place, 8 * large // 130, color, -1, cv2.LINE_AA, shift=3)
        cells = [dots, *self._drawn(shown.face, crop, below)]
        if self.photographs:
            cells.insert(0, below)
        small = (self.size, self.size)
        return np.hstack([cv2.resize(c, small, interpolation=cv2.INTER_AREA) for c in cells])

    def _drawn(self, face: FaceSample, crop: Crop, below: np.ndarray) -> list[np.ndarray]:
        p = face.parameters.torch()
        place = torch.from_numpy(crop.to_crop(face.translation)).float()[None]
        p = p.replace(translation=place, scale=p.scale * crop.zoom)
        model, size = self.decoder.model, (crop.size, crop.size)
        shape = model.vertices(p.identity, p.expression)
        points = project(shape, p.rotation, p.translation, p.scale)
        normals = vertex_normals(rotate(shape, p.rotation), model.triangles)
        clay = (0.3 + 0.75 * (normals @ LAMP).clamp_min(0))[..., None] * CLAY
        ground = torch.from_numpy(below / np.float32(255)).permute(2, 0, 1)[None]
        out = []
        for colors in (self.decoder.vertex_colors(shape, p), clay):
            drawn = render(points, self.decoder.triangles, colors, size, background=ground)
            image = (drawn.image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            out.append(image)
        return out


def _plain(size: int) -> UInt8[np.ndarray, "S S 3"]:
    return np.full((size, size, 3), PLAIN, np.uint8)


def sheet(rows: Sequence[np.ndarray], columns: int) -> UInt8[np.ndarray, "H W 3"]:
    """Faces in columns, with a gap between them."""
    gap = max(rows[0].shape[0] // 24, 2)
    padded = [np.pad(r, ((0, gap), (0, gap), (0, 0)), constant_values=255) for r in rows]
    padded += [np.full_like(padded[0], 255)] * (-len(padded) % columns)
    lines = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.vstack(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[2] / "shared/data"
    folder = Path(os.environ.get("XPRESS_DATA", beside))
    parser.add_argument("inputs", nargs="*", type=Path, help="packs and pictures")
    parser.add_argument("--output", type=Path, help=".jpg or .png")
    parser.add_argument("--weights", default="default", help="checkpoint, .safetensors or folder")
    parser.add_argument("--morphable", type=Path, help="face model, where the weights say none")
    parser.add_argument("--photographs", action="store_true", help="show the pictures too")
    parser.add_argument("--faces", type=int, default=24)
    parser.add_argument("--size", type=int, default=112, help="pixels of a cell's side")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--refine", type=int, default=0, help="Gauss-Newton steps, as in extract")
    options = parser.parse_args()
    if options.output is None:
        print("give --output sheet.jpg")
        return
    inputs = options.inputs or [folder / f"{name}-val.parquet" for name in ("faces", "video-faces")]
    try:
        measured = open_encoder(options.weights, options.morphable)
        packs = [path for path in inputs if path.suffix == ".parquet"]
        shown = []
        for path in inputs:
            if path in packs:
                shown += of_pack(measured, path, options.faces // len(packs))
            else:
                shown += of_picture(measured, path)
        refiner = FaceRefiner(measured.model)
        if options.refine:
            refined = [refiner(one.image, one.face, options.refine).face for one in shown]
            shown = [
                PortrayedFace(s.image, f, s.labels) for s, f in zip(shown, refined, strict=True)
            ]
        paint = Painter(measured, options.size, options.photographs)
        write_image(options.output, sheet([paint(one) for one in shown], options.columns))
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{options.output}: {len(shown)} faces")


if __name__ == "__main__":
    main()
