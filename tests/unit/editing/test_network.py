"""Networks' maps come back into the picture as torch blends them, and leave the rest alone."""

import json
import shutil
from dataclasses import replace
from importlib.resources import files

import cv2
import numpy as np
import pytest
import torch

from xpress.editing.expression_editor import ExpressionEditor
from xpress.editing.network import NetworkEditor
from xpress.errors import InputError
from xpress.export.onnx import export_onnx_model
from xpress.extraction.face_sample import FaceSample
from xpress.models.dft_net.networks import DFTNetGenerator
from xpress.models.ganimation.networks import GANimationGenerator
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.model import MorphableModel

pytest.importorskip("onnxscript")
SIZE = 32
UNITS = ActionUnits(MorphableModel.default().expression_names)
OUTPUTS = {"ganimation": ("color", "attention"), "dft_net": ("flow", "attention", "texture")}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Tiny generators with random weights, and the folder they are exported to."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    made = {
        "ganimation": GANimationGenerator(channels=4, blocks=1),
        "dft_net": DFTNetGenerator(channels=4, blocks=1, texture_channels=4),
    }
    torch.nn.init.normal_(made["dft_net"].flow_head.weight, std=0.1)
    for kind, network in made.items():
        network.eval()
        shapes = {"image": (3, SIZE, SIZE), "units": (17,)}
        export_onnx_model(network, folder / f"{kind}.onnx", shapes, OUTPUTS[kind], 1e-3)
        card = {"kind": kind, "size": SIZE, "crop_ratio": 1.5}
        (folder / f"{kind}.json").write_text(json.dumps(card))
    return folder, made


def test_named_weights_are_used_or_refused(networks, tmp_path):
    for suffix in ("onnx", "json"):
        shutil.copy(networks[0] / f"dft_net.{suffix}", tmp_path / f"dft_net.{suffix}")
    editor = ExpressionEditor.from_pretrained("dft_net", tmp_path)
    assert editor.editors().card.size == SIZE
    for wrong in ("morphable", "ganimation"):
        with pytest.raises(InputError, match=r"holds dft_net\.onnx, .*; give editor=dft_net"):
            ExpressionEditor.from_pretrained(wrong, tmp_path)
    # an encoder beside it does not make it another editor's folder
    for suffix in ("onnx", "json"):
        shutil.copy(str(files("xpress") / f"assets/encoder.{suffix}"), tmp_path)
    with pytest.raises(InputError, match=r"holds dft_net\.onnx and encoder\.onnx"):
        ExpressionEditor.from_pretrained("ganimation", tmp_path)


def picture(side: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (10, 10, 3)).astype(np.float32)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype("u1")


def face(center: float, crop_side: float) -> FaceSample:
    """A face whose canonical crop has that side."""
    reach = crop_side / 1.5 / 2
    landmarks = np.full((68, 2), center)
    landmarks[36], landmarks[45] = (center - reach, center), (center + reach, center)
    landmarks[8], landmarks[27] = (center, center + reach), (center, center - reach)
    return FaceSample(
        identity=np.zeros(1),
        expression=np.zeros(53),
        color=np.zeros(1),
        illumination=np.zeros((9, 3)),
        rotation=np.zeros(3),
        translation=np.full(2, center),
        scale=1.0,
        landmarks68=landmarks,
        contours=np.zeros((138, 2)),
    )


@pytest.mark.parametrize("kind", OUTPUTS)
def test_inside_the_crop_it_is_what_torch_blends(networks, kind):
    folder, made = networks
    image = picture(64)
    edited = NetworkEditor(folder / f"{kind}.onnx", UNITS).edit(
        image, face(31.5, SIZE), {"AU12": 0.9}
    )
    units = torch.zeros(1, 17)
    units[0, 8] = 0.9
    crop = torch.from_numpy(image[16:48, 16:48].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        result = made[kind].edit(crop, units).edit
    expected = 255 * result.image[0].permute(1, 2, 0).numpy()
    middle = np.s_[7:-7, 7:-7]
    found = edited.image[16:48, 16:48].astype(float)
    assert np.abs(found - expected)[middle].mean() < 1.5
    moved = np.abs(image[16:48, 16:48].astype(float) - expected)[middle].mean()
    assert moved > 4  # the random network does edit


@pytest.mark.parametrize("kind", OUTPUTS)
def test_beyond_the_crop_and_the_edit_every_pixel_stays(networks, kind):
    folder, _ = networks
    image = picture(200)
    edited = NetworkEditor(folder / f"{kind}.onnx", UNITS).edit(
        image, face(80.0, 90.0), {"AU12": 0.9}
    )
    differs = (edited.image != image).any(-1)
    assert differs[60:100, 60:100].mean() > 0.5
    assert not differs[edited.changed == 0].any()
    outside = np.ones_like(differs)
    outside[35:126, 35:126] = False
    assert not edited.changed[outside].any()
    border = edited.changed[36:38, 37:124]
    assert border.max() < 0.2 * edited.changed.max()


def test_a_turned_face_at_the_border_is_edited_inside_the_picture(networks):
    folder, _ = networks
    image = picture(80)
    turned = face(10.0, 60.0)
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    turned = replace(turned, landmarks68=(turned.landmarks68 - 10) @ turn + 10)
    edited = NetworkEditor(folder / "dft_net.onnx", UNITS).edit(image, turned, {"AU12": 1.0})
    assert edited.image.shape == image.shape
    assert (edited.changed[:30, :30] > 0).any()
    assert not edited.changed[50:].any()


def test_its_own_units_change_nothing(networks):
    folder, _ = networks
    image, own = picture(64), face(31.5, SIZE)
    editor = NetworkEditor(folder / "ganimation.onnx", UNITS)
    for edited in (editor.edit(image, own, {"AU12": 0.0}), editor.towards(image, own, own, 1.0)):
        np.testing.assert_array_equal(edited.image, image)
        assert not edited.changed.any()


def test_what_does_not_fit_is_told(networks, tmp_path):
    folder, _ = networks
    model = tmp_path / "dft_net.onnx"
    with pytest.raises(InputError, match="no such card"):
        NetworkEditor(model, UNITS)
    card = {"kind": "dft_net", "size": SIZE, "crop_ratio": 1.5}
    (tmp_path / "dft_net.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="no such dft_net"):
        NetworkEditor(model, UNITS)
    model.write_bytes((folder / "ganimation.onnx").read_bytes())
    with pytest.raises(InputError, match="is no dft_net for pictures of 32 pixels"):
        NetworkEditor(model, UNITS)
    (tmp_path / "dft_net.json").write_text('{"size": 32, "ratio": 2}')
    with pytest.raises(InputError, match="states no kind, size and crop_ratio"):
        NetworkEditor(model, UNITS)


def test_a_relative_network_is_asked_for_differences(networks, tmp_path):
    folder, _ = networks
    for suffix in (".onnx", ".json"):
        (tmp_path / f"ganimation{suffix}").write_bytes(
            (folder / f"ganimation{suffix}").read_bytes()
        )
    card = json.loads((tmp_path / "ganimation.json").read_text()) | {"relative": 4.0}
    (tmp_path / "ganimation.json").write_text(json.dumps(card))
    own, wanted, image = np.full(17, 0.25), np.full(17, 0.4), picture(64)

    class Known(NetworkEditor):
        def _own(self, face):
            return own

    absolute = Known(folder / "ganimation.onnx", UNITS)
    relative = Known(tmp_path / "ganimation.onnx", UNITS)
    asked = absolute.edit_units(image, face(31.5, SIZE), 4 * (wanted - own))
    given = relative.edit_units(image, face(31.5, SIZE), wanted)
    np.testing.assert_array_equal(given.image, asked.image)
    assert (given.image != absolute.edit_units(image, face(31.5, SIZE), wanted).image).any()
