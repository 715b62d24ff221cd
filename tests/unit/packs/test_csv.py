from __future__ import annotations

import cv2
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.packs import read_records


def write(folder, pattern="{}{}", rows=3, extra=()):
    rng = np.random.default_rng(0)
    points = rng.uniform(10, 90, (rows, 136)).round(3)
    header = ["path", *(pattern.format(a, i) for i in range(68) for a in "xy"), "identity"]
    lines = [",".join(header)]
    for i, row in enumerate(points):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((100, 100, 3), 40 * i, np.uint8))
        lines.append(",".join([f"{i}.png", *map(str, row), f"p{i}"]))
    (folder / "points.csv").write_text("\n".join([*lines, *extra]) + "\n")
    return points


@pytest.mark.parametrize("pattern", ["{}{}", "{}_{}"])
@pytest.mark.parametrize("by_folder", [True, False])
def test_points_and_pictures(tmp_path, pattern, by_folder):
    points = write(tmp_path, pattern)
    records = read_records(tmp_path if by_folder else tmp_path / "points.csv")
    assert np.allclose(records.landmarks68.reshape(3, 136), points)
    assert [path.name for path in records.images] == ["0.png", "1.png", "2.png"]
    assert records.identities == ["p0", "p1", "p2"]
    assert not records.has_contours.any()


def test_broken_lines_are_skipped_and_named_once(tmp_path, caplog):
    cut_off = "cut.png,1,2,3"
    no_picture = ",".join(["gone.png", *map(str, range(136)), "p"])
    no_number = ",".join(["0.png", *["x"] * 136, "p"])
    write(tmp_path, extra=[cut_off, no_picture, no_number])
    records = read_records(tmp_path)
    assert len(records) == 3
    assert records.skipped == 3
    assert len(caplog.messages) == 1
    assert "(first: cut.png)" in caplog.messages[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "no column names the picture"),
        ("path,b\n1,2\n", "no landmark columns"),
        ("path,x0,y0\n1,2,3\n", "lacks column 'x1'"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, reason):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_records(path)


def test_two_tables_need_a_name(tmp_path):
    write(tmp_path)
    (tmp_path / "more.csv").write_text("path\n")
    with pytest.raises(InputError, match="holds 2 CSV files"):
        read_records(tmp_path)
