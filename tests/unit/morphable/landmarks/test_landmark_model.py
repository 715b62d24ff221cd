import pytest
import torch

from xpress.morphable.landmarks.landmark_model import LandmarkModel


def test_equals_the_landmarks_of_the_whole_model(model, reduced):
    generator = torch.Generator().manual_seed(0)
    identity = torch.randn(3, model.sizes[0], generator=generator)
    expression = torch.rand(3, model.sizes[1], generator=generator)
    whole = model.landmark_points(model.vertices(identity, expression))
    torch.testing.assert_close(reduced.points(identity, expression), whole, atol=1e-4, rtol=0)


def test_eye_distance_is_that_of_the_mean_face(model, reduced):
    points = model.landmark_points(model.mean[None])[0].double()
    assert reduced.eye_distance == pytest.approx(float((points[36] - points[45]).norm()), rel=1e-6)
    assert 8 < reduced.eye_distance < 11  # centimetres


def test_selection_by_mask_and_index(sheets):
    whole = LandmarkModel.of(sheets)
    identity, expression = torch.ones(2, 3), torch.full((2, 4), 0.5)
    points = whole.points(identity, expression)
    mask = torch.arange(206) % 3 == 0
    torch.testing.assert_close(whole.select(mask).points(identity, expression), points[:, mask])
    index = torch.tensor([5, 1])
    torch.testing.assert_close(whole.select(index).points(identity, expression), points[:, index])
    assert whole.select(mask).eye_distance == whole.eye_distance
