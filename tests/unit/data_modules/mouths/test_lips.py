import numpy as np
import pytest
import torch
from xpress.data_modules.landmark_crops import RawLandmarkCrops
from xpress.data_modules.mouths.lips import EVALUATION, LipCropAugment, LipLandmarksDataModule

from xpress.batches import LandmarkBatch
from xpress.errors import InputError
from xpress.media.lip_crop import LIP_WIDTH, MIDDLE


def test_people_are_held_out_and_batches_finished(write_mouths):
    pack = write_mouths(np.linspace(0, 12, 40), people=10)
    data = LipLandmarksDataModule([pack], {"quoted": pack}, batch_size=8, holdout=0.3)
    data.setup("fit")
    assert data.val_names == ["holdout"]
    train, held = (
        {name for source in rows.sources for name in source.records.people}
        for rows in (data.train_set, data.holdout_set)
    )
    assert held
    assert train.isdisjoint(held)
    raw = next(iter(data.train_dataloader()))
    assert isinstance(raw, RawLandmarkCrops)
    batch = data.on_after_batch_transfer(raw)
    assert isinstance(batch, LandmarkBatch)
    assert batch.image.shape == (8, 3, 64, 64)
    assert batch.points.shape == (8, 40, 2)
    data.setup("test")
    assert data.test_names == ["quoted"]
    assert len(data.test_dataloader()[0].dataset) == 40


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_points_lie_on_the_drawn_lips_in_mirrored_crops_too(write_mouths, flip):
    pack = write_mouths([8.0] * 6)
    how = LipCropAugment(flip=flip, small=0.0, grey=0.0, photometric=0.0)
    data = LipLandmarksDataModule([pack], holdout=0.0, augment=how)
    data.setup("fit")
    batch = data.train_set.__getitems__(list(range(6))).finish()
    for image, points in zip(batch.image, batch.points, strict=True):
        places = points * LIP_WIDTH + MIDDLE
        hole = places[20:].mean(0).round().int()
        assert image[:, hole[1], hole[0]].max() < 0.2
        between = ((places[5] + places[25]) / 2).round().int()
        red, green = image[0, between[1], between[0]], image[1, between[1], between[0]]
        assert red > green + 0.2
        assert places[0, 0] < places[10, 0]  # the picture's left corner is first again


def test_evaluation_is_the_same_each_time(write_mouths):
    rows = LipLandmarksDataModule(augment=EVALUATION).evaluation_set(write_mouths([3.0, 6.0]))
    first, second = rows.__getitems__([0, 1]), rows.__getitems__([0, 1])
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.points, second.points)


def test_rare_openings_are_drawn_more_often(write_mouths):
    pack = write_mouths([0.0] * 30 + [12.0] * 2)
    data = LipLandmarksDataModule([pack], holdout=0.0, batch_size=32)
    data.setup("fit")
    weights = data.sampler().weights
    assert weights[30] == pytest.approx(data.rare_more * weights[0])


def test_faces_without_lips_are_refused(write_mouths):
    pack = write_mouths([4.0])
    data = LipLandmarksDataModule([pack], least_width=500.0, holdout=0.0)
    with pytest.raises(InputError, match="no mouth of 500 pixels"):
        data.setup("fit")
