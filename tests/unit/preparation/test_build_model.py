import numpy as np
import torch

from xpress.morphable.fitting import FitSettings
from xpress.morphable.model import MorphableModel
from xpress.preparation import build_model
from xpress.preparation.build_model import refine_landmarks
from xpress.preparation.fit_packs import LabelledPack, fit_quality, fit_rows
from xpress.rendering.camera import project


def test_refining_follows_labels_that_lie_elsewhere(model, plant, monkeypatch):
    """Labels 6 mm beside the landmarks, as when an annotator means another point."""
    changed = MorphableModel.__new__(MorphableModel)
    changed.__dict__ = {**model.__dict__, "_buffers": dict(model._buffers)}
    known, _ = plant(16, seed=30)
    shape = model.vertices(known["identity"], known["expression"])
    points = model.landmark_points(shape)
    planted = torch.zeros(206, 3)
    planted[17:27, 1] = 0.6  # brows
    points = points + planted
    labels = project(points, known["rotation"], known["translation"], known["scale"])[..., :2]
    pack = LabelledPack(
        [str(i) for i in range(16)], labels.contiguous(), torch.zeros(16, dtype=torch.long)
    )
    settings = FitSettings(iterations=7, noise=0.012)
    before = fit_quality(fit_rows(changed, pack, settings), labels).median()
    monkeypatch.setattr(build_model, "ROUNDS", 1)
    refine_landmarks(changed, pack)
    after = fit_quality(fit_rows(changed, pack, settings), labels).median()
    assert after < 0.8 * before
    moved = changed.landmark_points(model.mean[None]) - model.landmark_points(model.mean[None])
    assert moved[0, 17:27, 1].mean() > 0.1
    assert np.isfinite(moved.numpy()).all()
