from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.utils.data import DataLoader
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.dataset import (
    FaceDataset,
    FaceSource,
    seed_worker,
)
from xpress.data_modules.raw_batch import as_made

from xpress.errors import InputError
from xpress.media.crop import Crop
from xpress.morphable.blendshapes import TAUGHT_MIRROR, TAUGHT_SHAPES
from xpress.morphable.landmarks.landmark_names import MIRROR_68, MIRROR_CONTOURS
from xpress.packs import read_records
from xpress.packs.fitted_parameters import load_fits
from xpress.packs.pixels import load_pixels
from xpress.rendering.camera import project

GEOMETRIC = Augment(grey=0.0, photometric=0.0)


def source(path, cache="decoded", **changes) -> FaceSource:
    records, pixels = load_pixels(read_records(path), cache)
    return FaceSource(records, pixels, **changes)


def spots(points, colors, side=144):
    """A black picture with a soft coloured spot at each point."""
    y, x = np.mgrid[:side, :side]
    image = np.zeros((side, side, 3))
    for point, color in zip(points, colors, strict=True):
        spot = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 4)
        image += spot[..., None] * np.array(color)
    return image.clip(0, 255).astype(np.uint8)


def centroid(image, around, reach=5):
    x0, y0 = (round(float(v)) - reach for v in around)
    patch = image[y0 : y0 + 2 * reach + 1, x0 : x0 + 2 * reach + 1].astype(float)
    weight = patch.sum(2)
    y, x = np.mgrid[: patch.shape[0], : patch.shape[1]]
    found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    return found + np.array([x0, y0]), patch.sum((0, 1)) / patch.sum()


def test_landmarks_and_contours_stay_on_the_pixels_they_name(write_pack):
    rng = np.random.default_rng(0)
    landmarks, contours = rng.uniform(60, 84, (68, 2)), rng.uniform(60, 84, (138, 2))
    # two mirrored pairs with spots of their own colour; the others span the box
    landmarks[[36, 45]] = [[52, 54], [94, 60]]
    contours[[0, 1]] = [[72, 100], [50, 90]]
    partner = MIRROR_CONTOURS[1]
    contours[partner] = [98, 84]
    marked = [landmarks[36], landmarks[45], contours[1], contours[partner]]
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (150, 150, 0)]
    image = spots(marked, colors)
    encoded = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    path = write_pack(
        count=1,
        image=[encoded],
        landmarks68=[landmarks.ravel().tolist()],
        contours=[contours.ravel().tolist()],
    )
    batch = FaceDataset([source(path)], 128, GEOMETRIC, seed=1).__getitems__([0] * 40)
    hues = np.array(colors) / np.sum(colors, axis=1, keepdims=True)
    flipped = checked = 0
    for i in range(40):
        points = torch.cat([batch.landmarks68[i, [36, 45]], batch.contours[i, [1, partner]]])
        seen = [n for n, p in enumerate(points.numpy()) if (p >= 8).all() and (p <= 119).all()]
        hue_at = {}
        for name in seen:
            where, hue_at[name] = centroid(batch.image[i].numpy(), points[name].numpy())
            assert np.abs(where - points[name].numpy()).max() < 0.35

        def named_after(order, hue_at=hue_at):
            return all(np.abs(hue - hues[order[n]]).max() < 0.1 for n, hue in hue_at.items())

        plain, mirrored = named_after([0, 1, 2, 3]), named_after([1, 0, 3, 2])
        assert plain != mirrored or not seen
        flipped += mirrored
        checked += len(seen)
    assert checked > 100
    assert 8 <= flipped <= 32


def test_evaluation_crops_are_the_canonical_ones(write_pack):
    path = write_pack(count=3)
    data = FaceDataset([source(path)], 96)
    batch = data.__getitems__([2, 0])
    records = read_records(path)
    for i, row in enumerate([2, 0]):
        crop = Crop.around(records.landmarks68[row], size=96)
        image = cv2.imdecode(np.frombuffer(records.images[row], np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(batch.image[i].numpy(), crop.cut(image[..., ::-1].copy()))
        expected = crop.to_crop(records.landmarks68[row])
        assert np.allclose(batch.landmarks68[i], expected, atol=1e-4)
        expected = crop.to_crop(records.contours[row])
        assert np.allclose(batch.contours[i], expected, atol=1e-4)
    assert batch.present.all()
    assert batch.parameters is None
    assert not batch.has_parameters.any()


def test_the_finished_batch(write_pack):
    path = write_pack(count=6, color=[True, False] * 3, contours=None)
    raw = FaceDataset([source(path)], 64).__getitems__(range(6))
    batch = raw.finish()
    assert batch.image.shape == (6, 3, 64, 64)
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal((batch.image * 255).round().byte(), raw.image.permute(0, 3, 1, 2))
    assert batch.color.tolist() == [True, False] * 3
    assert not batch.has_contours.any()
    assert (batch.contours == 0).all()
    assert batch.has_landmarks.all()
    # four people take turns
    assert batch.identity_index.tolist() == [0, 1, 2, 3, 0, 1]


def test_color_is_looked_at_where_it_is_unknown(write_pack):
    grey = np.random.default_rng(0).integers(0, 256, (144, 144, 1), np.uint8).repeat(3, 2)
    path = write_pack(count=1)
    images = [read_records(path).images[0], cv2.imencode(".png", grey)[1].tobytes()]
    batch = FaceDataset([source(write_pack(count=2, image=images, color=None))]).__getitems__(
        [0, 1]
    )
    assert batch.color.tolist() == [True, False]


def test_pictures_turned_grey_say_so(write_pack):
    data = FaceDataset([source(write_pack())], 64, Augment(grey=0.5, photometric=0.0))
    batch = data.__getitems__([0] * 60)
    spread = batch.image.int().amax(3) - batch.image.int().amin(3)
    assert torch.equal(spread.flatten(1).amax(1) > 0, batch.color)
    assert 15 <= int(batch.color.sum()) <= 45


def test_crops_that_miss_the_face_teach_nothing_else(write_pack):
    data = FaceDataset([source(write_pack())], 64, GEOMETRIC, negatives=0.5)
    batch = data.__getitems__(list(range(8)) * 10)
    absent = ~batch.present
    assert 20 <= int(absent.sum()) <= 60
    assert torch.equal(batch.has_landmarks, batch.present)
    assert torch.equal(batch.has_contours, batch.present)
    assert not batch.color[absent].any()
    assert (batch.landmarks68[absent] == 0).all()
    assert (batch.identity_index[absent] == -1).all()
    assert (batch.identity_index[~absent] >= 0).all()


def mirrored_pose(rotation, translation, width):
    flipped = translation.copy()
    flipped[:, 0] = width - 1 - flipped[:, 0]
    return rotation * np.array([1, -1, -1], np.float32), flipped


def test_fitted_parameters_follow_crop_roll_and_mirror(write_pack, tmp_path):
    rng, count = np.random.default_rng(5), 4
    shape = rng.normal(0, 5, (count, 68, 3)).astype(np.float32)
    rotation = rng.normal(0, 0.4, (count, 3)).astype(np.float32)
    translation = rng.uniform(65, 80, (count, 2)).astype(np.float32)
    scale = rng.uniform(3, 5, count).astype(np.float32)
    pose = [torch.from_numpy(a) for a in (rotation, translation, scale)]
    points = project(torch.from_numpy(shape), *pose)[..., :2].numpy()
    path = write_pack(count=count, landmarks68=[p.ravel().tolist() for p in points])
    flipped_rotation, flipped_translation = mirrored_pose(rotation, translation, 144)
    number = np.arange(count, dtype=np.float32)[:, None]
    arrays = {
        "identity": number,
        "expression": np.full((count, 53), 0.25, np.float32),
        "rotation": rotation,
        "translation": translation,
        "scale": scale,
        "ok": np.ones(count, bool),
        "identity_flipped": number + 100,
        "expression_flipped": np.full((count, 53), 0.75, np.float32),
        "rotation_flipped": flipped_rotation,
        "translation_flipped": flipped_translation,
        "scale_flipped": scale,
        "ok_flipped": np.array([True, True, True, False]),
    }
    fits = tmp_path / "fits.safetensors"
    keys = [f"pack/row/{i}" for i in range(count)]
    save_file(arrays, fits, metadata={"keys": json.dumps(keys)})
    table, flipped = load_fits(fits, keys)
    data = FaceDataset(
        [source(path, targets=table, flipped_targets=flipped)], 128, GEOMETRIC, 0.1, seed=2
    )
    batch = data.__getitems__(list(range(count)) * 20)
    good, parameters = batch.has_parameters, batch.parameters
    row = (parameters.identity[:, 0] % 100).long()
    mirrored = parameters.identity[:, 0] >= 100
    assert 15 < int((mirrored & good).sum()) < 50
    turned = torch.from_numpy(shape[:, MIRROR_68] * np.array([-1, 1, 1], np.float32))
    shapes = torch.where(mirrored[:, None, None], turned[row], torch.from_numpy(shape)[row])
    where = project(shapes, parameters.rotation, parameters.translation, parameters.scale)
    assert (where[good, :, :2] - batch.landmarks68[good]).abs().max() < 1e-3
    assert torch.equal(parameters.expression[:, 0] == 0.75, mirrored & good)
    # row 3 has no fit of its mirror image, absent faces have none at all
    assert not (good & ~batch.present).any()
    missing = batch.present & ~good
    assert 3 <= int(missing.sum()) <= 17
    assert (parameters.expression[~good] == 0).all()


def test_scores_follow_their_rows_and_change_sides_with_the_picture(write_pack):
    scores = np.random.default_rng(0).random((4, len(TAUGHT_SHAPES))).astype(np.float32)
    scores[2] = np.nan
    scored, plain = source(write_pack(count=4), scores=scores), source(write_pack("b", count=2))
    batch = FaceDataset([scored, plain], 64, GEOMETRIC, 0.3).__getitems__(list(range(6)) * 20)
    row = torch.arange(6).repeat(20)
    known = batch.scores.isfinite().all(1)
    assert torch.equal(known, batch.present & (row < 4) & (row != 2))
    own = torch.from_numpy(scores)[row[known]]
    kept = (batch.scores[known] == own).all(1)
    turned = (batch.scores[known] == own[:, TAUGHT_MIRROR]).all(1)
    assert (kept ^ turned).all()
    assert 5 < int(turned.sum()) < int(known.sum()) - 5
    assert FaceDataset([plain], 64).__getitems__([0]).scores is None


def test_sources_with_and_without_parameters_mix(write_pack):
    from xpress.packs.fitted_parameters import ParameterTable

    known = ParameterTable.zeros(3, 5, 53, 2)
    known.valid[:] = True
    known.scale[:] = 2.0
    rendered = source(write_pack("rendered", count=3), targets=known, exact=True)
    data = FaceDataset([source(write_pack(count=4)), rendered], 64, GEOMETRIC, negatives=0.5)
    batch = data.__getitems__(list(range(7)) * 10)
    exact = torch.tensor([False] * 4 + [True] * 3).repeat(10)
    assert torch.equal(batch.exact, exact)
    assert torch.equal(batch.has_parameters, exact)
    assert batch.present[exact].all()
    assert batch.parameters.color.shape == (70, 2)
    assert (batch.parameters.scale[exact] > 0).all()
    finite = [torch.isfinite(getattr(batch.parameters, n)).all() for n in ("rotation", "scale")]
    assert all(finite)


def test_a_broken_row_is_replaced_named_once_and_counted(write_pack, caplog):
    path = write_pack(count=4)
    images = [*read_records(path).images]
    images[1] = b"broken"
    data = FaceDataset([source(write_pack(count=4, image=images), cache="encoded")], 64)
    batch = data.__getitems__([0, 1, 1, 3])
    other = data.__getitems__([0, 2, 2, 3])
    assert torch.equal(batch.image, other.image)
    assert torch.equal(batch.landmarks68, other.landmarks68)
    assert data.broken == 1
    assert len(caplog.messages) == 1
    assert "row/1 is skipped" in caplog.messages[0]


def test_broken_rows_do_not_stop_workers(write_pack):
    images = [*read_records(write_pack(count=6)).images]
    images[4] = images[4][:50]
    data = FaceDataset([source(write_pack(count=6, image=images), cache="encoded")], 64, GEOMETRIC)
    loader = DataLoader(data, 3, num_workers=2, collate_fn=as_made, worker_init_fn=seed_worker)
    assert sum(len(batch) for batch in loader) == 6
    assert data.broken == 1  # told through shared memory


def test_nothing_but_broken_rows_is_refused(write_pack):
    path = write_pack(count=2, image=[b"a", b"b"])
    with pytest.raises(InputError, match="not one image"):
        FaceDataset([source(path, cache="encoded")])[0]


def test_the_contour_mirror_table_is_that_of_real_faces(packs):
    table = json.loads((packs / "landmark_indices.json").read_text())
    from xpress.morphable.landmarks.landmark_names import CONTOUR_MEDIAPIPE_INDEX

    assert CONTOUR_MEDIAPIPE_INDEX.tolist() == table["contours_mediapipe_index"]
    records = read_records(packs / "video-faces-val.parquet")
    eyes = records.landmarks68[:, [36, 45]].astype(np.float64)
    middle, across = eyes.mean(1), eyes[:, 1] - eyes[:, 0]
    width = np.linalg.norm(across, axis=1)[:, None]
    x = across / width
    axes = np.stack([x, np.stack([-x[:, 1], x[:, 0]], 1)], 1)
    for points, mirror in ((records.contours, MIRROR_CONTOURS), (records.landmarks68, MIRROR_68)):
        assert np.array_equal(mirror[mirror], np.arange(len(mirror)))
        aligned = np.einsum("nij,nkj->nki", axes, points - middle[:, None]) / width[..., None]
        mean = np.median(aligned, 0)
        distance = np.linalg.norm((mean * [-1, 1])[:, None] - mean[None], axis=2)
        own = distance[mirror, np.arange(len(mirror))]
        assert own.max() < 0.12
        if len(mirror) == 138:
            assert np.mean(distance.argmin(0) == mirror) > 0.8
