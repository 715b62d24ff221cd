"""Batches of faces with action units, wanted action units and a teacher's edits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional
from xpress.data_modules import pack_data_module
from xpress.data_modules.expressions import rows as expression_rows
from xpress.data_modules.expressions.data_module import ExpressionDataModule
from xpress.data_modules.expressions.dataset import ExpressionAugment, RawExpressions

from xpress.batches import ExpressionBatch
from xpress.errors import InputError
from xpress.packs.edit_pairs import FLOW_SIZE, load_pairs

SIDE = 128


def smooth(rng: np.random.Generator, channels: int = 3, sigma: float = 8.0) -> np.ndarray:
    """A picture without edges, or a field of flow, about zero with deviation one."""
    field = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE, channels)), (0, 0), sigma)
    return field / field.std()


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def canonical_points(rng: np.random.Generator) -> np.ndarray:
    """68 points whose canonical crop is the whole picture."""
    low, high = SIDE / 2 - 0.5 - SIDE / 3, SIDE / 2 - 0.5 + SIDE / 3
    points = rng.uniform(low, high, (68, 2))
    points[0], points[1] = low, high
    return points.astype(np.float32)


@pytest.fixture
def labelled(tmp_path: Path) -> Callable[..., Path]:
    """Writes a pack of smooth pictures with random units; grey rows at the end."""

    def write(name: str = "train", count: int = 24, grey: int = 0, units: bool = True) -> Path:
        rng = np.random.default_rng(len(name) + count)
        images = [(smooth(rng) * 30 + 128).clip(0, 255).astype(np.uint8) for _ in range(count)]
        columns = {
            "image": [png(image) for image in images],
            "key": [f"row/{i}" for i in range(count)],
            "identity": [f"person/{i % 12}" for i in range(count)],
            "color": [i < count - grey for i in range(count)],
            "landmarks68": [canonical_points(rng).ravel() for _ in range(count)],
        }
        if units:
            columns["action_units"] = list(rng.random((count, 17)).astype(np.float32))
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    return write


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Pairs whose edited picture is the first, sampled where the flow says."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    rows = []
    for number in range(12):
        image = (smooth(rng) * 30 + 128).clip(0, 255).astype(np.uint8)
        flow = (smooth(rng, 2, 14.0) * 2).astype(np.float32)
        edited = cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
        small = cv2.resize(flow, (FLOW_SIZE, FLOW_SIZE), interpolation=cv2.INTER_AREA)
        rows.append(
            {
                "image": png(image),
                "edited": png(edited),
                "flow": small.astype(np.float16).tobytes(),
                "key": str(number),
                "identity": f"person/{number}",
                "color": True,
                "landmarks68": canonical_points(rng).ravel(),
                "action_units": rng.random(17).astype(np.float32),
                "edited_units": rng.random(17).astype(np.float32),
            }
        )
    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def module(train: Path, tmp_path: Path, **changes) -> ExpressionDataModule:
    settings = {"image_size": 64, "batch_size": 4, "num_workers": 0, "holdout": 0.3} | changes
    return ExpressionDataModule([train], cache_folder=tmp_path / "cache", **settings)


def batches(data: ExpressionDataModule) -> list[ExpressionBatch]:
    data.setup("fit")
    return [data.on_after_batch_transfer(raw) for raw in data.train_dataloader()]


def test_batches_hold_faces_and_other_faces_units(labelled, tmp_path: Path) -> None:
    data = module(labelled(grey=3), tmp_path, noise=0.05, balance=False)
    made = batches(data)
    assert data.train_set is not None
    assert data.holdout_set is not None
    assert len(data.train_set) + len(data.holdout_set) == 21  # grey ones are left out
    people = {i for s in data.train_set.sources for i in s.records.identities}
    held = {i for s in data.holdout_set.sources for i in s.records.identities}
    assert people
    assert held
    assert not people & held
    known = torch.from_numpy(data.train_set.units)
    for batch in made:
        assert batch.image.shape == (4, 3, 64, 64)
        assert batch.edited is None
        assert batch.flow is None
        assert not batch.has_teacher.any()
        torch.testing.assert_close(batch.action_units, known[batch.row])
        nearest = (batch.target_units[:, None] - known[None]).abs().amax(-1)
        nearest[torch.arange(4), batch.row] = 9.0  # never a face's own
        assert (nearest.amin(1) <= 0.05 + 1e-6).all()
        assert ((batch.target_units >= 0) & (batch.target_units <= 1)).all()


def test_evaluation_wants_the_same_every_time(labelled, tmp_path: Path) -> None:
    train, val = labelled(), labelled("val", 10)

    def targets(batch_size: int, seed: int = 0) -> torch.Tensor:
        data = module(train, tmp_path, val={"one": val}, batch_size=batch_size, seed=seed)
        data.setup("test")
        assert data.test_names == ["one"]
        (loader,) = data.test_dataloader()
        rows = [data.on_after_batch_transfer(raw) for raw in loader]
        assert torch.cat([batch.row for batch in rows]).tolist() == list(range(10))
        return torch.cat([batch.target_units for batch in rows])

    first = targets(4)
    torch.testing.assert_close(first, targets(3), rtol=0, atol=0)
    assert not torch.equal(first, targets(4, seed=1))


def test_canonical_crops_without_augmentation(labelled, tmp_path: Path) -> None:
    data = module(labelled(), tmp_path, image_size=128)
    data.setup("fit")
    assert data.holdout_set is not None
    raw = data.holdout_set[0]
    picture = data.holdout_set.sources[0].pixels[0]
    assert np.abs(raw.image[0].numpy().astype(int) - picture).max() <= 1


def test_pairs_stay_pairs_under_augmentation(labelled, teacher: Path, tmp_path: Path) -> None:
    augment = ExpressionAugment(roll=20.0, shift=0.03, ratio=(1.2, 1.6), photometric=0.0)
    data = module(
        labelled(), tmp_path, teacher=teacher, teacher_ratio=0.5, augment=augment, image_size=96
    )
    made = batches(data)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    for batch in made:
        assert batch.has_teacher.sum() == 2  # the share is exact in each batch
        assert batch.edited is not None
        assert batch.flow is not None
        rows = batch.has_teacher
        places = torch.stack([x, y], -1) + batch.flow.permute(0, 2, 3, 1)
        warped = functional.grid_sample(
            batch.image, (places + 0.5) / 96 * 2 - 1, align_corners=False, padding_mode="border"
        )
        inside = (slice(None), slice(None), slice(6, -6), slice(6, -6))
        moved = (batch.image - batch.edited)[inside][rows].abs().mean()
        left = (warped - batch.edited)[inside][rows].abs().mean()
        assert left < 0.15 * moved
        torch.testing.assert_close(batch.edited[~rows], batch.image[~rows])
        assert (batch.flow[~rows] == 0).all()


def test_one_change_of_colour_for_both_pictures(labelled, teacher: Path, tmp_path: Path) -> None:
    pairs = load_pairs(teacher)
    table = pq.read_table(teacher)
    still = table.set_column(table.column_names.index("edited"), "edited", table["image"])
    pq.write_table(still, teacher)
    augment = ExpressionAugment(photometric=3.0)
    data = module(labelled(), tmp_path, teacher=teacher, teacher_ratio=1.0, augment=augment)
    for batch in batches(data):
        assert batch.edited is not None
        torch.testing.assert_close(batch.edited, batch.image)
    assert len(pairs) == 12


def test_targets_of_pairs_are_the_teachers(labelled, teacher: Path, tmp_path: Path) -> None:
    data = module(labelled(), tmp_path, teacher=teacher)
    made = batches(data)
    assert data.train_set is not None
    pairs = data.train_set.pairs
    assert pairs is not None
    held = {i for s in data.holdout_set.sources for i in s.records.identities}  # type: ignore[union-attr]
    assert not held & set(pairs.records.identities)
    for batch in made:
        rows = batch.row[batch.has_teacher].numpy() - data.train_set.faces
        np.testing.assert_allclose(batch.target_units[batch.has_teacher], pairs.edited_units[rows])
        np.testing.assert_allclose(batch.action_units[batch.has_teacher], pairs.units[rows])


@pytest.mark.parametrize("workers", [0, 1])
def test_resumes_in_the_middle_of_an_epoch(
    labelled, teacher: Path, tmp_path: Path, workers: int
) -> None:
    train = labelled()

    def data() -> ExpressionDataModule:
        made = module(train, tmp_path, teacher=teacher, epoch_size=24, num_workers=workers)
        made.setup("fit")
        return made

    def same(one: RawExpressions, other: RawExpressions) -> None:
        for name in ("image", "target_units", "row", "edited", "flow"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0)

    whole = list(data().train_dataloader())
    assert len(whole) == 6
    loader = data().train_dataloader()
    stream = iter(loader)
    for _ in range(2):
        next(stream)
    state = loader.state_dict()
    resumed = data().train_dataloader()
    resumed.load_state_dict(state)
    rest = list(resumed)
    assert len(rest) == 4
    for one, other in zip(whole[2:], rest, strict=True):
        same(one, other)


def test_processes_share_an_epoch(labelled, tmp_path: Path, monkeypatch) -> None:
    seen = []
    for rank in range(2):
        data = module(labelled(), tmp_path, epoch_size=16)
        monkeypatch.setattr(ExpressionDataModule, "_place", (rank, 2))
        data.setup("fit")
        seen.append([batch.target_units for batch in data.train_dataloader()])
    assert [len(batches) for batches in seen] == [2, 2]
    assert not torch.equal(seen[0][0], seen[1][0])


def test_units_are_read_once(
    packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "plain.parquet"
    pq.write_table(pq.read_table(packs / "video-faces-val.parquet").take([0, 80, 160, 220]), path)
    with caplog.at_level(logging.INFO):
        _, first = expression_rows.read_units(path, tmp_path / "cache")
    assert "reading action units of 4 faces" in caplog.text
    assert np.isfinite(first).all()
    caplog.clear()
    _, second = expression_rows.read_units(path, tmp_path / "cache")
    assert not caplog.text
    np.testing.assert_array_equal(first, second)
    assert "action_units" not in pq.read_schema(path).names


def test_folders_of_media_are_read_by_the_chosen_encoder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "anna.jpg").write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    made = {}

    def remember(path, folder, settings) -> Path:
        made[Path(path)] = settings.weights
        return Path("made.parquet")

    monkeypatch.setattr(pack_data_module, "kept_pack", remember)
    own = module(tmp_path, tmp_path, encoder=tmp_path / "my_weights")
    own.use_packs()
    assert made == {tmp_path: str(tmp_path / "my_weights")}
    assert list(own.paths["train"].values()) == [Path("made.parquet")]


def test_broken_pictures_are_left_out(labelled, tmp_path: Path) -> None:
    path = labelled()
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    images[3] = b"broken"
    pq.write_table(table.set_column(0, "image", [images]), path)
    records, units = expression_rows.read_units(path, tmp_path / "cache")
    rows = expression_rows.load_rows(records, units)
    assert len(rows) == 23
    assert rows.records.keys[3] == "row/4"
    np.testing.assert_array_equal(rows.units[3], units[4])


def test_faults_are_one_line(labelled, teacher: Path, tmp_path: Path) -> None:
    train = labelled(grey=24)
    with pytest.raises(InputError, match="none of its 24 faces has colour and action units"):
        module(train, tmp_path).setup("fit")
    with pytest.raises(InputError, match="nothing given"):
        ExpressionDataModule().setup("fit")
    with pytest.raises(InputError, match="has no column 'edited'"):
        module(labelled(), tmp_path, teacher=train).setup("fit")
    with pytest.raises(InputError, match="between 0 and 1"):
        module(train, tmp_path, teacher_ratio=2.0)
    with pytest.raises(InputError, match="call setup"):
        module(train, tmp_path).train_dataloader()
