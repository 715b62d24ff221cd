"""Does the output carry the driver's expression, and does the face stay where it is?

The frames that come out are read back by our own extractor. Correlation over time and ratio of
standard deviations are printed for each signal of `xpress.morphable.signals`, against the driver
as our extractor reads it and as its label file says, with the bounds beside them; then how far
the rigid points move.

    python benchmarks/reenactment.py [--samples ../shared/data/samples] [--extractor labels]

`--extractor labels` fits driver and target to their landmark labels instead of extracting them,
which measures transfer and drawing alone; the output is still read back by the encoder. The head
stands still there, so that the face is read at one place; `self_reenactment` then moves it as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import self_reenactment
import torch
from common import machine

from xpress.commands.overlay import contact_sheet
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample, upright_crop
from xpress.losses.lpips import load_lpips
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader
from xpress.morphable.face_model import FaceModel
from xpress.morphable.fitting import FitSettings, fit_landmarks
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.landmarks.landmark_weights import fit_weights
from xpress.morphable.model import MorphableModel
from xpress.morphable.signals import expression_signals
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.transfer.driver import drive

PAIRS = (("talking_man.mp4", "portrait_woman.jpg"), ("expressive_woman.mp4", "portrait_man.jpg"))
ROWS = {
    "mouth opening": ([0], 0.9),
    "mouth width": ([1], 0.75),
    "smile": ([2], 0.7),
    "lids": ([3, 4], 0.75),
    "brows": ([5, 6], 0.7),
}
GAIN = (0.6, 1.4)
RIGID = [27, 28, 29, 30, 36, 39, 42, 45]
RIGID_BOUND = 1.0


def signals(landmarks: np.ndarray) -> np.ndarray:
    """(T, 5): the rows of `ROWS`, both sides averaged."""
    both = expression_signals(torch.from_numpy(np.asarray(landmarks, np.float32))).numpy()
    return np.stack([both[:, columns].mean(1) for columns, _ in ROWS.values()], axis=1)


def agreement(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Correlation, and the first's standard deviation over the second's."""
    ratio = float(first.std() / max(second.std(), 1e-9))
    return float(np.corrcoef(first, second)[0, 1]), ratio


def labelled_faces(model: FaceModel, path: Path, count: int | None) -> list[FaceSample]:
    """Fits of a label file's landmarks; one person."""
    with np.load(path) as archive:
        points = np.concatenate([archive["landmarks68"], archive["contours"]], axis=1)[:count]
    fit = fit_landmarks(
        LandmarkModel.of(MorphableModel.of(model)),
        torch.from_numpy(points),
        torch.from_numpy(fit_weights()),
        torch.zeros(len(points), dtype=torch.long),
        FitSettings(iterations=8, noise=0.012),
    )
    return [
        FaceSample(
            identity=fit.identity[i].double().numpy(),
            expression=fit.expression[i].double().numpy(),
            color=np.zeros(model.sizes[2]),
            illumination=np.zeros((9, 3)),
            rotation=fit.rotation[i].double().numpy(),
            translation=fit.translation[i].double().numpy(),
            scale=float(fit.scale[i]),
            landmarks68=points[i, :68].astype(np.float64),
            contours=points[i, 68:].astype(np.float64),
        )
        for i in range(len(points))
    ]


def label_file(path: Path) -> Path:
    return path.with_name(f"{path.stem}.landmarks.npz")


def run(reenactor: Reenactor, source: Path, target: Path, options, sheets: Path | None) -> bool:
    """Print one table; True if everything is within its bound."""
    reader = VideoReader(source)
    frames = list(reader.timed())[: options.frames]
    image = read_image(target)
    tracked = list(reenactor.track(frames))
    labels = None
    if label_file(source).exists():
        with np.load(label_file(source)) as archive:
            labels = archive["landmarks68"][: options.frames]
    if options.extractor == "labels":
        reenactor.signal_gain = None
        faces = labelled_faces(reenactor.model, label_file(source), options.frames)
        tracked = [(time, face) for (time, _), face in zip(frames, faces, strict=True)]
        found = labelled_faces(reenactor.model, label_file(target), None)[0]
    else:
        found = reenactor.find(image, name=str(target))[0]
    animator = reenactor.target_animator(ReenactmentOptions(head="target"))
    rested = reenactor.rested(found)
    animator.set(image, [rested])
    drivers = list(drive(tracked, reenactor.resting, str(source)))
    output = [animator.render(driver) for driver in drivers]
    # the target's head stands still: one crop for all frames leaves the reader's own noise out
    crop = upright_crop(reenactor.find(image, name=str(target))[0].landmarks68)
    own = reenactor.extractor(image, crop).landmarks68
    back = [reenactor.extractor(frame, crop) for frame in output]
    if sheets is not None:
        save_sheet(sheets / f"{source.stem}_to_{target.stem}.png", frames, output)
    used = [i for i, face in enumerate(back) if face.presence > 0.5 and tracked[i][1] is not None]
    print(f"\n{source.name} → {target.name}: {len(used)} of {len(frames)} frames compared")
    if len(used) < 10:
        print("too few frames with a face")
        return False
    landmarks = np.array([back[i].landmarks68 for i in used])
    driving = np.array([tracked[i][1].landmarks68 for i in used])
    rendered = np.array([mesh_landmarks(reenactor, animator, rested, drivers[i]) for i in used])
    good = table(signals(landmarks), signals(driving), labels, used, signals(rendered))
    good &= rigid_motion("as read back", own, landmarks)
    rigid_motion("on the mesh", own, np.array(rendered) - rested.face.landmarks68 + own)
    rigid_motion("by optical flow", own, flow_landmarks(image, output, own))
    return good


def mesh_landmarks(reenactor: Reenactor, animator, rested, driver) -> np.ndarray:
    """Where the face model puts the landmarks: what a perfect drawing would show."""
    expression = animator.expression(driver, rested)
    return reenactor.extractor.update(rested.face, expression=expression).landmarks68


def table(output, driver, labels, used, mesh) -> bool:
    labelled = None if labels is None else signals(labels[used])
    print(f"{'':15}{'correlation':>22}{'SD ratio':>22}{'labels':>16}{'mesh only':>16}")
    good = True
    for row, (name, (_, bound)) in enumerate(ROWS.items()):
        correlation, ratio = agreement(output[:, row], driver[:, row])
        within = correlation >= bound and GAIN[0] <= ratio <= GAIN[1]
        good &= within
        beside = ["", ""]
        if labelled is not None:
            beside[0] = "{:.2f} {:.2f}".format(*agreement(output[:, row], labelled[:, row]))
        beside[1] = "{:.2f} {:.2f}".format(*agreement(mesh[:, row], driver[:, row]))
        limits = f"({GAIN[0]} to {GAIN[1]})"
        print(
            f"{name:15}{correlation:>12.2f} (≥ {bound:.2f}){ratio:>9.2f} {limits:>12}"
            f"{beside[0]:>16}{beside[1]:>16}{'' if within else '   out of bounds'}"
        )
    return good


def flow_landmarks(image: np.ndarray, output, own: np.ndarray) -> np.ndarray:
    """The rigid points followed from the target into each frame (Lucas-Kanade).

    A point that does not find its way back, as at the corner of an eye that shuts, becomes NaN.
    """
    first = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    points = own[RIGID].astype(np.float32)[:, None]
    window = max(int(np.linalg.norm(own[36] - own[45]) / 10), 7)
    followed = []
    for frame in output:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        settings = {"winSize": (window, window), "maxLevel": 1}
        moved = cv2.calcOpticalFlowPyrLK(first, grey, points, None, **settings)[0]
        back = cv2.calcOpticalFlowPyrLK(grey, first, moved, None, **settings)[0]
        lost = np.linalg.norm(back - points, axis=-1) > 0.15
        landmarks = own.copy()
        landmarks[RIGID] = np.where(lost, np.nan, moved[:, 0])
        followed.append(landmarks)
    return np.array(followed)


def rigid_motion(how: str, own: np.ndarray, landmarks: np.ndarray) -> bool:
    """Nose bridge and eye corners against the target's own, RMS over time and points."""
    eye = np.linalg.norm(own[36] - own[45])
    offsets = (landmarks[:, RIGID] - own[RIGID]) / eye * 100
    rms = float(np.sqrt(np.nanmean((offsets**2).sum(-1))))
    jitter = float(np.sqrt(np.nanmean(((offsets - np.nanmean(offsets, 0)) ** 2).sum(-1))))
    nose = float(np.sqrt(np.nanmean((offsets[:, :4] ** 2).sum(-1))))
    within = rms < RIGID_BOUND
    print(
        f"rigid points move, {how}, {rms:.2f}% of the eye-corner distance (< {RIGID_BOUND}%), "
        f"{jitter:.2f}% around their mean, the nose bridge alone {nose:.2f}%"
        f"{'' if within else '   out of bounds'}"
    )
    return within


def save_sheet(path: Path, frames, output) -> None:
    """Every eighth frame: driver above, output below."""
    pairs = []
    for (_, frame), drawn in list(zip(frames, output, strict=True))[::8]:
        height = round(frame.shape[0] * 200 / frame.shape[1])
        pairs.append(np.vstack([cv2.resize(frame, (200, height)), cv2.resize(drawn, (200, 200))]))
    write_image(path, contact_sheet(pairs, columns=8, width=200))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--samples", type=Path, default=here.parent / "shared/data/samples")
    parser.add_argument("--extractor", choices=("encoder", "labels"), default="encoder")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--frames", type=int, default=None, help="only the first frames")
    parser.add_argument("--lpips", type=Path, help="weights of the perceptual distance")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
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
    for source, target in PAIRS:
        run(reenactor, options.samples / source, options.samples / target, options, options.sheets)
    lpips = None if options.lpips is None else load_lpips(options.lpips)
    for source, _ in PAIRS:
        self_reenactment.report(reenactor, options.samples / source, options.frames, 5, lpips)


if __name__ == "__main__":
    main()
