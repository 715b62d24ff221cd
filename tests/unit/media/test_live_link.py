"""CSV files of Live Link Face, read and written; broken ones end in one line."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from xpress.errors import InputError
from xpress.media.live_link import (
    ARKIT_SHAPES,
    BlendshapeRecording,
    is_time_code,
    read_live_link,
    time_code,
    write_live_link,
)
from xpress.media.sources import open_source

# the first and the last columns as the app writes them
HEAD = "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft"
TAIL = "NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw"


def _recording(frames: int, start: str = "01:02:03:04.000", fps: int = 30) -> BlendshapeRecording:
    random = np.random.default_rng(1)
    return BlendshapeRecording(
        random.random((frames, 52)),
        random.normal(size=(frames, 3)),
        random.normal(size=(frames, 6)),
        Fraction(fps),
        start,
    )


def test_is_read_as_it_was_written(tmp_path: Path):
    written = _recording(70)
    write_live_link(tmp_path / "take.csv", written)
    text = (tmp_path / "take.csv").read_text()
    assert text.startswith(HEAD)
    assert TAIL in text.splitlines()[0]
    assert text.splitlines()[1].startswith("01:02:03:04.000,61,")
    read = read_live_link(tmp_path / "take.csv")
    assert (read.fps, read.start, len(read)) == (30, written.start, 70)
    for name in ("scores", "head", "eyes"):
        assert np.abs(getattr(read, name) - getattr(written, name)).max() < 1e-7
    source = open_source(tmp_path / "take.csv")
    assert (source.kind, source.frame_count, source.fps) == ("parameters", 70, 30)
    with pytest.raises(InputError, match="not pictures"):
        list(source)


def test_columns_are_found_by_name_and_dropped_frames_repeat_the_one_before(tmp_path: Path):
    names = [name[0].upper() + name[1:] for name in ARKIT_SHAPES][::-1]  # another order
    lines = ["Timecode,BlendShapeCount," + ",".join(names)]
    for code in ("23:59:59:57.0", "23:59:59:58.5", "24:00:00:01.0"):
        lines.append(f"{code},52," + ",".join(["0"] * 34 + [f"0.{len(lines)}"] + ["0"] * 17))
    (tmp_path / "take.csv").write_text("\n".join(lines))
    read = read_live_link(tmp_path / "take.csv")
    assert read.fps == 60
    column = np.flatnonzero(read.scores.any(0))
    assert [ARKIT_SHAPES[i] for i in column] == ["jawOpen"]
    assert read.scores[:, column[0]].tolist() == [0.1, 0.2, 0.2, 0.2, 0.3]
    assert not read.head.any()


@pytest.mark.parametrize(("frame", "code"), [(0, "00:00:00:00.000"), (Fraction(7321, 2), None)])
def test_time_codes(frame, code):
    assert time_code(frame, 30) == (code or "00:02:02:00.500")
    assert is_time_code(time_code(frame, 30))
    assert not is_time_code("12:00")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("JawOpen", "Jaw"), "lacks the column JawOpen"),
        (lambda text: text.splitlines()[0], "holds no frame"),
        (lambda text: "", "lacks the column Timecode"),
        (lambda text: text[:-200], "line 4 is cut or holds no number"),
        (lambda text: text.replace(":05.000", ":xx"), "line 3 has the time code"),
        (lambda text: text.replace(",61,0.", ",61,nan0."), "line 2 is cut or holds no number"),
        (lambda text: text.replace(",61,0.", ",61,1e999+0.").replace("+0.", ",0."), "not finite"),
        (lambda text: text.replace(":05.000", ":" + "9" * 5000), "line 3 has the time code"),
        (lambda text: text.replace("JawOpen", '"' + "x" * 200_000), "not a table"),
        (lambda text: text.replace("03:06", "02:06"), "line 4 goes back in time"),
        (lambda text: text.replace("01:02:03:06", "09:02:03:06"), "leave out nearly all"),
    ],
)
def test_broken_files_are_told_in_one_line(tmp_path: Path, change, words):
    path = tmp_path / "take.csv"
    write_live_link(path, _recording(3))
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=words) as caught:
        open_source(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_live_link(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="cannot be read as text"):
        read_live_link(tmp_path / "binary.csv")
