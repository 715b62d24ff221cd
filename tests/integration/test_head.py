"""Heads that move with their driver, from file to file."""

from importlib.resources import as_file, files

import numpy as np
import pytest

from xpress import FaceReader
from xpress.media.images import read_image
from xpress.media.video import VideoReader
from xpress.morphable.face_model import FaceModel
from xpress.structures import FaceParameters

FRAMES = 24
AMPLITUDE = np.deg2rad([8.0, 12.0, 14.0])
"""Pitch, yaw and roll."""


@pytest.fixture(scope="module")
def nodding(tmp_path_factory):
    """A recording whose expression rests while its head turns around all axes."""
    identity, expression, color = FaceModel.default().sizes
    phase = 2 * np.pi * np.arange(FRAMES)[:, None] / FRAMES * np.array([1, 2, 1]) + [0, 0, 1.5]
    parameters = FaceParameters(
        identity=np.zeros((FRAMES, identity), np.float32),
        expression=np.zeros((FRAMES, expression), np.float32),
        color=np.zeros((FRAMES, color), np.float32),
        illumination=np.zeros((FRAMES, 9, 3), np.float32),
        rotation=(AMPLITUDE * np.sin(phase)).astype(np.float32),
        translation=np.full((FRAMES, 2), 200, np.float32),
        scale=np.full(FRAMES, 12, np.float32),
    )
    path = tmp_path_factory.mktemp("heads") / "nodding.npz"
    parameters.save(path, fps=np.array([12, 1]))
    return path, parameters.rotation


def test_the_head_follows_and_the_background_stays(infer, nodding, tmp_path):
    driver, rotation = nodding
    output = tmp_path / "out.mp4"
    with as_file(files("xpress") / "assets" / "demo" / "target.jpg") as target:
        done = infer(
            "task=reenact",
            f"source={driver}",
            f"target={target}",
            f"output={output}",
            "smoothing=false",
        )
        before = read_image(target)
    assert done.returncode == 0, done.stderr
    frames = list(VideoReader(output))
    assert len(frames) == FRAMES
    reader = FaceReader.from_pretrained()
    read = np.array([reader.find(frame)[0].rotation for frame in frames])
    for axis, least in enumerate((0.9, 0.9, 0.95)):
        assert np.corrcoef(read[:, axis], rotation[:, axis])[0, 1] > least
        gain = read[:, axis].std() / rotation[:, axis].std()
        assert 0.6 < gain < 1.4
    # what is far from the head changes by no more than the encoder's loss
    corner = np.abs(np.stack(frames)[:, :120, :60].astype(float) - before[:120, :60])
    assert corner.mean() < 3
    assert np.stack(frames)[:, :120, :60].astype(float).std(0).mean() < 1


def test_wrong_options_are_told(infer, nodding, tmp_path):
    with as_file(files("xpress") / "assets" / "demo" / "target.jpg") as target:
        done = infer(
            "task=reenact",
            f"source={nodding[0]}",
            f"target={target}",
            f"output={tmp_path / 'out.mp4'}",
            "head=sideways",
        )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "head=sideways: choose auto, target, source, or a factor from 0 to 2" in line
    assert not (tmp_path / "out.mp4").exists()
