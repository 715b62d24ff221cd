"""A person of the default model as a rig of its own: another mesh, place and size."""

from types import SimpleNamespace

import numpy as np
import pytest

from xpress.face_models.readers.face_rig import FaceRig
from xpress.face_models.registration.register import register
from xpress.morphable.face_model import FaceModel

NAMED = ("jawOpen", "mouthSmile_L", "mouthSmile_R")
HIDDEN = ("eyeBlink_L", "eyeBlink_R", "browInnerUp_L", "mouthPucker")
"""Shapes of the rig under names of its own; the rest of the default model's it lacks."""
SIZE, SHIFT = 1.2, np.array([3.0, -20.0, 5.0])
MARKS = (30, 36, 39, 42, 45, 48, 51, 54, 57, 8)


@pytest.fixture(scope="session")
def stranger():
    """The rig, and what it was made of."""
    model = FaceModel.default()
    part = model.parts["face"]
    identity = np.zeros(model.sizes[0])
    identity[:4] = [2.0, -1.8, 1.5, 1.2]
    person = model.neutral(identity[None].astype(np.float32))[0]
    # each triangle is cut in three, so that half of the vertices are no vertices of the model
    triangles = model.triangles[: part.triangle_stop]
    front = (model.mean[triangles][:, :, 2] > 0.5).all(1)
    used, triangles = np.unique(triangles[front], return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    centre = len(used) + np.arange(len(triangles))
    a, b, c = triangles.T
    cut = np.concatenate([np.stack(t, 1) for t in ((a, b, centre), (b, c, centre), (c, a, centre))])

    def carried(values):
        return np.concatenate([values[used], values[used][triangles].mean(1)])

    names = [*NAMED, *HIDDEN]
    rows = [model.expression_names.index(name) for name in names]
    marks = model.landmarks68(person[None])[0]
    rig = FaceRig(
        mean=SIZE * carried(person) + SHIFT,
        triangles=cut,
        identity=np.stack([SIZE * carried(b) for b in model.identity_basis[4:7]]),
        expression=np.stack([SIZE * carried(model.expression_basis[row]) for row in rows]),
        expression_names=[*NAMED, *(f"shape_{i}" for i in range(len(HIDDEN)))],
        expression_bounds=np.tile([0.0, 1.0], (len(names), 1)),
        neutral=np.zeros(len(names)),
        landmarks={i: SIZE * marks[i] + SHIFT for i in MARKS},
        source="a person",
    )
    return SimpleNamespace(rig=rig, person=person, model=model)


@pytest.fixture(scope="session")
def known(stranger):
    """That rig registered."""
    return register(stranger.rig)
