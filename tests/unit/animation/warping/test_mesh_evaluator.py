"""The frame loop's mesh against the model's own in torch."""

import numpy as np
import torch

from xpress.animation.warping.mesh_evaluator import MeshEvaluator, Projection, camera_normals
from xpress.rendering.camera import project, rotate
from xpress.rendering.normals import vertex_normals
from xpress.structures import FaceParameters


def parameters(model, seed: int = 0) -> FaceParameters:
    generator = torch.Generator().manual_seed(seed)
    return FaceParameters(
        identity=torch.randn(1, model.sizes[0], generator=generator),
        expression=torch.rand(1, model.sizes[1], generator=generator),
        color=torch.zeros(1, model.sizes[2]),
        illumination=torch.zeros(1, 9, 3),
        rotation=torch.tensor([[0.2, -0.4, 0.1]]),
        translation=torch.tensor([[130.0, 90.0]]),
        scale=torch.tensor([14.0]),
    )


def test_projected_vertices_agree_with_torch(model):
    face = parameters(model)
    evaluator = MeshEvaluator(model, np.ones(len(model.mean), np.float32))
    shape = evaluator.neutral(face.identity.numpy()) + evaluator.offsets(face.expression[0].numpy())
    ours = Projection(face).project(shape)
    vertices = model.vertices(face.identity, face.expression)
    theirs = project(vertices, face.rotation, face.translation, face.scale)[0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=0.3)  # what is negligible adds up, in pixels
    assert np.abs(ours - theirs).mean() < 0.02


def test_a_displacement_is_the_difference_of_two_projections(model):
    camera = Projection(parameters(model))
    points, offsets = np.random.default_rng(0).normal(size=(2, 40, 3)).astype(np.float32)
    moved = camera.project(points + offsets) - camera.project(points)
    np.testing.assert_allclose(camera.displace(offsets), moved, atol=1e-3)


def test_damping_scales_offsets(model):
    damping = np.ones(len(model.mean), np.float32)
    damping[::2] = 0.25
    smile = np.zeros(model.sizes[1], np.float32)
    smile[model.expression_names.index("mouthSmile_L")] = 1
    full = model.expression_offsets(torch.from_numpy(smile)[None])[0].numpy()
    found = MeshEvaluator(model, damping).offsets(smile)
    np.testing.assert_allclose(found, full * damping[:, None], atol=1.5e-3)
    assert np.abs(found).max() > 0.3


def test_another_identity_replaces_the_remembered_one(model):
    evaluator = MeshEvaluator(model, np.ones(len(model.mean), np.float32))
    first, second = (parameters(model, seed).identity for seed in (0, 1))
    kept = evaluator.neutral(first.numpy())
    assert evaluator.neutral(first.numpy().copy()) is kept
    expected = model.neutral(second)[0].numpy()
    np.testing.assert_allclose(evaluator.neutral(second.numpy()), expected, atol=1e-5)


def test_normals_agree_with_torch(model):
    face = parameters(model)
    vertices = model.vertices(face.identity, face.expression)
    projected = project(vertices, face.rotation, face.translation, face.scale)[0].numpy()
    triangles = model.part_triangles("face")
    ours = camera_normals(projected, triangles.int().numpy())
    theirs = vertex_normals(rotate(vertices, face.rotation), triangles)[0].numpy()
    agreement = (ours * theirs).sum(1)[: model.parts["face"].vertex_stop]
    assert agreement.min() > 0.999
