"""`task=convert`: every format from a recording, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from xpress.commands.convert import convert
from xpress.errors import InputError
from xpress.media.live_link import read_live_link
from xpress.morphable.face_model import FaceModel
from xpress.structures import FaceParameters


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    random = np.random.default_rng(5)
    sizes, frames = FaceModel.default().sizes, 3
    path = tmp_path / "params.npz"
    FaceParameters(
        identity=random.normal(size=(frames, sizes[0])).astype(np.float32),
        expression=random.uniform(0, 1, (frames, sizes[1])).astype(np.float32),
        color=np.zeros((frames, sizes[2]), np.float32),
        illumination=np.zeros((frames, 9, 3), np.float32),
        rotation=random.uniform(-0.3, 0.3, (frames, 3)).astype(np.float32),
        translation=np.full((frames, 2), 90, np.float32),
        scale=np.full(frames, 8.0, np.float32),
    ).save(path, fps=np.array([30, 1]))
    return path


def test_every_format(tmp_path: Path, recording: Path, capsys):
    convert(recording, tmp_path / "take.csv")
    assert read_live_link(tmp_path / "take.csv").start == "00:00:00:00.000"
    convert(recording, tmp_path / "units.csv", format="open_face")
    assert (tmp_path / "units.csv").read_text().startswith("frame,face_id,timestamp")
    convert(recording, tmp_path / "face.glb")
    assert (tmp_path / "face.glb").read_bytes()[:4] == b"glTF"
    convert(recording, tmp_path / "meshes")
    assert [p.name for p in sorted((tmp_path / "meshes").iterdir())] == [
        f"frame_0000{i}.obj" for i in range(3)
    ]
    convert(tmp_path / "take.csv", tmp_path / "again.safetensors")
    again = FaceParameters.load(tmp_path / "again.safetensors")
    given = FaceParameters.load(recording)
    jaw = FaceModel.default().expression_names.index("jawOpen")
    assert again.expression[:, jaw] == pytest.approx(given.expression[:, jaw], abs=1e-6)
    assert "3 frame(s) at 30 a second, gltf" in capsys.readouterr().out


def test_a_mesh_is_the_frames(tmp_path: Path, recording: Path):
    convert(recording, tmp_path / "meshes")
    lines = (tmp_path / "meshes" / "frame_00001.obj").read_text().splitlines()
    read = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    model, given = FaceModel.default(), FaceParameters.load(recording)[1]
    wanted = model.vertices(given.identity, given.expression)[0]
    assert np.abs(read - wanted).max() < 1e-3


@pytest.mark.parametrize(
    ("output", "options", "words"),
    [
        ("out.fbx", {}, "no format is known by .fbx"),
        ("out.glb", {"format": "live_link"}, "needs an output that ends in .csv"),
        ("out.csv", {"face": "all"}, "writes one face"),
        ("params.npz", {}, "is an input"),
        ("take.csv", {"overwrite": False}, "exists"),
    ],
)
def test_what_is_refused_leaves_no_trace(tmp_path: Path, recording: Path, output, options, words):
    (tmp_path / "take.csv").write_text("mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=words):
        convert(recording, tmp_path / output, **options)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "take.csv").read_text() == "mine"


def test_a_rate_that_live_link_lacks_is_kept_by_the_parameters(tmp_path: Path, recording: Path):
    FaceParameters.load(recording).save(tmp_path / "slow.npz", fps=np.array([25, 2]))
    convert(tmp_path / "slow.npz", tmp_path / "copy.npz")
    with np.load(tmp_path / "copy.npz") as archive:
        assert Fraction(*(int(n) for n in archive["fps"])) == Fraction(25, 2)
