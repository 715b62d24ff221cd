"""How many faces the detector finds, and its time over plain dlib's on the same pictures.

    python benchmarks/detection.py PACK … [--video CLIP …] [--count 60]

Packs are Parquet files of one face a picture. Each face is looked for as it is and, small, in a
large picture: shrunk so that its landmarks span `SMALL` pixels, on blurred noise of 1280×720. Of
videos every tenth frame is taken. Detectors take turns on each picture; least times count.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import dlib
import numpy as np
import pyarrow.parquet as pq
from common import machine
from PIL import Image

from xpress.extraction.detection import LONG_SIDE, FaceDetector
from xpress.media.video import VideoReader

SMALL = 56
"""Pixels of a small face: dlib's smallest is 80."""
REPEATS = 2
Detector = Callable[[np.ndarray], int]


def detectors() -> dict[str, Detector]:
    """The number of faces that each finds in a picture."""
    plain, ours = dlib.get_frontal_face_detector(), FaceDetector()

    def shrunk(image: np.ndarray) -> np.ndarray:
        zoom = LONG_SIDE / max(image.shape[:2])
        return image if zoom >= 1 else cv2.resize(image, None, fx=zoom, fy=zoom)

    return {
        f"dlib at {LONG_SIDE}": lambda image: len(plain(shrunk(image), 0)),
        "dlib, enlarged twice": lambda image: len(plain(image, 1)),
        "FaceDetector": lambda image: len(ours(image)),
        "FaceDetector, thorough": lambda image: len(ours(image, thorough=True)),
    }


def faces(pack: Path, count: int) -> Iterator[tuple[np.ndarray, float]]:
    """Pictures spread over a pack, with the longer side of the landmarks' box in pixels."""
    table = pq.read_table(pack, columns=["image", "landmarks68"])
    for row in table.take(np.linspace(0, len(table) - 1, count).astype(int)).to_pylist():
        points = np.array(row["landmarks68"]).reshape(68, 2)
        picture = np.array(Image.open(io.BytesIO(row["image"])).convert("RGB"))
        yield picture, float(np.ptp(points, axis=0).max())


def small(picture: np.ndarray, side: float, generator: np.random.Generator) -> np.ndarray:
    """The picture shrunk, somewhere on blurred noise."""
    noise = generator.integers(40, 200, (72, 128, 3), np.uint8)
    scene = cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_CUBIC)
    face = cv2.resize(picture, None, fx=SMALL / side, fy=SMALL / side, interpolation=cv2.INTER_AREA)
    height, width = face.shape[:2]
    y, x = (int(generator.integers(0, n)) for n in (720 - height, 1280 - width))
    scene[y : y + height, x : x + width] = face
    return scene


def compare(name: str, pictures: list[np.ndarray], kinds: dict[str, Detector]) -> None:
    """Print what each detector finds and takes."""
    seconds, found, more = (dict.fromkeys(kinds, 0.0) for _ in range(3))
    for image in pictures:
        least = dict.fromkeys(kinds, np.inf)
        for _ in range(REPEATS):
            for kind, detector in kinds.items():
                begun = time.process_time()
                number = detector(image)
                least[kind] = min(least[kind], time.process_time() - begun)
                found[kind] += min(number, 1) / REPEATS
                more[kind] += max(number - 1, 0) / REPEATS
        seconds = {kind: seconds[kind] + least[kind] for kind in kinds}
    base = next(iter(seconds.values()))
    print(f"{name}: {len(pictures)} pictures with one face")
    for kind in kinds:
        told = f"{found[kind]:.0f} found, {more[kind]:.0f} more"
        cost = f"{seconds[kind] / len(pictures) * 1e3:.1f} ms, {seconds[kind] / base:.2f} times"
        print(f"  {kind}: {told}; {cost}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", nargs="*", type=Path)
    parser.add_argument("--video", nargs="+", type=Path, default=[])
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine())
    generator, kinds = np.random.default_rng(0), detectors()
    for pack in options.packs:
        given = list(faces(pack, options.count))
        compare(pack.name, [picture for picture, _ in given], kinds)
        compare(f"{pack.name}, small", [small(*item, generator) for item in given], kinds)
    for clip in options.video:
        compare(clip.name, list(islice(VideoReader(clip), 0, None, 10)), kinds)


if __name__ == "__main__":
    main()
