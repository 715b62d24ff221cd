from __future__ import annotations

from urllib.error import URLError

import pytest
import torch

from xpress.models.mouth_gan import vgg
from xpress.models.mouth_gan.losses import MouthLossWeights

PUBLISHED = {
    0: (64, 3),
    2: (64, 64),
    5: (128, 64),
    7: (128, 128),
    10: (256, 128),
    12: (256, 256),
    14: (256, 256),
    16: (256, 256),
    19: (512, 256),
    21: (512, 512),
    23: (512, 512),
    25: (512, 512),
    28: (512, 512),
}
"""Outputs and inputs of torchvision's `vgg19().features[i]`, up to conv5_1."""


@pytest.fixture(scope="module")
def network() -> vgg.VGG19:
    torch.manual_seed(0)
    return vgg.VGG19().eval().requires_grad_(False)


def test_the_layout_is_that_of_the_published_weights(network: vgg.VGG19):
    expected = {}
    for number, (outputs, inputs) in PUBLISHED.items():
        expected[f"features.{number}.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{number}.bias"] = (outputs,)
    assert {name: tuple(v.shape) for name, v in network.state_dict().items()} == expected


def test_the_first_activation_of_each_stage_is_taken(network: vgg.VGG19):
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        taken = network(image)
        normal = (image - torch.tensor(vgg.MEAN).view(3, 1, 1)) / torch.tensor(vgg.DEVIATION).view(
            3, 1, 1
        )
        first = network.features[0](normal).relu()
    assert [tuple(t.shape[1:]) for t in taken] == [
        *((64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2))
    ]
    assert all(t.min() >= 0 for t in taken)
    torch.testing.assert_close(taken[0], first)


def test_only_the_output_gets_a_gradient(network: vgg.VGG19):
    output, truth = torch.rand(2, 1, 3, 32, 32).unbind(0)
    output.requires_grad_()
    truth.requires_grad_()
    loss = vgg.perceptual_loss(network, output, truth)
    loss.backward()
    assert truth.grad is None
    assert output.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())
    with torch.no_grad():
        pairs = zip(network(output), network(truth), strict=True)
        means = [(a - b).abs().mean() for a, b in pairs]
    expected = means[0] / 32 + means[1] / 16 + means[2] / 8 + means[3] / 4 + means[4]
    torch.testing.assert_close(loss.detach(), expected)
    assert vgg.perceptual_loss(network, truth.detach(), truth).item() == 0


@pytest.mark.parametrize(
    "error", [URLError("no route"), RuntimeError('invalid hash value (expected "dcbb9e9d")')]
)
def test_without_the_weights_the_loss_is_off_and_said(monkeypatch, caplog, tiny, mouths, error):
    def fail(url: str, **options: object) -> None:
        assert options["check_hash"]
        assert options["weights_only"]
        raise error

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    network = tiny(weights=MouthLossWeights(perceptual=5.0))
    (record,) = caplog.records
    assert "perceptual loss is off" in record.message
    assert "\n" not in record.message
    painted = network.generator(mouths.filled, mouths.hole)
    assert "perceptual" not in network.generator_terms(mouths, painted)


def test_published_weights_are_taken_without_the_classifier(monkeypatch, network, tiny, mouths):
    state = {**network.state_dict(), "features.30.weight": torch.zeros(1)}
    state["classifier.0.weight"] = torch.zeros(1)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: state)
    loaded = vgg.load_vgg19()
    assert torch.equal(loaded.features[28].weight, network.features[28].weight)
    assert not any(p.requires_grad for p in loaded.parameters())

    gan = tiny(weights=MouthLossWeights(perceptual=5.0))
    terms = gan.generator_terms(mouths, gan.generator(mouths.filled, mouths.hole))
    assert terms["perceptual"] > 0
    assert not any("features.0." in name for name in gan.state_dict())
