"""The README's picture: the demo's portrait, and frames of its performance, around the face.

python benchmarks/demo_picture.py docs/images/demo.jpg [--weights FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from xpress.commands.demo_performance import FPS
from xpress.commands.overlay import contact_sheet
from xpress.media.images import read_image
from xpress.reenactment.reenactor import Reenactor

SHOWN = (1.40, 2.56, 5.28, 5.88, 6.72, 7.90, 10.24)
"""Seconds of the performance: a smile, a sound, a look to either side, surprise, clenched teeth,
a wink."""
SIDE = 1.3
"""Of the crop, over the longer side of the face's landmarks."""


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", default="default")
    arguments = parser.parse_args()
    assets = Path(str(files("xpress") / "assets" / "demo"))
    reenactor = Reenactor.from_pretrained(arguments.weights)
    image = read_image(assets / "target.jpg")
    landmarks = reenactor.find(image)[0].landmarks68
    low, high = landmarks.min(0), landmarks.max(0)
    half = SIDE * float((high - low).max()) / 2
    x, y = ((low + high) / 2).astype(int)
    place = np.s_[max(int(y - half), 0) : int(y + half), max(int(x - half), 0) : int(x + half)]
    moved = cast(Iterator[np.ndarray], reenactor.reenact(image, assets / "performance.npz"))
    wanted = {round(second * FPS) for second in SHOWN}
    frames = [frame for number, frame in enumerate(moved) if number in wanted]
    sheet = contact_sheet([picture[place] for picture in (image, *frames)], 4, 279)
    cv2.imwrite(str(arguments.output), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
