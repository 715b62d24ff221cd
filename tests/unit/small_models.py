"""Small face models with known properties, and the parts of the package's."""

import pytest
import torch

from xpress.morphable.face_model import MeshPart
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.mesh import mirror_indices
from xpress.morphable.model import LandmarkEmbedding, MorphableModel
from xpress.rendering.camera import project


@pytest.fixture(scope="session")
def reduced(model):
    return LandmarkModel.of(model)


def _plane(columns, rows, depth):
    """A symmetric sheet in x and y with its triangles, counter-clockwise from +z."""
    x, y = torch.meshgrid(
        torch.linspace(-1, 1, columns), torch.linspace(-1, 1, rows), indexing="xy"
    )
    vertices = torch.stack([x, y, torch.full_like(x, depth)], -1).view(-1, 3)
    index = torch.arange(len(vertices)).view(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    quads = torch.stack([a, b, c, d], -1).view(-1, 4)
    return vertices, torch.cat([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), index


def _sheets(seed=0):
    """Two sheets, the face and a wall behind it, under random bases."""
    generator = torch.Generator().manual_seed(seed)
    front, front_triangles, index = _plane(5, 4, 0.5)
    back, back_triangles, _ = _plane(3, 3, -0.5)
    mean = torch.cat([front, back])
    count, face = len(mean), len(front)

    def basis(size):
        return torch.randn(size, count, 3, generator=generator) * 0.1

    color_basis = basis(2)
    color_basis[:, face:] = 0
    rim = torch.cat([index[0, :-1], index[:-1, -1], index[-1].flip(0)[:-1], index[1:, 0].flip(0)])
    lids = torch.stack([index[:2, 3:5].flatten(), index[:2, :2].flatten()])[:, [0, 1, 3, 2]]
    corners = front_triangles[torch.arange(206) % len(front_triangles)]
    weights = torch.rand(206, 3, generator=generator)
    weights /= weights.sum(1, keepdim=True)
    faces = len(front_triangles)
    return MorphableModel(
        mean=mean,
        identity_basis=basis(3),
        expression_basis=basis(4),
        mean_color=torch.rand(count, 3, generator=generator),
        color_basis=color_basis,
        triangles=torch.cat([front_triangles, back_triangles + face]),
        parts={
            "face": MeshPart(0, face, 0, faces),
            "wall": MeshPart(face, count, faces, faces + len(back_triangles)),
        },
        expression_names=["jawOpen", "eyeBlink_L", "eyeBlink_R", "jawLeft"],
        inner_lip_loop=rim,
        eyelid_loops=lids,
        landmarks=LandmarkEmbedding(corners, weights),
        mirror=torch.from_numpy(mirror_indices(front.numpy())),
        info={"source": "two sheets"},
    )


@pytest.fixture
def sheets():
    return _sheets()


@pytest.fixture(scope="session")
def plant(reduced):
    """Known parameters of pictures of a person, and the landmarks (N, 206, 2) that they make."""

    def make(count, seed=0, identity_spread=0.7, turn=0.35):
        generator = torch.Generator().manual_seed(seed)
        modes, shapes = reduced.identity_basis.shape[0], reduced.expression_basis.shape[0]
        identity = torch.randn(1, modes, generator=generator).expand(count, -1) * identity_spread
        expression = torch.rand(count, shapes, generator=generator).pow(3) * 0.8
        rotation = torch.randn(count, 3, generator=generator) * turn
        translation = 90 + 10 * torch.randn(count, 2, generator=generator)
        scale = 6 + 2 * torch.rand(count, generator=generator)
        points = project(reduced.points(identity, expression), rotation, translation, scale)
        known = {
            "identity": identity,
            "expression": expression,
            "rotation": rotation,
            "translation": translation,
            "scale": scale,
        }
        return known, points[..., :2]

    return make
