"""Two annotations of a pack: how far apart, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xpress.errors import InputError
from xpress.preparation.faces.comparison import compared
from xpress.prepare import check


@pytest.fixture
def pack(packs: Path, tmp_path: Path) -> Path:
    """Five real rows and a column that has the second one's lips off by a tenth."""
    table = pq.read_table(packs / "video-faces-val.parquet").take([0, 60, 120, 180, 220])
    points = np.array(table["landmarks68"].to_pylist()).reshape(-1, 68, 2)
    eyes = np.linalg.norm(points[1, 45] - points[1, 36])
    points[1, 48:, 0] += 0.1 * eyes
    rows = [*points.reshape(5, -1).tolist()[:4], None]
    path = tmp_path / "small.parquet"
    pq.write_table(table.append_column("second", pa.array(rows, pa.list_(pa.float32()))), path)
    return path


def test_distances_are_told_by_part_and_the_worst_by_name(pack: Path, capsys):
    check.main([str(pack), "--with", "second"])
    lines = capsys.readouterr().out.splitlines()
    worst = pq.read_table(pack)["key"][1].as_py()
    mean = 0.1 * 20 / 68
    assert lines[0].startswith("4 faces, landmarks68 and second:")  # the fifth has only one
    assert lines[0].endswith(
        f"{mean / 4:.4f} eye distances apart, median 0.0000, worst {mean:.4f} ({worst})"
    )
    figures = dict(line.split() for line in lines[1:6])
    assert figures == {
        "jaw": "0.0000",
        "brows": "0.0000",
        "nose": "0.0000",
        "eyes": "0.0000",
        "lips": "0.0250",
    }
    page = pack.with_suffix(".check.html").read_text()
    assert page.index(f"{worst} · {mean:.3f}") < page.index("· 0.000")
    assert lines[6] == str(pack.with_suffix(".check.html"))


def test_another_pack_is_matched_by_key(pack: Path, tmp_path: Path):
    table = pq.read_table(pack)
    other = tmp_path / "other.parquet"
    order = [4, 2, 0]
    shifted = [(np.array(p) + 3).tolist() for p in table["landmarks68"].to_pylist()]
    place = table.column_names.index("landmarks68")
    table = table.set_column(place, "landmarks68", pa.array(shifted, pa.list_(pa.float32())))
    pq.write_table(table.take(order), other)
    comparison = compared(pack, str(other))
    assert comparison.records.keys == [table["key"][row].as_py() for row in (0, 2, 4)]
    distance = np.linalg.norm(comparison.other - comparison.records.landmarks68, axis=2)
    np.testing.assert_allclose(distance, 3 * np.sqrt(2), rtol=1e-4)


def test_the_encoder_reads_a_pack_anew(pack: Path):
    apart = compared(pack).apart
    assert apart.shape == (5, 68)
    assert 0 < np.median(apart) < 0.08


def test_what_is_not_there_is_named(pack: Path, packs: Path, capsys):
    with pytest.raises(InputError, match="third: no column of"):
        compared(pack, "third")
    with pytest.raises(InputError, match="no row has landmarks of both"):
        compared(pack, str(packs / "people-val.parquet"))
    with pytest.raises(SystemExit) as ended:
        check.main(["none.parquet"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
