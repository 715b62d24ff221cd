import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from xpress.errors import InputError
from xpress.morphable.face_model import FaceModel
from xpress.morphable.fitting import Fit, FitSettings
from xpress.morphable.mirror import mirror_parameters
from xpress.packs import FaceRecords
from xpress.packs.fitted_parameters import check_fitted_with
from xpress.preparation import fit_packs
from xpress.preparation.fit_packs import (
    LabelledPack,
    fit_quality,
    fit_rows,
    labelled_rows,
    save_fits,
)

SETTINGS = FitSettings(iterations=5, noise=0.01)


def records(name, count, unlabelled=(), people="ab"):
    picture = cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    labelled = np.ones(count, bool)
    labelled[list(unlabelled)] = False
    points = np.arange(count, dtype=np.float32)[:, None, None]
    return FaceRecords(
        name,
        [picture] * count,
        [f"row{i}" for i in range(count)],
        [people[i % len(people)] if people else "" for i in range(count)],
        np.ones(count, np.int8),
        np.tile(points, (1, 68, 2)),
        np.tile(points + 100, (1, 138, 2)),
        labelled,
    )


@pytest.fixture(scope="module")
def pack(plant):
    """Two pictures of each of three people, interleaved."""
    groups = torch.tensor([2, 0, 1, 0, 2, 1])
    points = torch.empty(6, 206, 2)
    for person in range(3):
        points[groups == person] = plant(2, seed=20 + person)[1]
    return LabelledPack([f"pack/{i}" for i in range(6)], points, groups)


def test_rows_with_labels_of_all_packs():
    found = labelled_rows([records("one", 4, unlabelled=[1]), records("two", 3, people="bc")])
    assert found.keys == ["one/row0", "one/row2", "one/row3", "two/row0", "two/row1", "two/row2"]
    assert found.groups.tolist() == [0, 0, 1, 1, 2, 1]
    assert found.landmarks[:, 0, 0].tolist() == [0, 2, 3, 0, 1, 2]
    assert found.landmarks[1, 68, 1] == 102


def test_people_without_names_are_nobody_else():
    assert labelled_rows([records("one", 3, people="")]).groups.tolist() == [0, 1, 2]


def test_packs_without_contours_are_named():
    with pytest.raises(InputError, match=r"^one, two: .*contour[^\n]*$"):
        labelled_rows([records("one", 2, [0, 1]), records("two", 1, [0])])


def test_selection_numbers_people_anew(pack):
    part = pack.select(np.array([0, 2, 4]))
    assert part.keys == ["pack/0", "pack/2", "pack/4"]
    assert part.groups.tolist() == [1, 0, 1]
    assert torch.equal(part.landmarks, pack.landmarks[[0, 2, 4]])


def test_quality_by_hand():
    landmarks = torch.zeros(1, 206, 2)
    landmarks[0, 45, 0] = 50
    residual = torch.full((1, 206, 2), 100.0)
    residual[:, 17:68] = torch.tensor([3.0, 4.0])
    empty = torch.zeros(1, 0)
    fit = Fit(empty, empty, torch.zeros(1, 3), torch.zeros(1, 2), torch.ones(1), residual)
    assert fit_quality(fit, landmarks).item() == pytest.approx(5 / 50)


def test_some_people_at_a_time_give_the_same_fits_in_order(model, pack, capsys):
    together = fit_rows(model, pack, SETTINGS)
    apart = fit_rows(model, pack, SETTINGS, people=1)
    assert capsys.readouterr().out.count("of 6 pictures") == 4
    for name in ("expression", "identity", "rotation", "scale"):
        torch.testing.assert_close(
            getattr(apart, name), getattr(together, name), atol=5e-3, rtol=1e-3
        )
    assert fit_quality(together, pack.landmarks).max() < 0.01


def test_saved_fits_hold_the_mirrored_rows_too(model, pack, tmp_path):
    fit = fit_rows(model, pack, SETTINGS)
    fit.residual[3] += 30
    widths = torch.full((6,), 192.0)
    path = tmp_path / "fits.safetensors"
    save_fits(path, model, pack, fit, widths)
    assert [p.name for p in tmp_path.iterdir()] == ["fits.safetensors"]
    with safe_open(path, framework="pt") as archive:
        read = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        assert json.loads(archive.metadata()["keys"]) == pack.keys
    check_fitted_with(path, model)
    other = replace(FaceModel.default(), mean=FaceModel.default().mean + 1)
    with pytest.raises(InputError, match="fitted with another face model; fit with this one"):
        check_fitted_with(path, other)
    assert read["ok"].tolist() == [True, True, True, False, True, True]
    assert torch.equal(read["ok_flipped"], read["ok"])
    mirrored = mirror_parameters(
        model, fit.identity, fit.expression, fit.rotation, fit.translation, widths
    )
    for name, value in mirrored.items():
        assert torch.equal(read[name], getattr(fit, name))
        assert torch.equal(read[f"{name}_flipped"], value)


def test_widths_are_those_of_the_pictures():
    assert fit_packs.image_widths([records("one", 3, [1])]).tolist() == [30, 30]


def test_command_fits_a_real_pack(packs, tmp_path, monkeypatch, capsys):
    whole = fit_packs.read_records
    monkeypatch.setattr(fit_packs, "read_records", lambda path: whole(path).select(np.arange(6)))
    output = tmp_path / "fits.safetensors"
    fit_packs.main([str(packs / "video-faces-val.parquet"), "--output", str(output)])
    assert "median residual 0.0" in capsys.readouterr().out
    with safe_open(output, framework="pt") as archive:
        assert archive.get_tensor("ok").tolist() == [True] * 6
        scale = archive.get_tensor("scale")
    # crops of 192 px show a face of about 113 px, and a face is about 17 cm tall
    assert ((scale > 3) & (scale < 12)).all()
