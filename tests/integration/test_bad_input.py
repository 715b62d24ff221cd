"""Bad input: one line, a non-zero status, nothing left behind."""

import os

import cv2
import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path, samples):
    (tmp_path / "text.mp4").write_text("This is no video.\n")
    whole = (samples / "talking_man.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    return tmp_path


CASES = {
    "text": ("reenact", {"source": "text.mp4"}, "text.mp4"),
    "truncated": ("reenact", {"source": "cut.mp4"}, "cut.mp4"),
    "missing": ("reenact", {"source": "none.mp4"}, "no such file"),
    "tiny": ("reenact", {"target": "dot.png"}, "dot.png: 1x1"),
    "faceless": ("reenact", {"target": "noise.png"}, "noise.png: no face found"),
    "suffix": ("reenact", {"output": "out.gif"}, "out.gif"),
    "index": ("reenact", {"face": "7"}, "face=7"),
    "extract faceless": ("extract", {"target": "noise.png", "output": "found"}, "no face found"),
    "unknown task": ("fly", {}, "fly"),
    "unknown option": ("reenact", {"speed": "2"}, "speed"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_left(infer, folder, samples, case):
    task, given, message = CASES[case]
    options = {"source": samples / "talking_man.mp4", "target": samples / "portrait_man.jpg"}
    options |= {"output": "out.mp4"}
    if task == "extract":
        del options["source"]
    before = sorted(p.name for p in folder.iterdir())
    arguments = [f"{name}={value}" for name, value in (options | given).items()]
    done = infer(f"task={task}", *arguments, cwd=folder)
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert message in lines[0]
    assert sorted(p.name for p in folder.iterdir()) == before


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_output_that_cannot_be_written_is_told_before_the_work(infer, folder, samples):
    (folder / "file").write_text("x")
    done = infer(
        "task=reenact",
        f"source={samples / 'talking_man.mp4'}",
        f"target={samples / 'portrait_man.jpg'}",
        "output=file/out.mp4",
        cwd=folder,
    )
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "file" in done.stderr
