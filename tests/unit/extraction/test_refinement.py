import numpy as np
import pytest
import torch

from xpress.commands.extract import extract
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.refinement import FaceRefiner
from xpress.extraction.refinement_problem import RefineSettings, moved
from xpress.media.images import write_image
from xpress.models.face_autoencoder.decoder import FaceDecoder
from xpress.morphable.fitting import POSE
from xpress.structures import FaceParameters

SIDE = 160


@pytest.fixture(scope="module")
def truth(model) -> FaceSample:
    """A turned, smiling face under a lamp from the side."""
    generator = np.random.default_rng(3)
    expression = np.zeros(model.sizes[1])
    for name in ("mouthSmile_L", "mouthSmile_R", "jawOpen"):
        expression[model.expression_names.index(name)] = 0.4
    light = np.zeros((9, 3))
    light[0], light[2], light[3] = 2.6, 0.5, 0.5
    return FaceSample(
        identity=generator.normal(0, 0.5, model.sizes[0]),
        expression=expression,
        color=generator.normal(0, 0.7, model.sizes[2]),
        illumination=light,
        rotation=np.array([0.1, -0.2, 0.05]),
        translation=np.array([80.0, 75.0]),
        scale=6.5,
        landmarks68=np.zeros((68, 2)),
        contours=np.zeros((138, 2)),
    )


@pytest.fixture(scope="module")
def photograph(model, truth) -> np.ndarray:
    """What the decoder draws of it, through another renderer than the refinement's."""
    rendering = FaceDecoder(model, "torch")(truth.parameters.torch(), (SIDE, SIDE))
    image = torch.where(rendering.mask, rendering.image, torch.full((3, 1, 1), 0.4))
    return (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def guess(landmark_model, truth) -> FaceSample:
    """What a poor encoder would say: displaced, and with the mean's colour under plain light."""
    light = np.zeros((9, 3))
    light[0] = 3.0
    face = truth.replace(
        identity=0.6 * truth.identity,
        expression=0.6 * truth.expression,
        color=np.zeros_like(truth.color),
        illumination=light,
        translation=truth.translation + np.array([1.0, -0.8]),
        rotation=truth.rotation * 0.8,
    )
    return with_landmarks(landmark_model, face)


def with_landmarks(landmark_model, face: FaceSample) -> FaceSample:
    points = project_with_torch(landmark_model, face.parameters.torch())
    return face.replace(landmarks68=points[:68], contours=points[68:])


def project_with_torch(landmark_model, p: FaceParameters) -> np.ndarray:
    from xpress.rendering.camera import project

    shape = landmark_model.points(p.identity, p.expression)
    return project(shape, p.rotation, p.translation, p.scale)[0, :, :2].double().numpy()


def test_colour_light_and_place_are_found(model, landmark_model, photograph, truth, guess):
    loose = RefineSettings(landmark=0.1, lid=0.1)
    found = FaceRefiner(model, loose)(photograph, guess, 5)
    assert found.before > 0.05
    assert found.after < 0.4 * found.before
    true_points = project_with_torch(landmark_model, truth.parameters.torch())
    wrong = [
        np.linalg.norm(np.concatenate([f.landmarks68, f.contours]) - true_points, axis=1).mean()
        for f in (guess, found.face)
    ]
    assert wrong[1] < 0.7 * wrong[0]


def test_landmarks_belong_to_the_parameters(model, landmark_model, photograph, guess):
    face = FaceRefiner(model)(photograph, guess, 2).face
    points = project_with_torch(landmark_model, face.parameters.torch())
    np.testing.assert_allclose(np.concatenate([face.landmarks68, face.contours]), points, atol=1e-3)
    assert face.expression.min() >= 0
    assert face.expression.max() <= 1


def test_no_step_is_worse(model, photograph, guess):
    errors = [FaceRefiner(model)(photograph, guess, steps).after for steps in (0, 1, 3)]
    assert errors[0] > errors[1] >= errors[2] - 1e-3


def test_strong_landmarks_hold_the_face(model, photograph, guess):
    held = FaceRefiner(model, RefineSettings(landmark=1e-4, lid=1e-4))(photograph, guess, 3).face
    np.testing.assert_allclose(held.landmarks68, guess.landmarks68, atol=0.2)


def test_equations_are_the_objectives_derivative(model, photograph, guess):
    """Where normals do not turn: place, colour and light, against finite differences."""
    settings = RefineSettings(robust=1e6)
    refiner = FaceRefiner(model, settings)
    from xpress.media.crop import Crop

    problem = refiner._problem(photograph, guess, Crop.around(guess.landmarks68))
    now = problem.start
    points = problem.sample(now)
    _, gradient = problem.equations(now, points)
    shapes = sum(model.sizes[:2])
    for place in (POSE + shapes, POSE + shapes + 3, len(gradient) - 27, len(gradient) - 1):
        change = torch.zeros(len(gradient))
        change[place] = 1e-2
        difference = problem.objective(moved(now, change), points) - problem.objective(
            moved(now, -change), points
        )
        assert difference / 2e-2 == pytest.approx(-2 * float(gradient[place]), rel=2e-2, abs=0.5)


def test_a_face_at_the_border_is_refined_by_what_is_seen(model, photograph, guess, landmark_model):
    cut = photograph[:, 70:]
    shifted = guess.replace(translation=guess.translation - [70.0, 0.0])
    found = FaceRefiner(model)(cut, with_landmarks(landmark_model, shifted), 3)
    assert found.after < found.before
    assert np.isfinite(found.face.identity).all()


def test_extract_refines_photographs(reenactor, world, tmp_path, capsys):
    write_image(tmp_path / "photo.png", world.frame((80.0, 90.0, 0.3, 0)))
    extract(tmp_path / "photo.png", tmp_path / "out", reader=reenactor, refine=2)
    assert "colours off by" in capsys.readouterr().out
    plain = reenactor.find(world.frame((80.0, 90.0, 0.3, 0)))[0]
    found = FaceParameters.load(tmp_path / "out" / "params.npz")
    assert not np.allclose(found.illumination[0], plain.illumination, atol=1e-3)


def test_negative_steps_are_refused(reenactor, world, tmp_path):
    write_image(tmp_path / "photo.png", world.frame((80.0, 90.0, 0.3, 0)))
    with pytest.raises(InputError, match="refine=-1"):
        extract(tmp_path / "photo.png", tmp_path / "out", reader=reenactor, refine=-1)
    assert not (tmp_path / "out").exists()


def test_videos_are_not_refined(reenactor, samples, tmp_path):
    with pytest.raises(InputError, match=r"talking_man\.mp4: refine=3 is for photos"):
        extract(samples / "talking_man.mp4", tmp_path / "out", reader=reenactor, refine=3)
    assert not (tmp_path / "out").exists()
