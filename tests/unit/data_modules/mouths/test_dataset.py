from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from xpress.data_modules.faces.dataset import FaceSource
from xpress.data_modules.mouths.augmentation import MouthAugment
from xpress.data_modules.mouths.dataset import (
    LOCAL_SMALLEST,
    MouthDataset,
    opening,
    surroundings,
)
from xpress.data_modules.raw_batch import as_made
from xpress.data_modules.resumable import SeededRow, resumable_loader
from xpress.data_modules.sampling import WeightedSampler

from xpress.errors import InputError
from xpress.media.mouth_crop import hole_mask, mouth_crop
from xpress.packs import read_records
from xpress.packs.fitted_parameters import ParameterTable
from xpress.packs.pixels import load_pixels

HEIGHTS = (3.0, 6.0, 9.0, 12.0)
OFF = ("shift", "roll", "flip", "grey", "photometric", "jolt", "wobble")
OFF += ("alone", "unknown", "drift")
STILL = {**dict.fromkeys(OFF, 0.0), "ratio": (1.5, 1.5), "grow": (0.0, 0.0)}
"""An augmentation that changes nothing."""


@pytest.fixture
def source(write_mouths) -> FaceSource:
    return FaceSource(*load_pixels(read_records(write_mouths(HEIGHTS))))


def dark(images: torch.Tensor) -> np.ndarray:
    """(B, H, W) where the drawn holes are."""
    return images.numpy().max(-1) < 50


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(bool), b.astype(bool)
    return (a & b).sum() / (a | b).sum()


def test_the_canonical_hole_is_where_the_picture_is_dark(source):
    batch = MouthDataset([source]).__getitems__(range(4))
    assert batch.image.shape == (4, 96, 96, 3)
    assert overlap(batch.hole.numpy(), dark(batch.image)) > 0.85
    # lips 60 pixels wide in a crop of 90 that is drawn on 96: the hole's half width is 25.6
    widths = batch.hole.numpy().any(1).sum(1)
    np.testing.assert_allclose(widths, 2 * 25.6, atol=2)
    heights = batch.hole.numpy().any(2).sum(1)
    np.testing.assert_allclose(heights, 2 * 96 / 90 * np.array(HEIGHTS), atol=2)


def test_rows_of_several_sources_are_numbered_on_end(source):
    batch = MouthDataset([source, source]).__getitems__([1, 5, 7])
    assert torch.equal(batch.image[0], batch.image[1])
    assert batch.row.tolist() == [1, 5, 7]
    alone = MouthDataset([source])[3]
    assert torch.equal(alone.image[0], batch.image[2])


def test_finished_batches_are_floats(source):
    batch = MouthDataset([source]).__getitems__(range(3)).finish()
    assert batch.image.shape == (3, 3, 96, 96)
    assert batch.hole.shape == batch.distance.shape == (3, 1, 96, 96)
    assert set(batch.hole.unique().tolist()) == {0.0, 1.0}
    assert batch.image.max() <= 1
    white = batch.filled.permute(0, 2, 3, 1)[batch.hole[:, 0] > 0]
    assert (white == 1).all()


def test_a_mirrored_crop_is_the_mirror_image_with_its_hole(source):
    plain = MouthDataset([source]).__getitems__(range(4))
    still = MouthDataset([source], augment=MouthAugment(**STILL)).__getitems__(range(4))
    assert torch.equal(still.image, plain.image)
    assert torch.equal(still.hole, plain.hole)
    augment = MouthAugment(**{**STILL, "flip": 1.0})
    mirrored = MouthDataset([source], augment=augment).__getitems__(range(4))
    assert torch.equal(mirrored.image, plain.image.flip(2))
    assert not torch.equal(mirrored.image, plain.image)  # the spot beside the mouth
    assert overlap(mirrored.hole.numpy(), plain.hole.flip(2).numpy()) > 0.95


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_hole_follows_crop_and_mirror(source, flip):
    moved = {"ratio": (1.3, 1.75), "shift": 0.05, "roll": 20.0, "flip": flip}
    dataset = MouthDataset([source], augment=MouthAugment(**{**STILL, **moved}))
    batch = dataset.__getitems__([SeededRow(row % 4, row) for row in range(16)])
    assert overlap(batch.hole.numpy(), dark(batch.image)) > 0.85
    assert len({image.numpy().tobytes() for image in batch.image}) == 16


def test_crops_stay_in_their_ranges(source):
    augment = MouthAugment(ratio=(1.2, 1.8), shift=0.1, roll=10.0)
    rng = np.random.default_rng(0)
    canonical = MouthDataset([source])
    crop = mouth_crop(canonical.lips[0])
    crops = [augment.crop(rng, crop) for _ in range(500)]
    ratios = np.array([c.side for c in crops]) / 60
    assert 1.2 <= ratios.min() < 1.25
    assert 1.75 < ratios.max() <= 1.8
    assert np.median(ratios) == pytest.approx(np.sqrt(1.2 * 1.8), abs=0.04)
    angles = np.rad2deg([c.angle for c in crops])
    assert 9 < np.abs(angles).max() <= 10
    shifts = np.array([np.subtract(c.center, crop.center) / c.side for c in crops])
    assert np.abs(shifts).max() <= 0.25 + 1e-9
    np.testing.assert_allclose(shifts.std(0), 0.1, atol=0.015)


def test_holes_grow_and_wander_but_pictures_do_not(source):
    plain = MouthDataset([source]).__getitems__([2] * 8)
    for changes, sign in (({"grow": (2.0, 2.0)}, 1), ({"grow": (-2.0, -2.0)}, -1)):
        batch = MouthDataset([source], augment=MouthAugment(**{**STILL, **changes}))[2]
        assert sign * (int(batch.hole.sum()) - int(plain.hole[0].sum())) > 100
        assert torch.equal(batch.image, plain.image[:1])
    for changes in ({"jolt": 2.0}, {"wobble": 1.0}):
        dataset = MouthDataset([source], augment=MouthAugment(**{**STILL, **changes}))
        batch = dataset.__getitems__([SeededRow(2, seed) for seed in range(8)])
        assert torch.equal(batch.image, plain.image)
        assert len({hole.numpy().tobytes() for hole in batch.hole}) == 8
        assert overlap(batch.hole.numpy(), plain.hole.numpy()) > 0.6


def test_colours_change_and_holes_do_not(source):
    augment = MouthAugment(**{**STILL, "photometric": 10.0})
    dataset = MouthDataset([source], augment=augment)
    batch = dataset.__getitems__([SeededRow(1, seed) for seed in range(6)])
    assert len({image.numpy().tobytes() for image in batch.image}) == 6
    assert all(torch.equal(hole, batch.hole[0]) for hole in batch.hole)
    grey = MouthDataset([source], augment=MouthAugment(**{**STILL, "grey": 1.0}))[1]
    assert torch.equal(grey.image[..., 0], grey.image[..., 2])


@pytest.mark.parametrize("workers", [0, 1])
def test_crops_are_a_function_of_seed_epoch_and_place(source, workers):
    def epochs(seed: int, workers: int) -> list[torch.Tensor]:
        dataset = MouthDataset([source], 32, MouthAugment(), seed=int(torch.randint(99, ())))
        sampler = WeightedSampler(np.ones(4), 2, seed)
        loader = resumable_loader(dataset, sampler, workers, collate_fn=as_made)
        taken = []
        for epoch in range(2):
            sampler.set_epoch(epoch)
            batches = list(loader)
            taken.append(torch.cat([torch.cat([b.image, b.hole[..., None]], -1) for b in batches]))
        return taken

    first, second = epochs(3, workers), epochs(3, 0)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], first[1])
    if workers == 0:
        assert not torch.equal(epochs(4, 0)[0], first[0])


def test_the_opening_is_the_holes_area():
    lips = np.array([[[0.0, 0.0], [40.0, 0.0], [20.0, 10.0]]])
    square = np.array([[[10.0, 0.0], [20.0, 0.0], [20.0, 8.0], [10.0, 8.0]]])
    assert opening(lips, square)[0] == pytest.approx(80 / 40**2)
    assert opening(lips, square[:, ::-1] + 100)[0] == pytest.approx(80 / 40**2)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ellipse = np.stack([15 * np.cos(angle), 6 * np.sin(angle)], 1)[None]
    area = 10 * 15 * 6 * np.sin(2 * np.pi / 20)  # a regular polygon's, stretched
    assert opening(lips, ellipse)[0] == pytest.approx(area / 40**2)
    assert opening(lips, np.zeros((1, 20, 2)))[0] == 0


def blob(a: float, b: float, size: int = 64) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return hole_mask(np.stack([30 + a * np.cos(angle), 36 + b * np.sin(angle)], 1), size)


@pytest.mark.parametrize("hole", [blob(20, 8), blob(12, 2), blob(3, 3)])
def test_surroundings_are_scipys_distances(hole: np.ndarray):
    distance, box = surroundings(hole)
    exact = distance_transform_edt(hole) + distance_transform_edt(1 - hole) - 0.5
    # OpenCV's 3×3 mask errs by a few hundredths
    assert np.abs(distance - exact).max() < 0.08 * exact.max()
    assert np.abs(distance - exact)[exact < 4].max() < 0.25
    rows, columns = np.nonzero(hole)
    low = np.array([columns.min(), rows.min()]) - 1
    high = np.array([columns.max(), rows.max()]) + 2
    half = np.maximum(high - low, LOCAL_SMALLEST) / 2
    np.testing.assert_allclose(box[:2], (low + high) / 2 - half)
    np.testing.assert_allclose(box[2:], (low + high) / 2 + half)


def test_a_closed_mouth_has_a_box_in_the_middle():
    distance, box = surroundings(np.zeros((64, 64), np.uint8))
    assert np.isfinite(distance).all()
    assert distance.min() > 64
    np.testing.assert_allclose(box, [24, 28, 40, 36])


def known(source: FaceSource, model) -> FaceSource:
    """The mouths with face parameters whose teeth lie about where the mouths are; one clip."""
    count = len(source.records)
    table = ParameterTable.zeros(count, *model.sizes)
    middle = source.records.landmarks68[:, 48:68].mean(1)
    scale = np.ptp(source.records.landmarks68[:, 48:60, 0], axis=1) / 4.6
    lips = model.landmarks68(model.mean[None])[0, 48:68, 1].mean().item()
    table = replace(
        table,
        scale=scale.astype(np.float32),
        translation=(middle + np.stack([0 * scale, scale * lips], 1)).astype(np.float32),
        valid=np.arange(count) < count - 1,
    )
    records = replace(
        source.records,
        identities=["someone"] * count,
        keys=[f"clip/{row}" for row in range(count)],
    )
    return replace(source, records=records, targets=table)


def test_teeth_follow_from_the_parameters(source, model):
    plain = MouthDataset([source])[0].finish()
    assert not plain.teeth.any()
    assert not plain.reference.any()
    dataset = MouthDataset([known(source, model)])
    batch = dataset.__getitems__(range(4)).finish()
    upper, lower = (torch.nonzero(mask)[:, 0].float().mean() for mask in batch.teeth[0])
    assert upper < 47.5 < lower
    assert batch.teeth[:3].amax((2, 3)).min() == 1
    assert not batch.teeth[3].any()  # not valid
    assert not batch.reference[3].any()


def test_a_reference_is_what_another_row_shows_between_its_lips(source, model):
    dataset = MouthDataset([known(source, model)])
    picked = []
    dataset._shown_teeth = float  # the later the more
    original = dataset._reference
    dataset._reference = lambda partner, teeth: picked.append(partner) or original(partner, teeth)
    batch = dataset.__getitems__(range(3)).finish()
    assert picked == [2, 2, 1]
    other = MouthDataset([source]).__getitems__([2]).finish()
    layer = batch.reference[0, :4]
    inside = layer[3] == 1
    assert inside.sum() > 50
    assert (inside & (other.hole[0, 0] > 0)).sum() > 0.9 * inside.sum()
    outside = layer[:3] * (layer[3:] == 0)
    assert not outside.any()
    # the drawn holes are dark, and so is what is taken from them
    assert layer[:3, inside].max() < 50 / 255 + 0.2


def test_references_are_left_out_as_often_as_asked(source, model):
    for name in ("alone", "unknown"):
        augment = MouthAugment(**{**STILL, name: 1.0})
        batch = MouthDataset([known(source, model)], augment=augment).__getitems__([0, 1, 2])
        assert not batch.reference.any()
        assert batch.teeth.any() == (name == "alone")
    always = MouthDataset([known(source, model)], augment=MouthAugment(**STILL))
    assert always.__getitems__([0, 1, 2]).reference.flatten(1).any(1).all()


def test_references_and_teeth_are_mirrored_with_the_crop(source, model):
    both = []
    for flip in (0.0, 1.0):
        augment = MouthAugment(**{**STILL, "flip": flip})
        dataset = MouthDataset([known(source, model)], augment=augment)
        both.append(dataset.__getitems__([SeededRow(0, 5)]))
    plain, mirrored = both
    assert overlap(plain.teeth.numpy() > 128, mirrored.teeth.flip(3).numpy() > 128) > 0.95
    assert torch.equal(plain.reference, mirrored.reference.flip(3))


def test_another_models_parameters_are_told(source, model):
    other = replace(known(source, model), targets=ParameterTable.zeros(4, 3, 5, 0))
    other.targets.valid[:] = True
    with pytest.raises(InputError, match="3 identity and 5 expression coefficients"):
        MouthDataset([other])
