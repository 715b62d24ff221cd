"""What the invisible mark costs, what it survives, and how often it is seen where it is not.

python benchmarks/watermark.py MEDIUM … [--unmarked PACK|FOLDER …]

Each medium is a photograph or video with tracked landmarks beside it (`NAME.landmarks.npz`), whose
hull counts as changed. Packs are Parquet files of real pictures without the mark, folders hold
photographs.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from common import machine, measure
from PIL import Image

from xpress.media.images import is_image, read_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.provenance.inspection import FRAMES
from xpress.provenance.watermark import FaceMarker
from xpress.provenance.watermark_detection import WatermarkEvidence, find_watermark

LENGTH = 75
"""Frames of a video that are marked."""


@dataclass(frozen=True)
class Face:
    """What `FaceMarker` asks of one."""

    landmarks68: np.ndarray


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def cropped(image: np.ndarray) -> np.ndarray:
    """The middle, off by odd numbers: 9 sixteenths of the picture are cut away."""
    height, width = image.shape[:2]
    top, left = height // 5 + 3, width // 6 + 5
    return image[top : top + 2 * (height // 3), left : left + 2 * (width // 3)]


def recoded(frames: list[np.ndarray], crf: int) -> list[np.ndarray]:
    """H.264 and back."""
    even = [frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        with VideoWriter(path, 25, even[0].shape[1::-1], crf=crf, preset="medium") as writer:
            for frame in even:
                writer.write(frame)
        return list(VideoReader(path))


def as_jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=75)
    return np.array(Image.open(file))


def searched(frames: list[np.ndarray]) -> WatermarkEvidence:
    """As `check` does: so many frames, evenly."""
    return find_watermark(frames[:: max(len(frames) // FRAMES, 1)])


def attacks(marked: list[np.ndarray]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """What happens to media, one after the other."""
    yield "as it is", marked
    each: dict[str, Callable] = {"half size": lambda f: scaled(f, 0.5), "crop": cropped}
    for name, change in each.items():
        yield name, [change(frame) for frame in marked]
    if len(marked) == 1:
        yield "JPEG 75", [as_jpeg(marked[0])]
        yield "half size, crop, JPEG 75", [as_jpeg(cropped(scaled(marked[0], 0.5)))]
        return
    coded = recoded(marked, 28)
    yield "CRF 28", coded
    yield "CRF 28, half size", [scaled(frame, 0.5) for frame in coded]
    yield "CRF 28, half size, crop", [cropped(scaled(frame, 0.5)) for frame in coded]
    yield "CRF 28, one frame", coded[len(coded) // 2 :][:1]
    yield "half size, then CRF 28", recoded([scaled(frame, 0.5) for frame in marked], 28)


def survive(path: Path) -> None:
    """Print strength, cost and what is found of a medium."""
    frames = [read_image(path)] if is_image(path) else list(VideoReader(path))[:LENGTH]
    landmarks = np.load(path.parent / f"{path.stem}.landmarks.npz")["landmarks68"]
    landmarks = landmarks.reshape(-1, 68, 2).astype(np.float32)
    marker, marked, regions = FaceMarker(), [], []
    for frame, points in zip(frames, landmarks, strict=False):
        region = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillConvexPoly(region, cv2.convexHull(points.astype(np.int32)), 1)
        other = frame.copy()
        other[region > 0] = 255 - other[region > 0]
        marked.append(marker(other, frame, [Face(points)]))
        regions.append(region > 0)
    error = [
        (m.astype(float) - f)[r] ** 2 for m, f, r in zip(marked, frames, regions, strict=False)
    ]
    psnr = 10 * np.log10(255**2 / np.concatenate(error).mean())
    cost = measure(lambda: marker(other, frame, [Face(points)]), clock=time.process_time, most=500)
    side = np.ptp(landmarks[0], axis=0).max()
    print(f"{path.name}: face of {side:.0f} pixels, {psnr:.1f} dB, {cost} of a processor a frame")
    for name, result in [("unmarked", frames), *attacks(marked)]:
        found = searched(result)
        verdict = "found" if found.found else "not found"
        print(f"  {name}: {verdict} (score {found.score:.1f}, threshold {found.threshold:.1f})")


def pictures(place: Path, every: int) -> Iterator[np.ndarray]:
    """One of so many in a pack or folder."""
    if place.is_dir():
        found = (path for path in sorted(place.rglob("*")) if path.is_file() and is_image(path))
        yield from (read_image(path) for path in islice(found, 0, None, every))
        return
    for data in pq.read_table(place, columns=["image"])["image"].to_pylist()[::every]:
        yield np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def false_alarms(places: list[Path], every: int) -> None:
    """Print how many unmarked pictures are called marked, and how near they come."""
    margins: list[float] = []
    for place in places:
        before = len(margins)
        for picture in pictures(place, every):
            found = find_watermark([picture])
            margins.append(found.score - found.threshold)
        print(f"{place.name}: {len(margins) - before} pictures", flush=True)
    wrong = sum(margin > 0 for margin in margins)
    highest = max(margins)
    print(
        f"{wrong} of {len(margins)} called marked; the nearest is {highest:+.2f} from the threshold"
    )


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", nargs="*", type=Path)
    parser.add_argument("--unmarked", nargs="+", type=Path, default=[])
    parser.add_argument("--every", type=int, default=1, help="take one picture of so many")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine())
    for path in options.media:
        survive(path)
    if options.unmarked:
        false_alarms(options.unmarked, options.every)


if __name__ == "__main__":
    main()
