"""What a trained expression editor makes of a face: its layers, and a strip of interpolations.

    python benchmarks/editor_sheet.py dft_net --output sheet.jpg [PICTURE] [--weights FOLDER]

One edit a row: the source, what DFT-Net's flow makes of it, texture (or GANimation's colours),
attention (dark where texture is taken), the network's result, the morphable editor's. The last
row goes from the source, in steps of a quarter, to a laugh. The package's portrait is taken if no
picture is named.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from xpress import ExpressionEditor
from xpress.editing.action_unit_values import unit_vector
from xpress.extraction.face_sample import FaceSample, upright_crop
from xpress.media.crop import Crop
from xpress.media.images import read_image, write_image
from xpress.models.dft_net.networks import DFTNetGenerator
from xpress.models.ganimation.networks import GANimationGenerator
from xpress.models.generator_weights import load_generator
from xpress.morphable.action_units import ActionUnits

GENERATORS = {"ganimation": GANimationGenerator, "dft_net": DFTNetGenerator}
EDITS = (
    {"AU12": 0.0, "AU25": 0.0, "AU26": 0.0},
    {"AU45": 1.0},
    {"AU25": 1.0, "AU26": 1.0},
    {"AU1": 1.0, "AU2": 1.0, "AU5": 0.6},
    {"AU4": 1.0, "AU15": 1.0, "AU12": 0.0},
)
LAUGH = {"AU6": 0.6, "AU12": 1.0, "AU25": 0.9, "AU26": 0.6}
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
SHOWN = 160
"""Pixels of a cell's side."""


class Layers:
    """The generator behind an exported network, in torch.

    Args:
        path: its `.safetensors`, with the card beside it.
    """

    def __init__(self, path: Path) -> None:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.size, self.relative = card["size"], card.get("relative", 0.0)
        self.ratio = card["crop_ratio"]
        self.network = GENERATORS[card["kind"]](**card["network"])
        load_generator(self.network, path)
        self.network.eval()

    @torch.no_grad()
    def __call__(
        self, image: np.ndarray, face: FaceSample, own: np.ndarray, wanted: np.ndarray
    ) -> list[UInt8[np.ndarray, "H W 3"]]:
        """Source, aligned picture where there is a flow, texture, attention and result."""
        crop = upright_crop(face.landmarks68, self.size, self.ratio).cut(image)
        picture = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
        asked = self.relative * (wanted - own) if self.relative else wanted
        output = self.network.edit(picture, torch.from_numpy(asked).float()[None])
        aligned = [] if output.flow is None else [output.aligned]
        layers = [picture, *aligned, output.texture, output.attention, output.image]
        return [_pixels(layer) for layer in layers]


def rows(
    layers: Layers,
    image: np.ndarray,
    face: FaceSample,
    own: np.ndarray,
    morphable: ExpressionEditor,
) -> list[list[np.ndarray]]:
    """One row an edit, and the strip."""
    crop: Crop = upright_crop(face.landmarks68, SHOWN, layers.ratio)
    table = []
    for units in EDITS:
        edited = morphable.edit(image, units)
        made = layers(image, face, own, unit_vector(units, own))
        table.append([*made, crop.cut(edited)])
    laugh = unit_vector(LAUGH, own)
    table.append([layers(image, face, own, own + s * (laugh - own))[-1] for s in STEPS])
    return table


def sheet(table: Sequence[Sequence[np.ndarray]]) -> UInt8[np.ndarray, "H W 3"]:
    """Cells of one size on white."""
    columns = max(map(len, table))
    blank = np.full((SHOWN, SHOWN, 3), 255, np.uint8)
    lines = []
    for row in table:
        cells = [
            cv2.resize(cell, (SHOWN, SHOWN), interpolation=cv2.INTER_CUBIC) for cell in row
        ] + [blank] * (columns - len(row))
        lines.append(
            np.concatenate(
                [np.pad(c, ((2, 2), (2, 2), (0, 0)), constant_values=255) for c in cells], 1
            )
        )
    return np.concatenate(lines)


def _pixels(layer: torch.Tensor) -> UInt8[np.ndarray, "H W 3"]:
    shown = (layer[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(np.broadcast_to(shown, (*shown.shape[:2], 3)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("editor", choices=sorted(GENERATORS))
    parser.add_argument("picture", nargs="?", type=Path, help="of a face")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="folder; the package's by default")
    options = parser.parse_args(arguments)
    with as_file(files("xpress") / "assets") as assets:
        path = (options.weights or assets) / f"{options.editor}.safetensors"
        layers = Layers(path)
        image = read_image(options.picture or assets / "demo" / "target.jpg")
    morphable = ExpressionEditor.from_pretrained()
    reenactor = morphable.reenactor
    face = reenactor.find(image)[0]
    own = ActionUnits(reenactor.model.expression_names)(face.expression)
    write_image(options.output, sheet(rows(layers, image, face, own, morphable)))
    print(options.output)


if __name__ == "__main__":
    main()
