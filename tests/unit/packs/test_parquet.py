from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xpress.errors import InputError
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.packs import read_records


def test_rows_come_back_as_written(write_pack):
    path = write_pack(count=5, color=[True, False, None, True, True])
    records = read_records(path)
    rows = pq.read_table(path).to_pylist()
    assert records.name == "pack"
    assert records.keys == [row["key"] for row in rows]
    assert records.images == [row["image"] for row in rows]
    assert records.color.tolist() == [1, 0, -1, 1, 1]
    for i, row in enumerate(rows):
        assert np.array_equal(records.landmarks68[i].ravel(), np.float32(row["landmarks68"]))
        assert np.array_equal(records.contours[i].ravel(), np.float32(row["contours"]))
    assert records.has_contours.all()


def test_unusable_rows_are_skipped_counted_and_named_once(write_pack, caplog):
    good = np.random.default_rng(0).uniform(20, 90, 136).tolist()
    points = [good, good[:100], None, [float("nan")] * 136, [50.0] * 136, good]
    records = read_records(write_pack(count=6, landmarks68=points))
    assert records.keys == ["row/0", "row/5"]
    assert records.skipped == 4
    assert len(caplog.messages) == 1
    assert "skipped 4 of 6 rows (first: row/1)" in caplog.messages[0]


def test_optional_columns_may_be_absent(write_pack):
    records = read_records(write_pack(count=2, key=None, identity=None, color=None, contours=None))
    assert records.keys == ["0", "1"]
    assert records.identities == ["", ""]
    assert records.color.tolist() == [-1, -1]
    assert not records.has_contours.any()


def test_a_text_file_is_no_pack(tmp_path):
    path = tmp_path / "faces.parquet"
    path.write_text("no parquet here")
    with pytest.raises(InputError, match=r"faces\.parquet: not a readable Parquet file"):
        read_records(path)


def test_missing_columns_are_named(tmp_path):
    path = tmp_path / "faces.parquet"
    pq.write_table(pa.table({"image": [b"x"], "points": [[1.0]]}), path)
    with pytest.raises(InputError, match="no column 'landmarks68'"):
        read_records(path)


def test_numbers_instead_of_pictures_are_refused(write_pack):
    with pytest.raises(InputError, match="'image' holds no bytes"):
        read_records(write_pack(count=2, image=[1.0, 2.0]))


def test_a_pack_without_a_usable_row_is_refused(write_pack):
    with pytest.raises(InputError, match="not one usable row"):
        read_records(write_pack(count=2, landmarks68=[None, [1.0]]))


def test_a_missing_pack_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_records(tmp_path / "none.parquet")


def test_the_real_packs(packs):
    records = read_records(packs / "faces-val.parquet")
    assert len(records) == 1096
    assert records.skipped == 0
    # iBUG order: the right eye stands left in the picture, over the nose, over the mouth
    points = np.median(records.landmarks68, axis=0)
    eyes, nose, mouth = points[36:48], points[31:36], points[48:68]
    assert eyes[:6, 0].max() < eyes[6:, 0].min()
    assert eyes[:, 1].max() < nose[:, 1].min() < nose[:, 1].max() < mouth[:, 1].min()
    # the contour points are of the same faces: both name the same mouth corners
    for mediapipe, ibug in {61: 48, 291: 54}.items():
        row = int(np.flatnonzero(mediapipe == CONTOUR_MEDIAPIPE_INDEX)[0])
        assert np.array_equal(records.contours[:, row], records.landmarks68[:, ibug])
