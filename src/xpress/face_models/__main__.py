"""Another face model for the library: read, registered to the default mesh, checked, shown.

    python -m xpress.face_models bfm2019 model2019_face12.h5 \
        --output bfm2019/morphable.safetensors --sheet bfm2019.jpg

The folder of the output is what `weights=` of `infer.py` takes, the file what `model.morphable`
of `train.py` takes; `morphable=bfm2019 morphable.path=model2019_face12.h5` does both at once.
The sheet shows whether the registration went well: landmarks in their places on the mean face,
closed lids that meet, lips that part where lips are, and how much of each shape is the model's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from xpress.command_line import one_line_errors
from xpress.face_models.readers.registry import READERS
from xpress.face_models.registered_file import registered
from xpress.face_models.registration.register import Registration
from xpress.media.images import write_image
from xpress.morphable.face_model import FaceModel
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project
from xpress.rendering.lighting import SH_0, SH_1, shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.renderer import render

SHOWN = ("jawOpen", "eyeBlink", "mouthSmile", "mouthPucker", "browOuterUp")
"""Shapes on the sheet, both sides of each."""
MODES = 3
DEVIATIONS = 2.0
UNREACHED = (0.45, 0.55, 0.75)
"""Colour of skin that the model's mesh does not reach."""
_SMOOTH = 2
_WIDTH = 18.0
"""Centimetres across a picture."""


def sheet(result: Registration, size: int = 300) -> UInt8[np.ndarray, "H W 3"]:
    """Two rows: mean face with landmarks and shapes; default mean and identities.

    Args:
        result: the registered model.
        size: pixels of a picture's side.
    """
    model = MorphableModel.of(result.model)
    mean = result.model.mean
    marks = result.model.landmark_points(mean[None])[0]
    first = [_picture(model, mean, size, marks, result.covered), _picture(model, mean, size)]
    for shape in SHOWN:
        rows = [i for i, n in enumerate(model.expression_names) if n.removesuffix("_L") == shape]
        rows += [i for i, n in enumerate(model.expression_names) if n == f"{shape}_R"]
        moved = mean + result.model.expression_basis[rows].sum(0)
        own = result.expressions.own[rows].all()
        share = result.expressions.explained[rows].mean()
        told = f"{shape} {share:.0%}" if own else f"{shape} carried over"
        first.append(_labelled(_picture(model, moved, size), told))
    second = [
        _labelled(_picture(MorphableModel.default(), FaceModel.default().mean, size), "default")
    ]
    for mode in range(min(MODES, model.sizes[0])):
        for sign in (-1, 1):
            moved = mean + sign * DEVIATIONS * result.model.identity_basis[mode]
            told = f"identity {mode} {sign * DEVIATIONS:+g}"
            second.append(_labelled(_picture(model, moved, size), told))
    blank = np.full((size, size, 3), 255, np.uint8)
    second += [blank] * (len(first) - len(second))
    return np.vstack([np.hstack(first), np.hstack(second[: len(first)])])


def _picture(
    model: MorphableModel,
    vertices: Float[np.ndarray, "V 3"],
    size: int,
    marks: Float[np.ndarray, "L 3"] | None = None,
    covered: np.ndarray | None = None,
) -> UInt8[np.ndarray, "S S 3"]:
    """A face from the front in its mean colours, with points on it."""
    side = size * _SMOOTH
    shape = torch.from_numpy(np.asarray(vertices, np.float32))[None]
    light = torch.zeros(1, 9, 3)
    light[0, 0], light[0, 1], light[0, 2] = 0.6 / SH_0, 0.15 / SH_1, 0.35 / SH_1
    colors = model.mean_color[None].clone()
    if covered is not None:
        colors[0, : len(covered)][~torch.from_numpy(covered)] = torch.tensor(UNREACHED)
    scale = torch.tensor([side / _WIDTH])
    middle = model.landmark_points(model.mean[None])[0, 29]
    place = side / 2 - scale * middle[:2] * torch.tensor([1.0, -1.0])
    points = project(shape, torch.zeros(1, 3), place[None], scale)
    shading = shade(vertex_normals(shape, model.triangles), light)
    drawn = render(points, model.triangles, colors * shading, (side, side), background=1.0)
    pixels = (drawn.image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    pixels = np.ascontiguousarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA))
    if marks is not None:
        places = marks[:, :2] * [1, -1] * float(scale) + place.numpy()
        for i, (x, y) in enumerate(places / _SMOOTH):
            color = (200, 30, 30) if i < 68 else (30, 90, 200)
            cv2.circle(pixels, (round(x * 8), round(y * 8)), 10, color, -1, cv2.LINE_AA, 3)
    return pixels


def _labelled(picture: np.ndarray, text: str) -> np.ndarray:
    cv2.putText(
        picture, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA
    )
    return picture


def report(result: Registration) -> list[str]:
    """How well the registration went, in lines."""
    distance = result.distance[result.covered]
    own = result.expressions.own
    identity, _, color = result.model.sizes
    lines = [
        f"{identity} identity and {color} colour coefficients",
        f"{result.covered.mean():.0%} of the face's vertices lie on the model's mesh, "
        f"{distance.mean() * 10:.2f} mm from it",
        f"{own.sum()} of {len(own)} shapes are the model's own, "
        f"{result.expressions.explained[own].mean() if own.any() else 0:.0%} of their motion",
    ]
    if not np.isnan(result.landmark_error):
        lines.append(f"{result.landmark_error * 10:.1f} mm from the file's own landmarks")
    return lines


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reader", choices=sorted(READERS))
    parser.add_argument("path", type=Path, help="the model's file or folder")
    parser.add_argument("--output", type=Path, required=True, help="a .safetensors")
    parser.add_argument("--sheet", type=Path, help="also draw it, .jpg or .png")
    parser.add_argument("--landmarks", type=Path, help="text file, 68 vertices, -1 for unknown")
    parser.add_argument("--identity-modes", type=int, default=80)
    parser.add_argument("--color-modes", type=int, default=40)
    options = parser.parse_args(arguments)
    result = registered(
        options.reader,
        options.path,
        options.landmarks,
        options.identity_modes,
        options.color_modes,
    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result.model.save(options.output)
    if options.sheet:
        write_image(options.sheet, sheet(result))
    print("\n".join([str(options.output), *report(result)]))


if __name__ == "__main__":
    main()
