"""Files of the Basel Face Models of 2017 and 2019, in their true structure."""

import json

import h5py
import numpy as np
import pytest

from xpress.errors import InputError
from xpress.face_models.readers.registry import read_rig


@pytest.fixture
def basel(patch, tmp_path):
    """Writes the file with landmarks as a dictionary, or as the list that scalismo writes."""

    def write(listed=False):
        path = tmp_path / "model2019_face12.h5"
        content = {}
        means = {"shape": 10 * patch.vertices.ravel(), "color": patch.colors.ravel()}
        with h5py.File(path, "w") as file:
            for name, count in (("shape", 4), ("expression", 3), ("color", 2)):
                basis = patch.columns(count)
                variance = np.linspace(9.0, 1.0, count)
                mean = means[name] if name in means else basis @ [0.5, -0.25, 0.125]
                content[name] = mean, basis, variance
                file[f"{name}/model/mean"] = mean.astype("f4")
                file[f"{name}/model/pcaBasis"] = basis.astype("f4")
                file[f"{name}/model/pcaVariance"] = variance.astype("f4")
                file[f"{name}/model/noiseVariance"] = np.zeros(1, "f4")
                file[f"{name}/representer/cells"] = patch.triangles.T.astype("i4")
                file[f"{name}/representer/points"] = (10 * patch.vertices).T.astype("f4")
            marks = {"center.nose.tip": [0.0, 1.0, 2.0], "left.eye.corner_outer": [30.0, 0, 0]}
            told = marks
            if listed:
                told = [{"id": name, "coordinates": place} for name, place in marks.items()]
            file["metadata/landmarks/json"] = json.dumps(told)
        return path, content

    return write


@pytest.mark.parametrize("listed", [False, True])
def test_offsets_are_of_one_standard_deviation_in_centimetres(basel, patch, listed):
    path, content = basel(listed)
    rig = read_rig("bfm2019", path)
    np.testing.assert_allclose(rig.mean, patch.vertices, atol=1e-5)
    np.testing.assert_array_equal(rig.triangles, patch.triangles)
    _, basis, variance = content["shape"]
    wanted = 0.1 * basis[:, 1] * variance[1] ** 0.5
    np.testing.assert_allclose(rig.identity[1].ravel(), wanted, atol=1e-6)
    np.testing.assert_allclose(rig.mean_color, patch.colors, atol=1e-6)
    np.testing.assert_allclose(rig.landmarks[30], [0, 0.1, 0.2])
    np.testing.assert_allclose(rig.landmarks[45], [3, 0, 0])


def test_the_resting_face_is_the_shape_s_mean(basel):
    path, content = basel()
    rig = read_rig("bfm2017", path)
    mean, _, _ = content["expression"]
    made = np.tensordot(rig.neutral, rig.expression, 1)
    np.testing.assert_allclose(made.ravel(), -0.1 * mean, atol=1e-4)


def test_wrong_files_say_which_is_needed(basel, tmp_path):
    path, _ = basel()
    with h5py.File(path, "a") as file:
        del file["expression"]
    with pytest.raises(InputError, match=r"has no expression model; needed is model2019_face12"):
        read_rig("bfm2019", path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"not a Basel Face Model 2017.*faces\.dmi\.unibas\.ch"):
        read_rig("bfm2017", path)
    with pytest.raises(InputError, match=r"no such file; needed is model2017-1_face12_nomouth"):
        read_rig("bfm2017", tmp_path / "none.h5")


def test_a_basis_of_other_vertices_is_refused(basel):
    path, _ = basel()
    with h5py.File(path, "a") as file:
        del file["color/model/mean"]
        file["color/model/mean"] = np.zeros(36, "f4")
        del file["shape/representer/cells"]
        file["shape/representer/cells"] = np.full((3, 2), 12)
    with pytest.raises(InputError, match="triangles refer to vertices that do not exist"):
        read_rig("bfm2019", path)
