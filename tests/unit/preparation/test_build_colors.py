import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from xpress.models.face_autoencoder.decoder import FaceDecoder, inner_face_mask
from xpress.morphable.fitting import Fit
from xpress.morphable.model import MorphableModel
from xpress.preparation import build_colors
from xpress.preparation.fit_packs import LabelledPack, save_fits
from xpress.rendering.camera import project
from xpress.rendering.lighting import SH_0
from xpress.structures import FaceParameters

SIZE, COUNT = 144, 6


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """A pack of people whose cheeks, or whatever the third mode holds, are all alike; its fits."""
    folder = tmp_path_factory.mktemp("painted")
    model = MorphableModel.default()
    identity, expression, color = model.sizes
    light = torch.zeros(COUNT, 9, 3)
    light[:, 0] = torch.linspace(0.8, 1.0, COUNT)[:, None] / SH_0
    parameters = FaceParameters(
        identity=0.5 * torch.randn(COUNT, identity, generator=torch.Generator().manual_seed(0)),
        expression=torch.zeros(COUNT, expression),
        color=4.0 * torch.eye(color)[2].expand(COUNT, -1),
        illumination=light,
        rotation=torch.stack(
            [torch.zeros(COUNT), torch.linspace(-0.4, 0.4, COUNT), torch.zeros(COUNT)], 1
        ),
        translation=torch.full((COUNT, 2), SIZE / 2),
        scale=torch.full((COUNT,), SIZE / 25),
    )
    images = FaceDecoder(model, "numba")(parameters, (SIZE, SIZE)).image
    pose = parameters.rotation, parameters.translation, parameters.scale
    shape = model.vertices(parameters.identity, parameters.expression)
    points = model.landmark_points(project(shape, *pose))[..., :2]
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    rows = {
        "image": [cv2.imencode(".png", p[..., ::-1])[1].tobytes() for p in pixels],
        "key": [str(i) for i in range(COUNT)],
        "identity": [f"person {i}" for i in range(COUNT)],
        "color": [True] * COUNT,
        "landmarks68": list(points[:, :68].flatten(1).numpy()),
        "contours": list(points[:, 68:].flatten(1).numpy()),
    }
    pq.write_table(pa.table(rows), folder / "painted.parquet")
    fit = Fit(parameters.identity, parameters.expression, *pose, torch.zeros_like(points))
    pack = LabelledPack([f"painted/{i}" for i in range(COUNT)], points, torch.arange(COUNT))
    save_fits(folder / "fits.safetensors", model, pack, fit, torch.full((COUNT,), float(SIZE)))
    return folder, (model.mean_color + 4.0 * model.color_basis[2])


def likeness(colors: torch.Tensor, truth: torch.Tensor, front: torch.Tensor) -> float:
    """Correlation over the front of the face, whatever the level."""
    both = torch.stack([colors[front].flatten(), truth[front].flatten()])
    return torch.corrcoef(both)[0, 1].item()


def test_the_mean_moves_to_what_the_pictures_show(painted, tmp_path):
    folder, truth = painted
    output = tmp_path / "model.safetensors"
    given = ["--fits", str(folder / "fits.safetensors"), "--modes", "2", "--output", str(output)]
    build_colors.main([*given, str(folder / "painted.parquet")])
    model, before = MorphableModel.load(output), MorphableModel.default()
    front = inner_face_mask(before) > 0
    assert model.color_basis.shape[0] == 2
    shown = likeness(model.mean_color - before.mean_color, truth - before.mean_color, front)
    assert shown > 0.25  # six small pictures of the front; nothing learned would be 0
    torch.testing.assert_close(model.mean, before.mean)


def test_too_few_pictures_for_the_modes_are_one_line(painted, tmp_path, capsys):
    folder, _ = painted
    given = ["--fits", str(folder / "fits.safetensors"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        build_colors.main([*given, str(folder / "painted.parquet")])
    assert ended.value.code == 2
    few = f"error: {COUNT} colour pictures are too few for 40 modes; give more"
    assert few in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_fits_are_one_line(painted, tmp_path, capsys):
    folder, _ = painted
    given = ["--fits", str(tmp_path / "none.safetensors"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        build_colors.main([*given, str(folder / "painted.parquet")])
    assert ended.value.code == 2
    assert "none.safetensors: no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
