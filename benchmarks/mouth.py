"""Does the painted mouth stay still while the driver holds a pose?

One frame of a clip is repeated with a camera's noise, written as a video and read back, so that
everything that trembles in practice does: the codec, the tracker, the encoder. It drives a
photograph, and the change from frame to frame is averaged inside the hole, and outside it over
what surrounds the hole within the generator's crop: in the frames as they are drawn, and as they
are read from the video that is written. Changes below `UNSEEN` count as none: a pixel has 255
steps.

    python benchmarks/mouth.py [--samples ../shared/data/samples] [--weights folder] [--sheets DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from common import machine
from reenactment import PAIRS

from xpress.animation.animator import FaceAnimator
from xpress.commands.overlay import contact_sheet
from xpress.errors import InputError
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.pretrained import load_eyes, load_pretrained
from xpress.reenactment.reenactor import Reenactor
from xpress.transfer.driver import DriverFrame, drive

BOUND = 1.3
"""Change inside the hole over that outside it, at most."""
OPENINGS = (50, 75, 90, 99)
"""Percentiles of the clip's mouth opening at which a frame is held."""
UNSEEN = 0.5
"""Of 255: mean change at which no more than every other pixel moves by one step."""
NOISE = 1.5
"""Standard deviation of the camera's noise, of 255."""


@dataclass
class Flat:
    """Paints in one colour: where two of them differ is the hole."""

    level: float
    size: int = 96
    ratio: float = 1.5

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `MouthPainter`."""
        shares = np.zeros((self.size, self.size, 2), np.float32)
        return np.full((self.size, self.size, 3), self.level, np.float32), shares


def held(frame: np.ndarray, count: int, path: Path) -> list[tuple[Fraction, np.ndarray]]:
    """The frame as a video that holds it."""
    rng = np.random.default_rng(0)
    height, width = frame.shape[:2]
    with VideoWriter(path, Fraction(25), (width, height)) as writer:
        for _ in range(count):
            noisy = frame + rng.normal(0, NOISE, frame.shape)
            writer.write(noisy.round().clip(0, 255).astype(np.uint8))
    return list(VideoReader(path).timed())


def written(frames: np.ndarray) -> np.ndarray:
    """The frames as a viewer gets them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written.mp4"
        height, width = frames[0].shape[:2]
        with VideoWriter(path, Fraction(25), (width, height)) as writer:
            for frame in frames:
                writer.write(frame)
        return np.stack(list(VideoReader(path)))


def opening(driver: DriverFrame, names: list[str]) -> float:
    return float(driver.measured.expression[names.index("jawOpen")])


def rendered(reenactor: Reenactor, mouth, image, face, drivers) -> np.ndarray:
    animator = FaceAnimator(reenactor.model, mouth, load_eyes())
    reenactor.animators = lambda: animator
    animator = reenactor.target_animator(ReenactmentOptions(head="target"))
    animator.set(image, [face])
    return np.stack([animator.render(driver) for driver in drivers])


def change(frames: np.ndarray, mask: np.ndarray) -> float:
    """Mean change from frame to frame, of 255."""
    steps = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean((0, 3))
    return float(steps[mask].mean())


def run(reenactor: Reenactor, generator, source: Path, target: Path, options) -> bool:
    """Print one line a held frame; True if all are within the bound."""
    names = reenactor.model.expression_names
    clip = list(VideoReader(source).timed())
    driven = list(drive(reenactor.track(clip), reenactor.resting, str(source)))
    openings = np.array([opening(driver, names) for driver in driven])
    image = read_image(target)
    face = reenactor.rested(reenactor.find(image, name=str(target))[0])
    lips = face.face.landmarks68[48:60]
    reach = 0.75 * float(np.ptp(lips[:, 0]))
    x, y = lips.mean(0)
    rows, columns = np.indices(image.shape[:2])
    near = np.maximum(abs(columns - x), abs(rows - y)) < reach
    print(f"\n{source.name} → {target.name}, change from frame to frame, of 255")
    good, shown = True, []
    for percentile in OPENINGS:
        number = int(np.abs(openings - np.percentile(openings, percentile)).argmin())
        with tempfile.TemporaryDirectory() as folder:
            frames = held(clip[number][1], options.frames, Path(folder) / "held.mp4")
        tracked = list(reenactor.track(frames))
        drivers = list(drive(tracked, reenactor.resting, "held", driven[0].rest))
        drivers = drivers[options.settle :]
        flat = [rendered(reenactor, Flat(v), image, face, drivers) for v in (0.0, 255.0)]
        share = np.abs(flat[0].astype(np.int16) - flat[1]).mean(3) / 255
        inside, outside = share.mean(0) > 0.5, near & (share.max(0) == 0)
        if not inside.any():
            print(f"  frame {number:4d}: closed")
            continue
        print(f"  frame {number:4d}, hole {int(inside.sum()):5d} px")
        for name, mouth in (("generator", generator), ("model", "model")):
            output = rendered(reenactor, mouth, image, face, drivers)
            line, within = f"    {name:9}", True
            for how, frames in (("drawn", output), ("written", written(output))):
                values = change(frames, inside), change(frames, outside)
                within &= values[0] <= max(BOUND * values[1], UNSEEN)
                line += f"  {how} {values[0]:.3f} inside, {values[1]:.3f} outside"
            print(f"{line}{'' if within else '   out of bounds'}")
            if name == "generator":
                good &= within
                shown.append(zoomed(output[-1], x, y, reach))
    if options.sheets is not None and shown:
        path = options.sheets / f"held_{source.stem}_to_{target.stem}.png"
        write_image(path, contact_sheet(shown, columns=4, width=300))
    return good


def zoomed(frame: np.ndarray, x: float, y: float, reach: float) -> np.ndarray:
    box = [round(v) for v in (y - reach, y + reach, x - reach, x + reach)]
    patch = frame[max(box[0], 0) : box[1], max(box[2], 0) : box[3]]
    return cv2.resize(patch, (300, 300), interpolation=cv2.INTER_CUBIC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--samples", type=Path, default=here.parent / "shared/data/samples")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--settle", type=int, default=20, help="frames that filters start in")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the mouths")
    options = parser.parse_args()
    print(machine())
    if not options.samples.is_dir():
        print(f"{options.samples}: no sample clips; give --samples")
        return
    try:
        reenactor = Reenactor.from_pretrained(options.weights)
    except InputError as error:
        print(error)
        return
    generator = load_pretrained(options.weights).mouth
    if generator == "model":
        print("no mouth generator among the weights")
        return
    for source, target in PAIRS:
        run(reenactor, generator, options.samples / source, options.samples / target, options)


if __name__ == "__main__":
    main()
