import torch
from xpress.data_modules.mouths.references import projected_rows

from xpress.morphable.teeth import teeth_rows
from xpress.rendering.camera import project


def test_rows_are_projected_as_all_vertices_are(model):
    generator = torch.Generator().manual_seed(0)
    identity = torch.randn(3, model.sizes[0], generator=generator)
    expression = torch.rand(3, model.sizes[1], generator=generator)
    pose = torch.randn(3, 3, generator=generator) * 0.2, torch.rand(3, 2), torch.tensor([3.0, 5, 8])
    found = projected_rows(model, identity, expression, *pose)
    vertices = project(model.vertices(identity, expression), *pose)
    expected = vertices[:, teeth_rows(model).ravel(), :2].reshape(found.shape)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
