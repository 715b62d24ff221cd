import numpy as np
import pyarrow.parquet as pq
import pytest
from xpress.data_modules.eyes.rows import joined, read_eyes

from xpress.errors import InputError

from ...drawn_eyes import eye_pack


def test_an_eye_pack_knows_which_pictures_are_of_one_eye(tmp_path):
    rows = read_eyes(eye_pack(tmp_path / "eyes.parquet", clips=2, frames=3))
    assert len(rows) == 12
    assert rows.images[0].shape == (72, 96, 3)
    assert len(set(rows.eye.tolist())) == 4
    for eye in set(rows.eye.tolist()):
        same = rows.eye == eye
        assert len(set(rows.left[same].tolist())) == len(set(rows.identity[same].tolist())) == 1
    twice = joined([rows, rows])
    assert len(set(twice.eye.tolist())) == 8
    np.testing.assert_allclose(twice.select(np.arange(12, 24)).lids, rows.lids)


def test_the_opening_is_the_area_between_the_lids(tmp_path):
    rows = read_eyes(eye_pack(tmp_path / "eyes.parquet", clips=1, frames=2))
    # Two parabolas of height h over a width w enclose 2/3 of h·w; nine points miss a little.
    expected = np.array([0, 0, 2 / 3 * 0.4, 2 / 3 * 0.4])
    np.testing.assert_allclose(rows.openings(), expected, atol=0.006)


def test_eyes_are_cut_out_of_faces(packs):
    rows = read_eyes(packs / "video-faces-val.parquet")
    assert len(rows) > 300
    for row in range(0, len(rows), 40):
        height, width = rows.images[row].shape[:2]
        assert (rows.lids[row] >= 0).all()
        assert (rows.lids[row] <= (width - 1, height - 1)).all()
        outer, inner = rows.lids[row][[0, 8]]
        # The owner's right eye is on the left of the picture: its inner corner is further right.
        assert (inner[0] > outer[0]) == (not rows.left[row])
        assert outer[0] != inner[0]
    wide = read_eyes(packs / "video-faces-val.parquet", least_width=20.0)
    assert 0 < len(wide) < len(rows)


def test_mistakes_name_the_file(tmp_path, packs):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"broken\.parquet"):
        read_eyes(broken)
    table = pq.read_table(eye_pack(tmp_path / "eyes.parquet", clips=1))
    pq.write_table(table.drop_columns(["clip"]), tmp_path / "lacking.parquet")
    with pytest.raises(InputError, match=r"lacking\.parquet: no column clip"):
        read_eyes(tmp_path / "lacking.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(InputError, match=r"empty\.parquet: holds no rows"):
        read_eyes(tmp_path / "empty.parquet")
    with pytest.raises(InputError, match="give larger faces"):
        read_eyes(packs / "video-faces-val.parquet", least_width=500.0)
