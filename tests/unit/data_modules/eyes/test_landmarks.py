from xpress.data_modules.eyes.landmarks import EyeLandmarksDataModule
from xpress.data_modules.landmark_crops import RawLandmarkCrops

from xpress.batches import LandmarkBatch

from ...drawn_eyes import eye_pack


def test_sets_are_packs_and_people_are_held_out(tmp_path):
    pack = eye_pack(tmp_path / "drawn.parquet")
    data = EyeLandmarksDataModule([pack], {"quoted": pack}, batch_size=8, holdout=0.5)
    data.setup("fit")
    assert data.val_names == ["holdout"]
    held = data.holdout_set.rows
    assert set(held.identity).isdisjoint(data.train_set.rows.identity)
    assert len(held) + len(data.train_set) == 48
    raw = next(iter(data.train_dataloader()))
    assert isinstance(raw, RawLandmarkCrops)
    batch = data.on_after_batch_transfer(raw)
    assert isinstance(batch, LandmarkBatch)
    assert batch.image.shape == (8, 3, 48, 64)
    assert data.on_after_batch_transfer(batch) is batch
    data.setup("test")
    assert data.test_names == ["quoted"]
    assert len(data.test_dataloader()[0].dataset) == 48
