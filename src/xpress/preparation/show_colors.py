"""The colour basis as a picture: mean face, and its first modes at both ends.

    python -m xpress.preparation.show_colors --output color_basis.jpg [--model FILE] [--modes 5]

Above each other +2 and −2 standard deviations of a mode, the mean at the left, all on the mean
shape under plain light.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from xpress.command_line import one_line_errors
from xpress.errors import InputError
from xpress.media.images import write_image
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project
from xpress.rendering.lighting import SH_0, SH_1, shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.renderer import render

GROUND = 255
SMOOTH = 2
"""Faces are drawn that much larger and averaged down."""
MARGIN = 0.08
"""Above the head and below the chin, over their distance."""


def draw_faces(
    model: MorphableModel, colors: Float[Tensor, "N Kc"], size: int = 160
) -> list[UInt8[np.ndarray, "S S 3"]]:
    """The mean shape from the front with each of some colour coefficients.

    Args:
        model: the face model.
        colors: standard deviations.
        size: pixels of a picture's side.
    """
    side = size * SMOOTH
    shape = model.mean[None]
    light = torch.zeros(1, 9, 3)
    light[0, 0], light[0, 2] = 0.75 / SH_0, 0.28 / SH_1  # a soft lamp at the viewer
    shading = shade(vertex_normals(shape, model.triangles), light)
    top = model.mean[: model.parts["face"].vertex_stop, 1].max()
    chin = model.landmark_points(shape)[0, 8]
    scale = side / ((1 + 2 * MARGIN) * (top - chin[1])).reshape(1)
    middle = torch.stack([chin[0], (top + chin[1]) / 2])
    place = side / 2 - scale * middle * torch.tensor([1.0, -1.0])
    points = project(shape, torch.zeros(1, 3), place[None], scale)
    pictures = []
    for coefficients in colors:
        seen = model.colors(coefficients[None]) * shading
        drawn = render(points, model.triangles, seen, (side, side), background=GROUND / 255)
        pixels = (drawn.image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        pictures.append(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA))
    return pictures


def color_strip(
    model: MorphableModel, modes: int = 5, deviations: float = 2.0, size: int = 160
) -> UInt8[np.ndarray, "H W 3"]:
    """The mean, then a column a mode: plus above, minus below.

    Raises:
        InputError: the model has no colour modes.
    """
    count = min(modes, model.sizes[2])
    if not count:
        raise InputError("the face model has no colour basis; build one with its data packs")
    ends = torch.zeros(2 * count + 1, model.sizes[2])
    for mode in range(count):
        ends[1 + 2 * mode, mode], ends[2 + 2 * mode, mode] = deviations, -deviations
    mean, *pictures = draw_faces(model, ends, size)
    space = np.full((size // 2, size, 3), GROUND, np.uint8)
    columns = [np.vstack([space, mean, space])]
    columns += [np.vstack(pictures[i : i + 2]) for i in range(0, len(pictures), 2)]
    height = min(column.shape[0] for column in columns)
    return np.hstack([column[:height] for column in columns])


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help=".jpg or .png")
    parser.add_argument("--model", type=Path, help="face model; the package's by default")
    parser.add_argument("--modes", type=int, default=5)
    parser.add_argument("--size", type=int, default=160, help="pixels of a face's side")
    options = parser.parse_args(arguments)
    model = MorphableModel.load(options.model) if options.model else MorphableModel.default()
    write_image(options.output, color_strip(model, options.modes, size=options.size))
    print(options.output)


if __name__ == "__main__":
    main()
