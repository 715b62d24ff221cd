import pytest
import torch

from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.decoder import FaceDecoder
from xpress.models.face_autoencoder.networks import (
    FaceEncoder,
    InvertedResidual,
    round_channels,
)


@pytest.mark.parametrize(("size", "batch"), [(64, 3), (128, 1), (160, 2)])
def test_shapes(size, batch):
    encoder = FaceEncoder(11, width=0.25, size=size).eval()
    assert encoder(torch.rand(batch, 3, size, size)).shape == (batch, 11)


def test_sizes_that_do_not_halve_five_times():
    with pytest.raises(ValueError, match="32"):
        FaceEncoder(11, size=100)


@pytest.mark.parametrize(
    ("channels", "expected"), [(16, 16), (8, 8), (3, 8), (12, 16), (19, 24), (20, 24), (40, 40)]
)
def test_channels_are_multiples_of_eight_and_not_much_fewer(channels, expected):
    assert round_channels(float(channels)) == expected


def test_shortcut_only_where_the_shape_allows():
    x = torch.randn(2, 8, 6, 6)
    block = InvertedResidual(8, 8, 1, 3)
    torch.nn.init.zeros_(block.layers[-1].weight)
    assert torch.equal(block(x), x)
    assert InvertedResidual(8, 8, 2, 3)(x).shape == (2, 8, 3, 3)
    assert not InvertedResidual(8, 16, 1, 3).shortcut


def test_default_encoder_is_at_most_four_megabytes(model):
    encoder = FaceEncoder(CodeLayout(*model.sizes).outputs)
    assert sum(tensor.numel() for tensor in encoder.state_dict().values()) * 4 <= 4 * 2**20


def test_untrained_encoder_gives_the_mean_face_in_the_middle(model, layout):
    encoder = FaceEncoder(layout.outputs, width=0.25, size=layout.size).eval()
    code = encoder(torch.rand(2, 3, layout.size, layout.size))
    assert code.eq(0).all()
    with torch.no_grad():
        mask = FaceDecoder(model)(layout.parameters(code), (layout.size, layout.size)).mask[0, 0]
    rows, columns = mask.nonzero().double().mean(0) / (layout.size - 1)
    assert 0.35 < rows < 0.6
    assert 0.45 < columns < 0.55
    assert 0.25 < mask.float().mean() < 0.8


def test_the_head_sees_where_things_are():
    """Pooling would give the same code to a picture and to its parts in other places."""
    torch.manual_seed(0)
    encoder = FaceEncoder(20, width=0.25, size=64).eval()
    torch.nn.init.normal_(encoder.head.weight)
    image = torch.zeros(1, 3, 64, 64)
    image[..., 8:24, 8:24] = 1
    moved = image.roll((32, 32), (2, 3))
    first, second = encoder(torch.cat([image, moved]))
    assert (first - second).norm() > 0.3 * first.norm()


def test_all_weights_have_a_gradient():
    torch.manual_seed(0)
    encoder = FaceEncoder(6, width=0.25, size=64)
    torch.nn.init.normal_(encoder.head.weight, std=0.1)
    encoder(torch.rand(4, 3, 64, 64)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
