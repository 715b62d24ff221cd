from importlib.resources import as_file, files

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xpress.errors import InputError
from xpress.morphable.face_model import FORMAT
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.mirror import expression_mirror
from xpress.morphable.model import LandmarkEmbedding, MorphableModel
from xpress.morphable.signals import SIGNALS, expression_signals
from xpress.rendering.camera import project
from xpress.rendering.normals import vertex_normals

FLIP = torch.tensor([-1.0, 1.0, 1.0])


def test_vertices_and_colors_are_linear(sheets):
    generator = np.random.default_rng(0)
    identity, expression, color = (generator.normal(size=(2, n)) for n in sheets.sizes)
    arrays = {name: buffer.double().numpy() for name, buffer in sheets.named_buffers()}
    expected = (
        arrays["mean"]
        + np.einsum("bk,kvc->bvc", identity, arrays["identity_basis"])
        + np.einsum("bk,kvc->bvc", expression, arrays["expression_basis"])
    )
    first, second, third = (torch.from_numpy(x).float() for x in (identity, expression, color))
    np.testing.assert_allclose(sheets.vertices(first, second), expected, atol=1e-5)
    tint = arrays["mean_color"] + np.einsum("bk,kvc->bvc", color, arrays["color_basis"])
    np.testing.assert_allclose(sheets.colors(third), tint, atol=1e-5)


def test_landmarks_are_weighted_corners(sheets):
    vertices = torch.randn(2, len(sheets.mean), 3, generator=torch.Generator().manual_seed(1))
    points = sheets.landmark_points(vertices)
    corners, weights = sheets.landmark_corners[70], sheets.landmark_weights[70]
    by_hand = sum(weights[i] * vertices[:, corners[i]] for i in range(3))
    torch.testing.assert_close(points[:, 70], by_hand)
    torch.testing.assert_close(sheets.landmarks68(vertices), points[:, :68])
    torch.testing.assert_close(sheets.contours(vertices), points[:, 68:])


def test_landmarks_of_projected_vertices_are_projected_landmarks(model):
    pose = torch.tensor([[0.1, -0.4, 0.2]]), torch.tensor([[60.0, 70.0]]), torch.tensor([6.0])
    before = project(model.landmark_points(model.mean[None]), *pose)
    after = model.landmark_points(project(model.mean[None], *pose))
    torch.testing.assert_close(before, after, atol=1e-3, rtol=0)


def test_wrong_shapes_are_refused(sheets):
    with pytest.raises(Exception, match="identity"):
        sheets.vertices(torch.zeros(3), torch.zeros(1, 4))


def test_parts_that_do_not_belong_together(sheets):
    fields = dict(sheets.named_buffers())
    embedding = LandmarkEmbedding(fields.pop("landmark_corners"), fields.pop("landmark_weights"))
    fields |= {"parts": sheets.parts, "landmarks": embedding}
    with pytest.raises(ValueError, match="one name per expression"):
        MorphableModel(**fields, expression_names=["jawOpen"])
    fields["triangles"] = fields["triangles"] + len(sheets.mean)
    with pytest.raises(ValueError, match="do not exist"):
        MorphableModel(**fields, expression_names=sheets.expression_names)


def test_saved_and_loaded(sheets, tmp_path):
    path = tmp_path / "sheets.safetensors"
    sheets.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["sheets.safetensors"]
    loaded = MorphableModel.load(path)
    assert loaded.parts == sheets.parts
    assert loaded.expression_names == sheets.expression_names
    assert loaded.info == sheets.info
    rounded = {"identity_basis": 127, "expression_basis": 32767, "color_basis": 127}
    for name, tensor in sheets.named_buffers():
        read = getattr(loaded, name)
        assert read.shape == tensor.shape
        if name in rounded:
            bound = tensor.abs().amax((1, 2)) / (2 * rounded[name]) + 1e-7
            assert ((read - tensor).abs().amax((1, 2)) <= bound).all()
        elif name == "mean_color":
            torch.testing.assert_close(read, tensor, atol=5e-4, rtol=0)
        else:
            assert torch.equal(read, tensor)
    again = tmp_path / "again.safetensors"
    loaded.save(again)
    second = MorphableModel.load(again)
    torch.testing.assert_close(second.identity_basis, loaded.identity_basis, atol=1e-6, rtol=1e-6)


def test_saving_into_a_file(sheets, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"model\.safetensors"):
        sheets.save(tmp_path / "file" / "model.safetensors")


def _damaged(sheets, path, how):
    if how == "garbage":
        path.write_bytes(b"no tensors in here" * 100)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "folder":
        path.mkdir()
    elif how == "foreign":
        save_file({"weight": torch.zeros(3)}, path)
    elif how == "truncated":
        sheets.save(path)
        path.write_bytes(path.read_bytes()[:-500])
    elif how == "incomplete":
        sheets.save(path)
        tensors = load_file(path)
        del tensors["mirror"]
        meta = {"parts": "{}", "expression_names": "[]", "info": "{}", "format": FORMAT}
        save_file(tensors, path, metadata=meta)


@pytest.mark.parametrize(
    "how", ["missing", "garbage", "empty", "folder", "foreign", "truncated", "incomplete"]
)
def test_bad_files_get_one_line(sheets, tmp_path, how):
    path = tmp_path / "bad.safetensors"
    _damaged(sheets, path, how)
    with pytest.raises(InputError) as caught:
        MorphableModel.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_package_model_is_small_and_shared():
    with as_file(files("xpress") / "assets" / "morphable.safetensors") as path:
        assert path.stat().st_size <= 15e6
    assert MorphableModel.default() is MorphableModel.default()


def test_parts_tile_the_mesh_and_keep_to_themselves(model):
    vertex = triangle = 0
    for part in model.parts.values():
        assert (part.vertex_start, part.triangle_start) == (vertex, triangle)
        block = model.triangles[part.triangle_start : part.triangle_stop]
        assert block.min() == part.vertex_start
        assert block.max() == part.vertex_stop - 1
        vertex, triangle = part.vertex_stop, part.triangle_stop
    assert next(iter(model.parts)) == "face"
    assert (vertex, triangle) == (len(model.mean), len(model.triangles))
    torch.testing.assert_close(
        model.part_triangles("teeth_upper", "eyeball_left"),
        torch.cat([model.triangles[29732:34084], model.triangles[38428:41560]]),
    )


def test_mean_face_is_symmetric(model):
    face = model.parts["face"].vertex_stop
    mirror, mean = model.mirror, model.mean[:face]
    assert len(mirror) == face
    assert (mirror[mirror] != torch.arange(face)).sum() <= 5
    assert (mean[mirror] * FLIP - mean).norm(dim=1).max() < 0.01


def test_expressions_of_the_two_sides_mirror_each_other(model):
    face = model.parts["face"].vertex_stop
    other = expression_mirror(model.expression_names)
    basis = model.expression_basis[:, :face]
    difference = (basis - (basis[:, model.mirror] * FLIP)[other]).norm(dim=-1)
    assert difference.mean() < 1e-3 * basis.norm(dim=-1).amax(1).mean()
    assert difference.max() < 0.15  # a few lid vertices of the source differ


def _loop_edges(loop):
    return torch.stack([loop, loop.roll(-1)], 1).sort(1).values


def test_openings_are_closed_loops_of_the_boundary(model):
    triangles = model.part_triangles("face")
    sides = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges, count = sides.sort(1).values.unique(dim=0, return_counts=True)
    border = {tuple(edge) for edge in edges[count == 1].tolist()}
    for loop in (model.inner_lip_loop, *model.eyelid_loops):
        assert len(set(loop.tolist())) == len(loop)
        assert {tuple(edge) for edge in _loop_edges(loop).tolist()} <= border


def test_left_eye_comes_first_and_the_mouth_is_in_the_middle(model):
    left, right = (model.mean[loop].mean(0) for loop in model.eyelid_loops)
    mouth = model.mean[model.inner_lip_loop].mean(0)
    assert left[0] > 2
    assert right[0] < -2
    assert abs(mouth[0]) < 0.01
    assert mouth[1] < left[1]
    for eye, part in ((left, "eyeball_left"), (right, "eyeball_right")):
        span = model.parts[part]
        ball = model.mean[span.vertex_start : span.vertex_stop].mean(0)
        assert (ball - eye)[:2].norm() < 1


@pytest.mark.parametrize(
    ("shape", "signal", "sign"),
    [
        ("jawOpen", "mouth_opening", 1),
        ("mouthSmile_L", "smile", 1),
        ("mouthPucker", "mouth_width", -1),
        ("eyeBlink_L", "lid_left", -1),
        ("eyeBlink_R", "lid_right", -1),
        ("browOuterUp_L", "brow_left", 1),
        ("browDown_R", "brow_right", -1),
    ],
)
def test_shapes_do_what_they_are_called(model, shape, signal, sign):
    reduced = LandmarkModel.of(model)
    expression = torch.zeros(2, model.sizes[1])
    expression[1, model.expression_names.index(shape)] = 1
    points = reduced.points(torch.zeros(2, model.sizes[0]), expression)[:, :68, :2]
    rest, moved = expression_signals(points * torch.tensor([1.0, -1.0]))
    change = moved - rest
    assert sign * change[SIGNALS.index(signal)] > 0.02
    if signal.startswith("lid"):
        assert moved[SIGNALS.index(signal)] < 0.3 * rest[SIGNALS.index(signal)]
        side = {"lid_left": "lid_right", "lid_right": "lid_left"}[signal]
        assert abs(change[SIGNALS.index(side)]) < 1e-3


def test_skin_looks_like_skin_and_faces_outwards(model):
    face = model.parts["face"].vertex_stop
    red, green, blue = model.mean_color[:face].mean(0)
    assert red > green > blue > 0.1
    assert model.mean_color.min() >= 0
    assert (model.mean_color > 1).any(1).sum() <= 5
    normals = vertex_normals(model.mean[None], model.triangles)[0]
    tip = int(model.mean[:face, 2].argmax())
    assert normals[tip, 2] > 0.9
