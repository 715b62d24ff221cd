"""Does a driver's expression arrive, as somebody else reads it? One table for a model card.

Clips move portraits of other people, and a judge of its own reads driver and output: nothing is
read back by the encoder that made it. The judge is a command that takes `cross OUT DRIVER TARGET`,
`self OUT CLIP` and `edit OUT.png BEFORE.png` and prints a JSON line: `corr` and `gain` (standard
deviation of the output over the driver's) of its signals, `blendshapes` as [correlation, gain],
`rigid_drift_pct_iod`, `ratio` of errors over those of a still frame, and signals before and after.

    python benchmarks/judged.py --judge "python judge.py" [--pairs looking|tuning] [--output FOLDER]

Portraits are those beside the clips and the calmest frames of some people of a pack, enlarged.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from common import machine
from self_reenactment import reenacted

from xpress.commands.reenact import reenact
from xpress.errors import InputError
from xpress.media.images import read_image, write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.packs.records import decode
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.transfer.driver import DriverFrame

QUOTED = (
    ("talking_man.mp4", "portrait_woman.jpg"),
    ("talking_woman.mp4", "portrait_man.jpg"),
    ("expressive_woman.mp4", "portrait_man.jpg"),
    ("talking_man.mp4", "people-val:1"),
    ("talking_woman.mp4", "people-val:2"),
    ("expressive_woman.mp4", "people-val:4"),
)
LOOKING = (
    ("people-val:auduno_7f2df3", "portrait_woman.jpg"),
    ("people-val:jeeliz_c0b192", "portrait_man.jpg"),
)
"""Drivers whose eyes turn by more than 0.07 eye widths (standard deviation) and whose heads by less
than ten degrees; the eyes of the sample clips turn by 0.02 to 0.04."""
TUNING = (
    ("expressive_woman.mp4", "people-train:0"),
    ("talking_woman.mp4", "people-train:4"),
    ("people-train:1zlab_51f0c4", "people-train:3"),
)
PAIRS = {"quoted": QUOTED, "looking": LOOKING, "tuning": TUNING}
SIGNALS = {
    "gaze sideways": "gaze_x",
    "gaze up and down": "gaze_y",
    "mouth opening": "mouth_open",
    "mouth width": "mouth_width",
    "smile": "smile",
    "upper lip": "upper_lip",
    "jaw": "jaw",
    "lid, right": "eye_r",
    "lid, left": "eye_l",
    "brow, right": "brow_r",
    "brow, left": "brow_l",
}
SHAPES = ("jawOpen", "mouthUpperUp", "mouthStretch", "mouthSmile", "eyeBlink", "browInnerUp")
FACTOR = 3
"""Enlargement of a pack's pictures; judges see little in small faces."""
WORST_YAW = 12.0
RATE = 8
"""Frames a second of clips that are made of a pack's frames of one person."""


def calm_frame(pack: Path, number: int) -> np.ndarray:
    """A person of a pack, numbered by the clips' names, in its calmest frame, enlarged."""
    table = pq.read_table(pack, columns=["image", "key", "blendshapes", "head"])
    names = (table.schema.metadata or {})[b"blendshape_names"].decode().split(",")
    moved = [names.index(n) for n in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")]
    scores = np.array(table["blendshapes"].to_pylist())[:, moved].sum(1)
    turned = np.abs(np.array(table["head"].to_pylist()))
    effort = scores + turned.max(1) / WORST_YAW
    clips = np.array([key.rsplit("/", 1)[0] for key in table["key"].to_pylist()])
    calm = {
        clip: int(np.flatnonzero(clips == clip)[effort[clips == clip].argmin()])
        for clip in np.unique(clips)
    }
    frontal = [row for row in calm.values() if turned[row].max() < WORST_YAW]
    return enlarged(decode(table["image"][frontal[number]].as_py()))


def judged(command: str, *arguments: object) -> dict:
    """What the judge says.

    Raises:
        SystemExit: it failed.
    """
    run = subprocess.run(
        [*shlex.split(command), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if run.returncode or not run.stdout.strip():
        raise SystemExit(f"error: the judge failed ({run.stderr.strip()[-300:]})")
    return json.loads(run.stdout.strip().splitlines()[-1])


def driver_of(data: Path, name: str, frames: int | None, folder: Path) -> Path:
    """A clip of the samples, or a pack's frames of one person, `pack:person`, in their order."""
    pack, _, person = name.partition(":")
    if not person:
        return shortened(data / "samples" / name, frames, folder)
    path = folder / f"{pack}_{person}.mp4"
    table = pq.read_table(data / f"{pack}.parquet", columns=["image", "key"])
    keys = table["key"].to_pylist()
    rows = sorted((key, row) for row, key in enumerate(keys) if f"/{person}/" in key)
    if not rows:
        raise InputError(f"{pack}: shows nobody called {person}")
    images = [enlarged(decode(table["image"][row].as_py())) for _, row in rows[:frames]]
    with VideoWriter(path, Fraction(RATE), images[0].shape[1::-1]) as writer:
        for number, image in enumerate(images):
            writer.write(image, Fraction(number, RATE))
    return path


def enlarged(image: np.ndarray) -> np.ndarray:
    """A picture at `FACTOR` times its size."""
    return cv2.resize(image, None, fx=FACTOR, fy=FACTOR, interpolation=cv2.INTER_LANCZOS4)


def shortened(clip: Path, frames: int | None, folder: Path) -> Path:
    """The clip's first frames as a clip of their own; the clip itself without a number."""
    if frames is None:
        return clip
    reader, path = VideoReader(clip), folder / f"{clip.stem}_{frames}.mp4"
    if not path.exists():
        first = next(iter(VideoReader(clip)))
        with VideoWriter(path, reader.fps, (first.shape[1], first.shape[0])) as writer:
            for time, frame in islice(reader.timed(), frames):
                writer.write(frame, time)
    return path


def winks(reenactor: Reenactor, judge: str, target: Path, folder: Path) -> list[list[float]]:
    """Opening over the photograph's own: the eye that winks and the other, for both sides."""
    image = read_image(target)
    animator = reenactor.target_animator(ReenactmentOptions())
    animator.set(image, [reenactor.rested(face) for face in reenactor.find(image)])
    names, rows = reenactor.model.expression_names, []
    nothing = np.zeros(reenactor.model.sizes[0])
    rest = reenactor.geometry.measure(np.zeros(len(names)), nothing)
    for side, closed, other in (("R", "eye_r", "eye_l"), ("L", "eye_l", "eye_r")):
        wink = np.array([float(name == f"eyeBlink_{side}") for name in names])
        shown = reenactor.geometry.measure(wink, nothing)
        path = folder / f"{target.stem}_wink_{side}.png"
        write_image(path, animator.render(DriverFrame(Fraction(0), shown, rest)))
        found = judged(judge, "edit", path, target)
        rows.append([found[name][1] / found[name][0] for name in (closed, other)])
    return rows


def blendshape(report: dict, name: str) -> list[float] | None:
    """Mean of both sides, None where the driver hardly does it."""
    sides = [v for n, v in report.get("blendshapes", {}).items() if n.startswith(name)]
    return np.mean(sides, axis=0).tolist() if sides else None


def table(reports: list[dict]) -> str:
    """Means over the pairs, and how many of them the driver gave something to."""
    lines = [f"{'':20}{'correlation':>12}{'gain':>8}{'pairs':>7}"]
    for name, key in SIGNALS.items():
        rows = [[r["corr"][key], r["gain"][key]] for r in reports]
        lines.append(_line(name, rows))
    for name in SHAPES:
        rows = [v for v in (blendshape(r, name) for r in reports) if v is not None]
        lines += [_line(name, rows)] if rows else []
    drift = np.mean([r["rigid_drift_pct_iod"] for r in reports])
    return "\n".join([*lines, f"rigid points move by {drift:.2f}% of the eye distance"])


def _line(name: str, rows: list[list[float]]) -> str:
    correlation, gain = np.mean(rows, axis=0)
    return f"{name:20}{correlation:>12.2f}{gain:>8.2f}{len(rows):>7}"


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared/data"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", required=True, help="command that reads faces; see above")
    parser.add_argument("--data", type=Path, default=beside, help="folder of packs and samples/")
    parser.add_argument("--pairs", choices=tuple(PAIRS), default="quoted")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--frames", type=int, help="only the first frames of each clip")
    parser.add_argument("--itself", action="store_true", help="also clips by themselves")
    parser.add_argument("--output", type=Path, help="folder to keep the videos in")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="xpress_") as temporary:
        folder = options.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            run(options, folder)
        except InputError as error:
            raise SystemExit(f"error: {error}") from None


def run(options: argparse.Namespace, folder: Path) -> None:
    """All pairs, winks of their portraits, and each clip by its own first frame."""
    reenactor = Reenactor.from_pretrained(options.weights)
    pairs = PAIRS[options.pairs]
    reports, closed = [], []
    for source, target in pairs:
        driver = driver_of(options.data, source, options.frames, folder)
        portrait = portrait_of(options.data, target, folder)
        output = folder / f"{driver.stem}_to_{portrait.stem}.mp4"
        reenact(driver, portrait, output, progress=False, reenactor=reenactor)
        reports.append(judged(options.judge, "cross", output, driver, portrait))
        print(f"{source} → {target}: {json.dumps(reports[-1])}", flush=True)
        closed += winks(reenactor, options.judge, portrait, folder)
    print(f"\n{table(reports)}")
    wink = np.array(closed)
    good = ((wink[:, 0] < 0.35) & (wink[:, 1] > 0.75)).sum()
    print(
        f"winks: the closed eye keeps {wink[:, 0].mean():.2f} (worst {wink[:, 0].max():.2f}), the "
        f"other {wink[:, 1].mean():.2f} (worst {wink[:, 1].min():.2f}) of its opening; "
        f"{good} of {len(wink)} close below 0.35 with the other above 0.75"
    )
    for source in dict.fromkeys(source for source, _ in pairs) if options.itself else ():
        clip = driver_of(options.data, source, options.frames, folder)
        output, reader = folder / f"{clip.stem}_itself.mp4", VideoReader(clip)
        shown = reenacted(reenactor, list(reader.timed()), source)
        with VideoWriter(output, reader.fps, shown[0].shape[1::-1]) as writer:
            for frame in shown:
                writer.write(frame)
        found = judged(options.judge, "self", output, clip)
        print(f"{source} by itself, error over the still frame's: {found['ratio']}")


def portrait_of(data: Path, name: str, folder: Path) -> Path:
    """A photograph beside the clips, or `pack:number`."""
    pack, _, number = name.partition(":")
    if not number:
        return data / "samples" / name
    path = folder / f"{pack}_{number}.png"
    write_image(path, calm_frame(data / f"{pack}.parquet", int(number)))
    return path


if __name__ == "__main__":
    main()
