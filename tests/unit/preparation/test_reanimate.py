"""Photographs with new expressions: labels move as the picture does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from xpress.morphable.model import MorphableModel
from xpress.packs import read_records
from xpress.packs.fitted_parameters import load_fits
from xpress.preparation import fit_packs
from xpress.preparation.reanimate import Reanimator, append_fits, mixed_expression


@pytest.fixture(scope="module")
def small_pack(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Twelve rows of a real pack and their fits."""
    folder = tmp_path_factory.mktemp("reanimate")
    pack, fits = folder / "small.parquet", folder / "fits.safetensors"
    table = pq.read_table(packs / "video-faces-train.parquet").slice(0, 12)
    pq.write_table(table, pack)
    fit_packs.main([str(pack), "--output", str(fits)])
    return pack, fits


def test_mixed_expression_takes_regions_whole() -> None:
    names = MorphableModel.default().expression_names
    own, other = np.full(53, 0.2, np.float32), np.full((1, 53), 0.6, np.float32)
    rng = np.random.default_rng(0)
    mixed = [mixed_expression(rng, own, other, np.ones(1), names) for _ in range(60)]
    brows = np.stack(mixed)[:, [i for i, name in enumerate(names) if name.startswith("brow")]]
    assert (brows == brows[:, :1]).all()  # a region comes from one face
    assert {0.2, 0.6} == {round(float(value), 3) for value in brows[:, 0]}
    blinks = np.stack(mixed)[:, [names.index("eyeBlink_L"), names.index("eyeBlink_R")]]
    assert (blinks == 1).any()
    assert (blinks[:, 0] != blinks[:, 1]).any()  # winks among them


def test_landmarks_follow_the_new_expression(small_pack: tuple[Path, Path]) -> None:
    pack, fits = small_pack
    one = Reanimator([pack], fits, seed=0)
    blink = one.model.expression_names.index("eyeBlink_L")
    rows = [one(number) for number in range(12)]
    changes = []
    for row in rows:
        points = row["landmarks68"].reshape(68, 2)
        before = one.points[row["row"], :68]
        gap = [np.linalg.norm(p[[43, 44]] - p[[47, 46]], axis=1).mean() for p in (before, points)]
        closing = row["expression"][blink] - one.table.expression[row["row"], blink]
        changes.append((closing, gap[1] - gap[0]))
    closing, opening = np.array(changes).T
    assert np.corrcoef(closing, opening)[0, 1] < -0.5


def test_rows_are_told_again_by_number(small_pack: tuple[Path, Path]) -> None:
    pack, fits = small_pack
    first, second = (Reanimator([pack], fits, seed=3)(5) for _ in range(2))
    assert first["image"] == second["image"]
    np.testing.assert_array_equal(first["landmarks68"], second["landmarks68"])


def test_fits_are_appended(small_pack: tuple[Path, Path], tmp_path: Path) -> None:
    pack, fits = small_pack
    one = Reanimator([pack], fits, seed=0)
    rows = [one(number) for number in range(3)]
    output = tmp_path / "all.safetensors"
    append_fits(fits, output, "new", rows, one)
    with safe_open(output, framework="np") as archive:
        assert len(json.loads(archive.metadata()["keys"])) == 15
    table, mirrored = load_fits(output, [f"new/{row['key']}" for row in rows])
    assert table.valid.all()
    np.testing.assert_allclose(table.expression, np.stack([row["expression"] for row in rows]))
    assert mirrored is not None
    records = read_records(pack)
    assert load_fits(output, [f"small/{key}" for key in records.keys])[0].valid.any()
