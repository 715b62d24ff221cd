"""Photographs with their heads turned as far as they follow: a sheet to look at.

    python benchmarks/head_sheet.py photo.jpg … --output sheet.jpg [--share 1]

A row a photograph: as it is, then turned, nodded and tilted by the limits to both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from xpress.errors import InputError
from xpress.media.images import read_image, write_image
from xpress.reenactment.reenactor import Reenactor
from xpress.transfer.head_motion import ROTATION_LIMIT, HeadMotion

HEIGHT = 320


def turns(share: float) -> list[HeadMotion]:
    """Yaw, pitch and roll to both sides."""
    signs = [(1, 1), (1, -1), (0, 1), (0, -1), (2, 1), (2, -1)]
    angles = [share * sign * ROTATION_LIMIT[axis] * np.eye(3)[axis] for axis, sign in signs]
    return [HeadMotion(angle, np.zeros(2)) for angle in angles]


def row(reenactor: Reenactor, path: Path, share: float) -> np.ndarray:
    """One photograph's pictures side by side."""
    image = read_image(path)
    face = reenactor.find(image, name=str(path))[0]
    animator = reenactor.animators()
    animator.set_target(image, face.parameters)
    expression = face.expression.astype(np.float32)
    drawn = [image, *(animator.render(expression, motion) for motion in turns(share))]
    size = round(image.shape[1] * HEIGHT / image.shape[0]), HEIGHT
    return np.hstack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in drawn])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=1.0, help="of the limits")
    arguments = parser.parse_args()
    reenactor = Reenactor.from_pretrained()
    try:
        rows = [row(reenactor, path, arguments.share) for path in arguments.photographs]
        width = max(one.shape[1] for one in rows)
        rows = [np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0))) for one in rows]
        write_image(arguments.output, np.vstack(rows))
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
