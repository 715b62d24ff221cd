"""A rig on disk becomes a model that the package's encoder reads faces for, and a sheet."""

import re
from pathlib import Path

import numpy as np
import pytest

from xpress.extraction.face_reader import FaceReader
from xpress.face_models import registered_file as module
from xpress.face_models.__main__ import main
from xpress.face_models.registered_file import registered_file
from xpress.face_models.registration.named_expressions import NamedExpressions
from xpress.face_models.registration.register import Registration
from xpress.media.images import read_image
from xpress.morphable.face_model import FaceModel


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Path:
    """The default model in decimetres, without its back and without most of its shapes."""
    model = FaceModel.default()
    triangles = model.triangles[: model.parts["face"].triangle_stop]
    triangles = triangles[(model.mean[triangles][:, :, 2] > 0.5).all(1)]
    used, faces = np.unique(triangles, return_inverse=True)
    names = ["jawOpen", "mouthSmile_L", "mouthSmile_R", "browInnerUp_L"]
    rows = [model.expression_names.index(name) for name in names]
    path = tmp_path_factory.mktemp("rig") / "rig.npz"
    np.savez(
        path,
        vertices=0.1 * model.mean[used],
        faces=faces.reshape(-1, 3),
        expression=0.1 * model.expression_basis[rows][:, used],
        expression_names=names,
        identity=0.1 * model.identity_basis[:30, used],
        unit="dm",
    )
    return path


def test_command_sheet_and_reading(rig, tmp_path, packs, monkeypatch, capsys):
    output, sheet = tmp_path / "own" / "morphable.safetensors", tmp_path / "sheet.png"
    main(["npz", str(rig), "--output", str(output), "--sheet", str(sheet)])
    told = capsys.readouterr().out
    assert "30 identity and 40 colour coefficients" in told
    own = int(re.search(r"(\d+) of 53 shapes are the model's own", told)[1])
    assert 4 <= own <= 8
    assert read_image(sheet).shape == (600, 2100, 3)
    model, default = FaceModel.load(output), FaceModel.default()
    error = model.landmarks68(model.mean[None]) - default.landmarks68(default.mean[None])
    assert np.abs(error).mean() < 0.02
    portrait = packs / "samples" / "portrait_woman.jpg"
    if portrait.exists():
        _compare(FaceReader.from_pretrained(output.parent), portrait)


def _compare(reader: FaceReader, portrait: Path) -> None:
    found, usual = (r.extract(portrait) for r in (reader, FaceReader.from_pretrained()))
    assert found.parameters.identity.shape[-1] == 30
    eyes = np.linalg.norm(usual.landmarks68[36] - usual.landmarks68[45])
    error = np.linalg.norm(found.landmarks68 - usual.landmarks68, axis=-1).mean()
    assert error < 0.03 * eyes


def test_a_model_is_registered_once(rig, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    none = np.zeros(0)
    shapes = NamedExpressions(np.zeros((0, 0, 3)), np.zeros((0, 0)), none, none > 0, none > 0)
    made = Registration(FaceModel.default(), none > 0, none, shapes, 0.0)
    monkeypatch.setattr(module, "register", lambda *_: made)
    first = registered_file("npz", rig)
    assert "registered to the default mesh" in capsys.readouterr().out
    written = first.stat().st_mtime_ns
    assert registered_file("npz", rig) == first
    assert first.stat().st_mtime_ns == written
    assert not capsys.readouterr().out
    with rig.open("ab") as file:
        file.write(b"\0")
    assert registered_file("npz", rig) != first
