import pytest
import torch

from xpress.batches import FaceBatch
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.decoder import FaceDecoder
from xpress.morphable.model import MorphableModel

SIZE = 64


@pytest.fixture(scope="session")
def model():
    return MorphableModel.default()


@pytest.fixture(scope="session")
def layout(model):
    return CodeLayout.of(model.sizes, model.expression_names, SIZE)


@pytest.fixture(scope="session")
def faces(model, layout):
    """Eight crops rendered from known parameters, as a batch."""
    generator = torch.Generator().manual_seed(0)
    code = 0.6 * torch.randn(8, layout.outputs, generator=generator)
    first = layout.identity + layout.expression + layout.color
    code[:, first : first + 27] *= 0.1
    code[:, layout.identity : layout.identity + layout.expression] *= 2
    parameters = layout.parameters(code)
    with torch.no_grad():
        image = FaceDecoder(model)(parameters, (SIZE, SIZE)).image.clamp(0, 1)
        shape = model.vertices(parameters.identity, parameters.expression)
        points = _project(model.landmark_points(shape), parameters)
    yes, no = torch.ones(8, dtype=torch.bool), torch.zeros(8, dtype=torch.bool)
    return FaceBatch(
        image=image,
        landmarks68=points[:, :68],
        contours=points[:, 68:],
        has_landmarks=yes,
        has_contours=yes,
        color=yes,
        present=yes,
        identity_index=torch.arange(8),
        parameters=parameters,
        has_parameters=yes,
        exact=no,
    )


def _project(points, parameters):
    """`camera.project` by homogeneous hand: matrix exponential of the axis-angle's cross matrix."""
    x, y, z = parameters.rotation.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    turned = points @ torch.linalg.matrix_exp(cross).mT
    flat = turned[..., :2] * torch.tensor([1.0, -1.0]) * parameters.scale[:, None, None]
    return flat + parameters.translation[:, None]
