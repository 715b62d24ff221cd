import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xpress.errors import InputError
from xpress.morphable.blendshapes import TAUGHT_MIRROR, TAUGHT_SHAPES, score_columns
from xpress.packs.blendshapes import load_scores


def arkit(shape):
    base, _, side = shape.partition("_")
    return base + {"L": "Left", "R": "Right", "": ""}[side]


NAMES = sorted({arkit(shape).replace("browInnerUpLeft", "browInnerUp") for shape in TAUGHT_SHAPES})
NAMES = [name for name in NAMES if name != "browInnerUpRight"]


def write(path, keys, scores, column="scores", names="names"):
    table = pa.table({"key": keys, column: scores})
    named = table.replace_schema_metadata({names: ",".join(NAMES)} if names else {})
    pq.write_table(named, path)
    return path


def test_each_shape_has_its_counterpart():
    for shape, other in zip(TAUGHT_SHAPES, TAUGHT_MIRROR, strict=True):
        swapped = shape[:-1] + {"L": "R", "R": "L"}[shape[-1]] if "_" in shape else shape
        assert TAUGHT_SHAPES[other] == swapped


def test_scores_find_their_rows_and_shapes(tmp_path):
    scores = np.random.default_rng(0).random((3, len(NAMES))).round(3)
    first = write(tmp_path / "a.parquet", ["x", "y"], [scores[0].tolist(), None])
    second = write(
        tmp_path / "b.parquet", ["z"], [scores[2].tolist()], "blendshapes", "blendshape_names"
    )
    found = load_scores([first, second], ["z", "nobody", "x", "y"])
    assert found.shape == (4, len(TAUGHT_SHAPES))
    assert np.isnan(found[[1, 3]]).all()
    for column, shape in enumerate(TAUGHT_SHAPES):
        name = "browInnerUp" if shape.startswith("browInnerUp") else arkit(shape)
        expected = scores[[2, 0], NAMES.index(name)]
        np.testing.assert_allclose(found[[0, 2], column], expected, rtol=1e-6)


def test_what_is_none_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_scores([tmp_path / "none.parquet"], ["x"])
    nameless = write(tmp_path / "a.parquet", ["x"], [[0.5] * len(NAMES)], names="")
    with pytest.raises(InputError, match="no blendshape scores"):
        load_scores([nameless], ["x"])
    other = write(tmp_path / "b.parquet", ["x"], [[0.5] * len(NAMES)])
    with pytest.raises(InputError, match="none of the 1 rows"):
        load_scores([other], ["y"])
    with pytest.raises(ValueError, match="jawOpen"):
        score_columns([name for name in NAMES if name != "jawOpen"])
