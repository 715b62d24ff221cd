"""Action units as a column of packs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xpress.errors import InputError
from xpress.extraction.action_unit_encoder import UnitEncoder
from xpress.media.crop import Crop
from xpress.models.expression_editing.reader import ActionUnitReader
from xpress.packs.action_units import units_of
from xpress.packs.openface import COLUMNS
from xpress.packs.records import decode
from xpress.preparation import annotate
from xpress.preparation.annotate_packs import annotate_pack


@pytest.fixture(scope="module")
def encoder() -> UnitEncoder:
    return UnitEncoder()


@pytest.fixture
def pack(packs: Path, tmp_path: Path) -> Path:
    """Six rows of a real pack in two row groups."""
    path = tmp_path / "small.parquet"
    table = pq.read_table(packs / "video-faces-val.parquet").take([0, 50, 90, 130, 170, 210])
    pq.write_table(table, path, row_group_size=4)
    return path


def test_replaces_the_pack_and_keeps_its_columns(pack: Path, encoder: UnitEncoder) -> None:
    before = pq.read_table(pack)
    counts = annotate_pack(pack, encoder=encoder)
    assert (counts.rows, counts.labelled) == (6, 6)
    after = pq.read_table(pack)
    assert after.column_names == [*before.column_names, "action_units"]
    assert after.drop_columns(["action_units"]).equals(before)
    annotate_pack(pack, encoder=encoder)  # once more: the column is replaced
    assert pq.read_table(pack).equals(after)
    assert [file.name for file in pack.parent.iterdir()] == [pack.name]


def test_units_are_those_of_the_canonical_crop(pack: Path, encoder: UnitEncoder) -> None:
    import torch

    annotate_pack(pack, encoder=encoder)
    table = pq.read_table(pack)
    points = np.array(table["landmarks68"].to_pylist()).reshape(-1, 68, 2)
    images = [decode(image) for image in table["image"].to_pylist()]
    crops = np.stack([Crop.around(p).cut(i) for p, i in zip(points, images, strict=True)])
    read = ActionUnitReader()(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(units_of(table), read.units, atol=5e-3)


def test_broken_and_faceless_rows_are_null(pack: Path, encoder: UnitEncoder) -> None:
    table = pq.read_table(pack)
    images, points = table["image"].to_pylist(), table["landmarks68"].to_pylist()
    grey = cv2.imencode(".png", np.full((100, 100, 3), 90, np.uint8))[1].tobytes()
    images[:2], points[1], points[2] = [b"no picture", grey], None, None
    columns = {"image": images, "landmarks68": pa.array(points, pa.list_(pa.float32()))}
    pq.write_table(pa.table(columns), pack)
    counts = annotate_pack(pack, encoder=encoder)
    assert (counts.rows, counts.labelled) == (6, 4)  # the face without landmarks was found
    assert np.isnan(units_of(pq.read_table(pack)))[:, 0].tolist() == [True, True, *[False] * 4]


def test_failure_leaves_the_pack(pack: Path, encoder: UnitEncoder, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    with pytest.raises(InputError, match="no column 'image'"):
        annotate_pack(other, encoder=encoder)
    before = pack.read_bytes()
    with pytest.raises(InputError, match="none of its 6 faces"):
        annotate_pack(pack, labels=lambda key: None)
    assert pack.read_bytes() == before
    with pytest.raises(InputError, match="no such file"):
        annotate_pack(tmp_path / "none.parquet", encoder=encoder)


def test_command_line_with_labels(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = pq.read_table(pack)["key"][2].as_py()
    table, output = tmp_path / "aus.csv", tmp_path / "out.parquet"
    table.write_text(",".join(["file", *COLUMNS]) + "\n" + ",".join([key, *["2.5"] * 17]) + "\n")
    annotate.main([str(pack), "--output", str(output), "--openface", str(table)])
    assert "1 of 6 faces" in capsys.readouterr().out
    units = units_of(pq.read_table(output))
    np.testing.assert_array_equal(units[2], 0.5)
    assert np.isfinite(units).sum() == 17
    assert "action_units" not in pq.read_schema(pack).names


def test_folders_of_pictures_are_sent_to_where_packs_are_made(tmp_path: Path, capsys) -> None:
    (tmp_path / "anna.png").write_bytes(b"picture")
    with pytest.raises(SystemExit) as ended:
        annotate.main([str(tmp_path)])
    assert ended.value.code == 2
    assert f"python -m xpress.prepare input={tmp_path}" in capsys.readouterr().err
