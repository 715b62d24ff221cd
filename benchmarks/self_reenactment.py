"""A clip reenacted by itself from its first frame: how far is the result from the clip?

    python benchmarks/self_reenactment.py clip.mp4 … [--frames 100] [--lpips lpips_alexnet_full.npz]
        [--output folder]

The field's protocol (Siarohin et al., "First Order Motion Model for Image Animation", NeurIPS 2019,
section 4): the first frame is the target, every frame its driver, relative to the first. Printed
are the average keypoint distance over 68 landmarks that our own encoder reads back (per cent of the
eye distance), the same of the first frame left as it is, and PSNR, SSIM and LPIPS of the face's
box. With `--output` the videos are written for a reader of its own. `benchmarks/reenactment.py`
runs it on the sample clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from common import machine

from xpress.errors import InputError
from xpress.losses.lpips import LPIPS, load_lpips
from xpress.media.video import VideoReader, VideoWriter
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.transfer.driver import drive
from xpress.transfer.head_motion import HeadPose
from xpress.transfer.pose_filter import PoseFilter

BOX = 1.25
"""Side of the compared box over that of the landmarks."""
FIGURES = ("AKD %", "PSNR", "SSIM", "LPIPS")


def reenacted(reenactor: Reenactor, frames: Sequence, name: str) -> list[np.ndarray]:
    """The clip's frames as its first frame shows them."""
    first = frames[0][1]
    face = reenactor.find(first, name=name)[0]
    animator = reenactor.target_animator(ReenactmentOptions(head="source", gaze="source"))
    rest = reenactor.geometry.measure(face.expression, face.identity)
    animator.set(first, [reenactor.rested(face, 0.0)])
    driver = drive(
        reenactor.track(frames),
        reenactor.resting,
        name,
        rest,
        resting_pose=HeadPose.of(face),
        steady=PoseFilter(),
    )
    return [animator.render(frame) for frame in driver]


def compared(
    reenactor: Reenactor, shown: np.ndarray, truth: np.ndarray, lpips: LPIPS | None
) -> list[float] | None:
    """`FIGURES` of one frame; None where either shows no face."""
    try:
        ours, theirs = (reenactor.find(one)[0].landmarks68 for one in (shown, truth))
    except InputError:
        return None
    eyes = float(np.linalg.norm(theirs[36] - theirs[45]))
    distance = float(np.linalg.norm(ours - theirs, axis=1).mean()) / eyes * 100
    low, high = theirs.min(0), theirs.max(0)
    centre, half = (low + high) / 2, float((high - low).max()) * BOX / 2
    x0, y0 = np.maximum(centre - half, 0).astype(int)
    x1, y1 = (centre + half).astype(int)
    first, second = shown[y0:y1, x0:x1], truth[y0:y1, x0:x1]
    error = float(np.mean((first.astype(float) - second) ** 2))
    perceived = float("nan") if lpips is None else perceptual(lpips, first, second)
    return [distance, 10 * np.log10(255**2 / max(error, 1e-9)), likeness(first, second), perceived]


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM of the grey pictures (Wang et al., 2004), a Gaussian window of 11 pixels."""
    a, b = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(float) for one in (first, second))

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mean_a, mean_b = mean(a), mean(b)
    variance = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    shared = mean(a * b) - mean_a * mean_b
    bright = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
    return float((bright * (2 * shared + 58.5225) / (variance + 58.5225)).mean())


def perceptual(lpips: LPIPS, first: np.ndarray, second: np.ndarray) -> float:
    """LPIPS of two pictures."""
    pair = [
        torch.from_numpy(np.ascontiguousarray(one)).permute(2, 0, 1)[None].float() / 255
        for one in (first, second)
    ]
    with torch.inference_mode():
        return float(lpips(*pair))


def report(
    reenactor: Reenactor,
    path: Path,
    frames: int | None,
    every: int,
    lpips: LPIPS | None,
    output: Path | None = None,
) -> None:
    """Print a clip's figures beside those of its first frame left as it is."""
    reader = VideoReader(path)
    clip = list(reader.timed())[:frames]
    drawn = reenacted(reenactor, clip, str(path))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        with VideoWriter(output / path.name, reader.fps, reader.size) as writer:
            for (time, _), frame in zip(clip, drawn, strict=True):
                writer.write(frame, time)
    rows: dict[str, list] = {"reenacted": [], "first frame": []}
    for number in range(every, len(clip), every):
        truth = clip[number][1]
        for name, shown in (("reenacted", drawn[number]), ("first frame", clip[0][1])):
            rows[name].append(compared(reenactor, shown, truth, lpips))
    print(f"\n{path.name}: {len(clip)} frames, every {every}th compared")
    print(f"{'':12s}" + "".join(f"{name:>9s}" for name in FIGURES))
    for name, values in rows.items():
        means = np.mean([row for row in values if row is not None], axis=0)
        print(f"{name:12s}" + "".join(f"{value:9.3f}" for value in means))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=None, help="only the first frames")
    parser.add_argument("--every", type=int, default=5, help="frames of which one is compared")
    parser.add_argument("--lpips", type=Path, help="weights of the perceptual distance")
    parser.add_argument("--output", type=Path, help="folder for the videos")
    options = parser.parse_args()
    print(machine())
    try:
        lpips = None if options.lpips is None else load_lpips(options.lpips)
        reenactor = Reenactor.from_pretrained()
        for clip in options.clips:
            report(reenactor, clip, options.frames, options.every, lpips, options.output)
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
