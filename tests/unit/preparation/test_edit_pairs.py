"""The teacher's pairs: pictures before and after, and the flow that leads from one to the other."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from xpress.media.crop import Crop
from xpress.packs import read_records
from xpress.packs.action_units import units_of
from xpress.packs.edit_pairs import cut_flow, load_pairs
from xpress.preparation import annotate, edit_pairs, fit_packs
from xpress.preparation.edit_pairs import PairMaker


@pytest.fixture(scope="module")
def small(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six rows of a real pack and their fits."""
    folder = tmp_path_factory.mktemp("pairs")
    pack, fits = folder / "small.parquet", folder / "fits.safetensors"
    pq.write_table(pq.read_table(packs / "video-faces-train.parquet").slice(0, 6), pack)
    fit_packs.main([str(pack), "--output", str(fits)])
    return pack, fits


@pytest.fixture(scope="module")
def pairs(small: tuple[Path, Path]) -> Path:
    """Six pairs made by the command."""
    pack, fits = small
    output = pack.with_name("pairs.parquet")
    arguments = ["--fits", str(fits), "--output", str(output), "--count", "6", "--processes", "1"]
    edit_pairs.main([str(pack), *arguments, "--mouth", "model"])
    return output


def test_flow_leads_from_the_edited_to_the_source(pairs: Path) -> None:
    rows = load_pairs(pairs)
    assert len(rows) == 6
    y, x = np.mgrid[:128, :128].astype(np.float32)
    left, moved = [], []
    for number in range(6):
        before, after = rows.pixels[number], rows.edited[number].astype(float)
        assert before.shape == (128, 128, 3)
        flow = cut_flow(rows.flow[number], 128, Crop((63.5, 63.5), 128.0, 128), False)
        warped = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
        # the median passes over teeth and eyeballs, which no flow leads to
        where = np.abs(after - before).mean(-1) > 6
        if where.sum() > 100:
            left.append(np.median(np.abs(warped - after).mean(-1)[where]))
            moved.append(np.median(np.abs(before - after).mean(-1)[where]))
    assert len(moved) >= 3
    assert np.mean(left) < 0.6 * np.mean(moved)


def test_the_crop_is_the_encoders(pairs: Path) -> None:
    records = read_records(pairs)
    for points in records.landmarks68:
        crop = Crop.around(points)
        assert crop.side == pytest.approx(128, abs=0.01)
        np.testing.assert_allclose(crop.center, 63.5, atol=0.01)


def test_annotating_anew_reads_both_pictures(pairs: Path, tmp_path: Path) -> None:
    table = pq.read_table(pairs)
    units, edited = units_of(table), units_of(table, "edited_units")
    assert np.isfinite(units).all()
    assert np.abs(units - edited).mean() > 0.01
    bare, again = tmp_path / "bare.parquet", tmp_path / "again.parquet"
    pq.write_table(table.drop_columns(["action_units", "edited_units"]), bare)
    annotate.main([str(bare), "--output", str(again)])
    second = pq.read_table(again)
    np.testing.assert_allclose(units_of(second), units, atol=1e-5)
    np.testing.assert_allclose(units_of(second, "edited_units"), edited, atol=1e-5)


def test_pairs_are_told_again_by_number(small: tuple[Path, Path]) -> None:
    pack, fits = small
    first, second = (PairMaker([pack], fits, 3, "none")(5) for _ in range(2))
    assert first["edited"] == second["edited"]
    assert first["flow"] == second["flow"]
    assert first["identity"]


def test_missing_fits_are_one_line(small: tuple[Path, Path], tmp_path: Path) -> None:
    from xpress.errors import InputError

    with pytest.raises(InputError, match=r"none\.safetensors"):
        PairMaker([small[0]], tmp_path / "none.safetensors", 0, "none")
