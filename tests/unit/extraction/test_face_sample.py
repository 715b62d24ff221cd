import numpy as np
import pytest
import torch

from xpress.extraction.face_sample import (
    UPRIGHT_WITHIN,
    roll,
    turn_light,
    turn_rotation,
    upright_crop,
)
from xpress.media.crop import Crop
from xpress.rendering.camera import project, rotation_matrix
from xpress.rendering.lighting import shade


@pytest.mark.parametrize("angle", [-0.9, 0.4])
def test_turned_pose_projects_to_the_same_pixels(angle):
    generator = np.random.default_rng(0)
    points = torch.from_numpy(generator.normal(size=(1, 50, 3)) * 5)
    rotation = np.array([0.2, -0.4, 0.1])
    crop = Crop((210.0, 90.0), 300.0, 128, angle)
    in_crop = project(
        points, torch.from_numpy(rotation)[None], torch.tensor([[60.0, 66.0]]), torch.tensor([5.0])
    )
    shift = torch.from_numpy(crop.to_image(np.array([60.0, 66.0])))[None]
    turned = torch.from_numpy(turn_rotation(rotation, angle))[None]
    in_image = project(points, turned, shift, torch.tensor([5.0 / crop.zoom]))
    expected = crop.to_image(in_crop[0, :, :2].numpy())
    np.testing.assert_allclose(in_image[0, :, :2].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("angle", [-1.1, 0.35])
def test_turned_light_shades_the_turned_normals_alike(angle):
    generator = np.random.default_rng(1)
    light = generator.normal(size=(9, 3))
    normals = torch.nn.functional.normalize(torch.from_numpy(generator.normal(size=(1, 40, 3))))
    normals = normals / normals.norm(dim=-1, keepdim=True)
    around_z = rotation_matrix(torch.tensor([[0.0, 0.0, -angle]], dtype=torch.float64))
    before = shade(normals, torch.from_numpy(light)[None])
    after = shade(normals @ around_z.mT, torch.from_numpy(turn_light(light, angle))[None])
    torch.testing.assert_close(after, before)


def test_upright_crop_is_the_canonical_one_for_level_faces(world):
    face = world.sample(80, 80, scale=4.0)
    assert upright_crop(face.landmarks68) == Crop.around(face.landmarks68)


@pytest.mark.parametrize("angle", [-1.2, 0.5, 0.8])
def test_upright_crop_turns_the_excess_back(world, angle):
    face = world.sample(300, 200, roll=angle, scale=4.0)
    assert roll(face.landmarks68) == pytest.approx(angle, abs=0.03)
    crop = upright_crop(face.landmarks68)
    seen = crop.to_crop(face.landmarks68)
    assert roll(seen) == pytest.approx(np.sign(angle) * UPRIGHT_WITHIN, abs=0.01)
    middle = (seen.min(0) + seen.max(0)) / 2
    np.testing.assert_allclose(middle, 63.5, atol=0.01)
    assert (seen.max(0) - seen.min(0)).max() == pytest.approx(128 / 1.5, rel=1e-3)


def test_upright_crop_does_not_jump_where_turning_begins(world):
    within = world.sample(300, 200, roll=UPRIGHT_WITHIN - 0.002, scale=4.0)
    beyond = world.sample(300, 200, roll=UPRIGHT_WITHIN + 0.002, scale=4.0)
    first, second = upright_crop(within.landmarks68), upright_crop(beyond.landmarks68)
    assert abs(first.side / second.side - 1) < 0.01
    assert np.hypot(*np.subtract(first.center, second.center)) < 0.5


def test_sample_parameters_round_trip(world):
    face = world.sample(33, 44, jaw=0.5, roll=0.2)
    parameters = face.parameters
    assert len(parameters) == 1
    assert parameters.translation.tolist() == [[33.0, 44.0]]
    np.testing.assert_allclose(parameters.expression[0], face.expression, atol=1e-6)
