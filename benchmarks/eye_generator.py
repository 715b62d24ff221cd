"""Milliseconds of painting both eyes: the generator alone, and all that the loop does for them.

python benchmarks/eye_generator.py [--picture FILE] [--weights FOLDER]
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from common import machine, measure

from xpress.animation.animator import FaceAnimator
from xpress.animation.openings.painted_eyes import EyePainter
from xpress.extraction.face_reader import FaceReader, read_picture
from xpress.media.eye_crop import HEIGHT, WIDTH
from xpress.reenactment.pretrained import load_eyes

FRAMES = 150


def main() -> None:
    """Time a half shut pair of eyes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="a face; the demo's by default")
    parser.add_argument("--weights", default="default")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine())
    painter = load_eyes(arguments.weights)
    random = np.random.default_rng(0)
    around, reference, moved = random.random((3, 2, HEIGHT, WIDTH, 3), np.float32)
    maps = random.uniform(-1, 1, (2, 4, HEIGHT, WIDTH)).astype(np.float32)
    print("generator, both eyes       ", measure(lambda: painter(around, reference, moved, maps)))
    target = arguments.picture or Path(str(files("xpress") / "assets" / "demo" / "target.jpg"))
    _time_painting(painter, target)


def _time_painting(painter: EyePainter, target: Path) -> None:
    reader = FaceReader.from_pretrained()
    image, name = read_picture(target)
    face = reader.find(image, name=name)[0]
    animator = FaceAnimator(reader.model, "none", painter)
    animator.set_target(image, face.parameters)
    blinking = face.expression.astype(np.float32)
    times = []
    for blink in np.linspace(0.4, 0.9, FRAMES):
        blinking[animator.anatomy.blinks] = blink
        animator.timings.clear()
        animator.render(blinking)
        times.append(1000 * animator.timings["eyes"])
    low, middle, high = np.percentile(times[FRAMES // 10 :], (10, 50, 90))
    width = np.linalg.norm(face.landmarks68[36] - face.landmarks68[39])
    print(f"all, eyes of {width:.0f} pixels    {middle:.2f} ms ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
