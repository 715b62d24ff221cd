from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xpress.data_modules.synthetic.cache as cache_module
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.data_module import LandmarkFacesDataModule
from xpress.data_modules.synthetic.data_module import SyntheticFacesDataModule
from xpress.data_modules.synthetic.scene import SceneRenderer

from xpress.errors import InputError
from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.default()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rendered")


def module(folder, **changes) -> SyntheticFacesDataModule:
    arguments = {
        "cache": folder,
        "count": 40,
        "size": 96,
        "processes": 1,
        "image_size": 64,
        "batch_size": 10,
        "num_workers": 0,
        "holdout": 0.25,
        "augment": Augment(photometric=0.0, grey=0.0),
    }
    return SyntheticFacesDataModule(**{**arguments, **changes})


def test_parameters_of_augmented_crops_project_to_their_landmarks(folder, model):
    batches = [batch.finish() for batch in module(folder).train_dataloader()]
    assert len(batches) == 3
    for batch in batches:
        assert batch.exact.all()
        assert batch.has_parameters.all()
        known = batch.parameters
        vertices = project(
            model.vertices(known.identity, known.expression),
            known.rotation,
            known.translation,
            known.scale,
        )
        assert (model.landmarks68(vertices)[..., :2] - batch.landmarks68).abs().max() < 1e-2
        assert (model.contours(vertices)[..., :2] - batch.contours).abs().max() < 1e-2


def test_rendered_pixels_are_what_the_parameters_say(folder, model):
    """Render the batch anew with torch's rasteriser, the one that tests trust."""
    from xpress.rendering.camera import rotate
    from xpress.rendering.lighting import shade
    from xpress.rendering.normals import vertex_normals
    from xpress.rendering.renderer import render

    raw = next(iter(module(folder).val_dataloader()[0]))
    batch = raw.finish()
    known = batch.parameters
    vertices = model.vertices(known.identity, known.expression)
    projected = project(vertices, known.rotation, known.translation, known.scale)
    normals = rotate(vertex_normals(vertices, model.triangles), known.rotation)
    colors = model.colors(known.color).clamp(0, 1) * shade(normals, known.illumination).clamp(0)
    drawn = render(
        projected, model.triangles, colors, (64, 64), antialias=False, rasterizer="torch"
    )
    # cheeks, between nose and jaw: no hair, no painted eyes or teeth there
    cheeks = (batch.landmarks68[:, [31, 35]] + batch.landmarks68[:, [2, 14]]) / 2
    frontal = batch.parameters.rotation[:, 1].abs() < 0.35
    assert int(frontal.sum()) >= 3
    for i in torch.nonzero(frontal)[:, 0].tolist():
        for x, y in cheeks[i].round().long().tolist():
            seen = batch.image[i, :, y, x]
            assert (seen - drawn.image[i, :, y, x].clamp(0, 1)).abs().max() < 0.06


def test_pupils_follow_the_gaze(model):
    renderer = SceneRenderer(model, 256, seed=1)
    names = {name: i for i, name in enumerate(model.expression_names)}
    centres = [int(np.flatnonzero(i == CONTOUR_MEDIAPIPE_INDEX)[0]) for i in (468, 473)]

    def looking(across: float):
        expression = np.zeros(len(names), np.float32)
        expression[[names["eyeLookOut_L"], names["eyeLookIn_R"]]] = max(across, 0)
        expression[[names["eyeLookIn_L"], names["eyeLookOut_R"]]] = max(-across, 0)
        expression[[names["eyeWide_L"], names["eyeWide_R"]]] = 0.5
        renderer.express = lambda rng: expression
        renderer._sample, sample = (lambda rng: {**original(rng), **still}), renderer._sample
        images, faces = renderer([3])
        renderer._sample = sample
        return images[0], faces[0]["contours"]

    original = renderer._sample
    still = {"rotation": np.zeros(3, np.float32)}
    found = {}
    for across in (-0.7, 0.7):
        image, contours = looking(across)
        for eye in centres:
            x, y = (round(float(v)) for v in contours[eye])
            patch = image[y - 8 : y + 9, x - 12 : x + 13].mean(2)
            dark = patch <= np.quantile(patch, 0.04)
            found[across, eye] = np.nonzero(dark)[1].mean() + x - 12
            assert abs(found[across, eye] - x) < 2.5  # the pupil is where the landmark is
    for eye in centres:  # towards the owner's left is to the right in the picture
        assert found[0.7, eye] - found[-0.7, eye] > 3


def test_the_cache_is_kept_and_made_anew(folder):
    data = module(folder)
    data.prepare_data()
    stamp = (folder / "images.npy").stat().st_mtime_ns
    first = data.source().pixels[5].copy()
    module(folder).prepare_data()
    assert (folder / "images.npy").stat().st_mtime_ns == stamp
    other = module(folder, seed=1)
    assert not np.array_equal(other.source().pixels[5], first)
    assert sorted(path.name for path in folder.iterdir()) == ["images.npy", "labels.safetensors"]
    assert np.array_equal(module(folder).source().pixels[5], first)


def test_a_run_of_few_batches_renders_what_it_shows(tmp_path, write_pack, folder):
    def rendered(cache, batches, mode="fit"):
        data = LandmarkFacesDataModule(
            train=[write_pack(count=30, people=10)],
            batch_size=10,
            holdout=0.0,
            synthetic=module(cache),
            synthetic_ratio=0.25,
        )
        limits = {"max_epochs": 1, "limit_train_batches": batches, "world_size": 1}
        data.trainer = SimpleNamespace(state=SimpleNamespace(fn=mode), **limits)
        data.prepare_data()
        return data.synthetic

    few = rendered(tmp_path / "few", 2).source()
    assert len(few.records) == 2 * 3
    whole = module(folder).source()
    assert np.array_equal(few.pixels[5], whole.pixels[5])
    assert len(rendered(folder, 2).source().records) == len(whole.records)  # they are there
    assert len(rendered(folder, 1.0).source().records) == len(whole.records)
    rendered(tmp_path / "tested", 1.0, "test")
    assert not (tmp_path / "tested").exists()


@pytest.mark.slow
def test_processes_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "_CHUNK", 16)
    one, two = (module(tmp_path / str(n), processes=n, count=20).source() for n in (1, 2))
    assert np.array_equal(one.pixels.buffer, two.pixels.buffer)
    assert np.array_equal(one.targets.expression, two.targets.expression)


def test_backgrounds_come_from_packs(tmp_path, write_pack, model):
    red = np.zeros((144, 144, 3), np.uint8)
    red[..., 0] = 255
    renderer = SceneRenderer(model, 64, seed=0, backgrounds=[red])
    images, _ = renderer(range(12))
    corner = images[:, :6, :6].reshape(12, -1, 3).astype(int)
    pure = ((corner[..., 0] > 250) & (corner[..., 1:].max(-1) < 5)).all(1)
    assert 2 <= pure.sum() <= 10
    data = module(tmp_path / "cache", count=2, backgrounds=[write_pack()])
    assert len(data.source().records) == 2


def test_rendered_faces_fill_their_share_of_real_batches(folder, write_pack):
    data = LandmarkFacesDataModule(
        train=[write_pack(count=30, people=10)],
        image_size=64,
        batch_size=10,
        num_workers=0,
        holdout=0.2,
        synthetic=module(folder),
        synthetic_ratio=0.3,
    )
    data.prepare_data()
    data.setup("fit")
    batches = [batch.finish() for batch in data.train_dataloader()]
    assert len(batches) >= 2
    for batch in batches:
        assert int(batch.exact.sum()) == 3
        assert torch.equal(batch.exact, batch.has_parameters)
        assert (batch.identity_index[batch.exact] == -1).all()
    assert not any(source.exact for source in data.holdout_set.sources)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"count": 0}, "at least 1"),
        ({"holdout": 1.0}, "a share below 1"),
        ({"morphable": "none.safetensors"}, "none.safetensors: cannot be read"),
        ({"backgrounds": ["none.parquet"]}, "no such file"),
    ],
)
def test_bad_options_are_named(tmp_path, changes, reason):
    with pytest.raises(InputError, match=reason):
        module(tmp_path, **changes).source()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        module(tmp_path / "file" / "cache").source()
