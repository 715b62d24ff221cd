"""Recordings of ARKit blendshapes as Epic's Live Link Face app writes and streams them.

A row of its CSV, as a packet of its stream, holds 61 numbers: the 52 scores of Apple's ARKit, then
yaw, pitch and roll of the head and of both eyes in radians.
"""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from xpress.errors import InputError
from xpress.whole_files import written_beside

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_SIDES = ("Left", "Right")


def _sided(*names: str) -> list[str]:
    return [name + side for name in names for side in _SIDES]


ARKIT_SHAPES = (
    *(f"eye{name}{side}" for side in _SIDES for name in _EYE),
    *("jawForward", "jawRight", "jawLeft", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft"),
    *_sided("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *_sided("mouthPress", "mouthLowerDown", "mouthUpperUp", "browDown"),
    *("browInnerUp", *_sided("browOuterUp"), "cheekPuff"),
    *_sided("cheekSquint", "noseSneer"),
    "tongueOut",
)
"""ARKit's 52 blendshapes in the order of Live Link Face; sides are the face owner's."""
_ANGLES = tuple(
    f"{part}{angle}"
    for part in ("Head", "LeftEye", "RightEye")
    for angle in ("Yaw", "Pitch", "Roll")
)
_COLUMNS = tuple(name[0].upper() + name[1:] for name in ARKIT_SHAPES) + _ANGLES
START = "00:00:00:00.000"
"""Time code of recordings that have none."""
_RATES = (24, 25, 30, 48, 50, 60)
_SHAPES = len(ARKIT_SHAPES)


@dataclass(frozen=True)
class BlendshapeRecording:
    """ARKit blendshapes over time.

    Attributes:
        scores: in [0, 1], in the order of `ARKIT_SHAPES`.
        head: yaw, pitch and roll in radians: turns about the axes up, to the owner's left, and
            forwards, of which roll is done first.
        eyes: the same of the left, then of the right eye.
        fps: frames per second.
        start: time code of the first frame, `HH:MM:SS:FF.mmm` with FF in frames.
    """

    scores: Float[np.ndarray, "T 52"]
    head: Float[np.ndarray, "T 3"]
    eyes: Float[np.ndarray, "T 6"]
    fps: Fraction
    start: str = START

    def __len__(self) -> int:
        return len(self.scores)


def read_live_link(path: str | os.PathLike) -> BlendshapeRecording:
    """Read a CSV of Live Link Face.

    The rate is the usual one that the frames of the time codes fit into; frames that were dropped
    repeat the one before.

    Raises:
        InputError: missing, not such a file, or with rows that are cut or hold no numbers.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise InputError(f"{path}: not a table ({error})") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [n for n in ("Timecode", *_COLUMNS[:_SHAPES]) if n.lower() not in header]
    if missing:
        raise InputError(
            f"{path}: lacks the column {missing[0]}; give a CSV of Live Link Face with "
            f"{_SHAPES} blendshapes"
        )
    if len(rows) < 2:
        raise InputError(f"{path}: holds no frame; give another recording")
    places = [header.index(n.lower()) if n.lower() in header else None for n in _COLUMNS]
    values = np.array([_numbers(path, i, row, places) for i, row in enumerate(rows[1:], 2)])
    codes = [row[header.index("timecode")] for row in rows[1:]]
    frames, fps = _frame_numbers(path, codes)
    values = values[np.searchsorted(frames, np.arange(frames[-1] + 1), side="right") - 1]
    scores, head, eyes = np.split(values, [_SHAPES, _SHAPES + 3], axis=1)
    return BlendshapeRecording(scores.clip(0, 1), head, eyes, fps, codes[0].strip())


def write_live_link(path: str | os.PathLike, recording: BlendshapeRecording) -> None:
    """Write a CSV as Live Link Face does; raises `InputError` where it cannot be written."""
    rate = round(recording.fps)
    first = _ticks(recording.start, rate)
    if first is None:
        raise InputError(f"{path}: starts at {recording.start}, no time code of HH:MM:SS:FF")
    values = np.hstack([recording.scores, recording.head, recording.eyes])
    lines = [",".join(("Timecode", "BlendShapeCount", *_COLUMNS))]
    for number, row in enumerate(values):
        code = time_code(first + number, rate)
        lines.append(",".join((code, str(len(_COLUMNS)), *(f"{v:.8f}" for v in row))))
    with written_beside(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def is_time_code(text: str) -> bool:
    """Whether a text is of the form HH:MM:SS:FF, with or without a fraction of a frame."""
    return _ticks(text, 1) is not None


def time_code(frame: Fraction | int, rate: int) -> str:
    """`HH:MM:SS:FF.mmm` of a frame counted from midnight at `rate` frames per second."""
    whole, part = divmod(Fraction(frame), 1)
    seconds, ticks = divmod(int(whole), rate)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % 24:02}:{minutes:02}:{seconds:02}:{ticks:02}.{int(part * 1000):03}"


def _ticks(code: str, rate: int) -> Fraction | None:
    """Frames since midnight, None where the text is no time code."""
    found = re.fullmatch(r"\s*(\d{1,3}):(\d{1,3}):(\d{1,3})[:;](\d{1,4}(?:\.\d{1,9})?)\s*", code)
    if found is None:
        return None
    hours, minutes, seconds = (int(found[n]) for n in (1, 2, 3))
    return ((hours * 60 + minutes) * 60 + seconds) * rate + Fraction(found[4])


def _frame_numbers(path: Path, codes: list[str]) -> tuple[np.ndarray, Fraction]:
    """Number of each row's frame after the first, growing, and the rate."""
    last = 0
    for line, code in enumerate(codes, 2):
        ticks = _ticks(code, 0)
        if ticks is None:
            raise InputError(
                f"{path}: line {line} has the time code {code[:24]!r}, not HH:MM:SS:FF"
            )
        last = max(last, int(ticks))
    # within less than a second the largest number says little: the app's own rate is taken
    whole = len({code.strip().rpartition(":")[0] for code in codes}) > 1
    rate = next((r for r in _RATES if r > last), last + 1) if whole else max(60, last + 1)
    counted = np.array([int(_ticks(code, rate) or 0) for code in codes])
    frames = counted - counted[0]
    if (np.diff(frames) < 0).any():
        line = int(np.argmax(np.diff(frames) < 0)) + 3
        raise InputError(f"{path}: line {line} goes back in time; sort the rows by time code")
    if frames[-1] > 100 * len(frames) + rate:
        raise InputError(f"{path}: its time codes leave out nearly all frames; record it again")
    return frames, Fraction(rate)


def _numbers(path: Path, line: int, row: list[str], places: list[int | None]) -> list[float]:
    try:
        values = [0.0 if place is None else float(row[place]) for place in places]
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: line {line} is cut or holds no number ({error})") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: line {line} holds a number that is not finite")
    return values
