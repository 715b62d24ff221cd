"""The frozen encoder as a differentiable reader of action units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.models.expression_editing.reader import ActionUnitReader, eye_opening
from xpress.packs import read_records
from xpress.packs.records import decode
from xpress.reenactment.pretrained import load_pretrained


@pytest.fixture(scope="module")
def reader() -> ActionUnitReader:
    return ActionUnitReader()


@pytest.fixture(scope="module")
def crops(packs: Path) -> np.ndarray:
    """(4, 128, 128, 3) canonical crops of video frames."""
    records = read_records(packs / "video-faces-val.parquet")
    rows = [0, 60, 120, 180]
    return np.stack(
        [Crop.around(records.landmarks68[r]).cut(decode(records.images[r])) for r in rows]
    )


def as_image(crops: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def test_reads_as_the_frame_loops_encoder_does(reader: ActionUnitReader, crops: np.ndarray) -> None:
    reading = reader(as_image(crops))
    extractor = load_pretrained(mouth="none").extractor
    extractor.readers = []  # which read eyes and lips from more pixels than the crop has
    whole = Crop((63.5, 63.5), 128.0)
    faces = [extractor(crop, whole) for crop in crops]
    np.testing.assert_allclose(reading.landmarks68, [face.landmarks68 for face in faces], atol=0.05)
    np.testing.assert_allclose(reading.expression, [f.expression for f in faces], atol=2e-3)


def test_reads_the_same_at_other_sizes(reader: ActionUnitReader, crops: np.ndarray) -> None:
    full = reader(as_image(crops))
    double = functional.interpolate(as_image(crops), scale_factor=2.0, mode="bilinear")
    large = reader(double)
    assert (large.units - full.units).abs().mean() < 0.02
    assert ((large.landmarks68 + 0.5) / 2 - 0.5 - full.landmarks68).abs().mean() < 0.5


def test_gradient_reaches_the_picture_alone(reader: ActionUnitReader, crops: np.ndarray) -> None:
    image = as_image(crops[:1]).requires_grad_()
    reader.train()
    assert not reader.encoder.training
    reading = reader(image)
    (reading.units.sum() + reading.opening.sum()).backward()
    assert image.grad is not None
    gradient = image.grad
    step = 1e-3 * gradient / gradient.norm()
    with torch.no_grad():
        ends = [reader(image + sign * step) for sign in (-1, 1)]
    change = sum(
        sign * (e.units.sum() + e.opening.sum()) for sign, e in zip((-1, 1), ends, strict=True)
    )
    assert float(change) == pytest.approx(2e-3 * float(gradient.norm()), rel=0.1)
    assert all(parameter.grad is None for parameter in reader.parameters())


def test_eye_opening_is_the_height_over_the_width() -> None:
    points = torch.zeros(1, 68, 2)
    for start in (36, 42):
        points[0, start], points[0, start + 3] = torch.tensor([0.0, 0]), torch.tensor([20.0, 0])
        for i, (x, y) in enumerate([(5, -3), (15, -3)]):
            points[0, start + 1 + i] = torch.tensor([float(x), float(y)])
            points[0, start + 5 - i] = torch.tensor([float(x), float(-y)])
    assert float(eye_opening(points)) == pytest.approx(0.3)


def test_wrong_weights_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such card"):
        ActionUnitReader(tmp_path / "none.safetensors")
