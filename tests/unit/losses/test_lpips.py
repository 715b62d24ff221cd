from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from xpress.errors import InputError
from xpress.losses.lpips import LAYERS, LPIPS, feature_distance, load_lpips


def arrays() -> dict[str, np.ndarray]:
    """Weights as they are stored, drawn at random; the linear layers' are positive."""
    rng = np.random.default_rng(0)
    stored, inputs = {}, 3
    for number, (outputs, kernel, _, _) in enumerate(LAYERS):
        shape = (kernel, kernel, inputs, outputs)
        values = rng.normal(0, (2 / (kernel**2 * inputs)) ** 0.5, shape)
        stored[f"AlexNet_0/Conv_{number}/kernel"] = values.astype(np.float32)
        stored[f"AlexNet_0/Conv_{number}/bias"] = rng.normal(0, 0.1, outputs).astype(np.float32)
        linear = rng.random((1, 1, outputs, 1)).astype(np.float32)
        stored[f"NetLinLayer_{number}/Conv_0/kernel"] = linear
        inputs = outputs
    return stored


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lpips") / "alexnet.npz"
    np.savez(path, **arrays())
    return path


@pytest.fixture(scope="module")
def network(weights: Path) -> LPIPS:
    return load_lpips(weights)


@pytest.fixture
def image() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).random((2, 3, 48, 64), np.float32))


def test_same_pictures_have_no_distance_and_others_do(network: LPIPS, image: torch.Tensor) -> None:
    assert torch.equal(network(image, image), torch.zeros(2))
    near = network(image + 0.02 * torch.sin(torch.arange(64) * 1.0), image)
    far = network(image.flip(3), image)
    assert (near > 0).all()
    assert (far > near).all()


def test_distance_is_the_formula_of_the_paper(network: LPIPS) -> None:
    rng = np.random.default_rng(2)
    maps = [rng.random((2, 1, 4, 3, 2)), rng.random((2, 1, 6, 2, 2))]
    weights = [rng.random(4), rng.random(6)]
    expected = 0.0
    for (one, other), weight in zip(maps, weights, strict=True):
        one, other = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (one, other))
        expected += (weight[:, None, None] * (one - other)[0] ** 2).sum(0).mean()
    tensors = [[torch.from_numpy(m[n]).float() for m in maps] for n in range(2)]
    found = feature_distance(*tensors, [torch.from_numpy(w).float() for w in weights])
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_first_layer_is_the_stored_one(network: LPIPS, image: torch.Tensor) -> None:
    """Kernels are stored with height and width first; scipy's correlation knows no torch."""
    stored = arrays()
    kernel, bias = (stored[f"AlexNet_0/Conv_0/{n}"] for n in ("kernel", "bias"))
    x = image[0].numpy().transpose(1, 2, 0) * 2 - 1
    x = (x - (-0.030, -0.088, -0.188)) / (0.458, 0.448, 0.450)
    padded = np.pad(x, ((2, 2), (2, 2), (0, 0)))
    expected = correlate(padded, kernel[..., 5], "valid")[::4, ::4, 0] + bias[5]
    np.testing.assert_allclose(
        network.features(image)[0][0, 5].numpy(), np.maximum(expected, 0), atol=1e-4
    )


def test_gradient_reaches_the_output_alone_and_is_finite(network: LPIPS) -> None:
    output = torch.full((1, 3, 32, 32), 0.5, requires_grad=True)
    truth = torch.rand(1, 3, 32, 32, generator=torch.manual_seed(0)).requires_grad_()
    network(output, truth).sum().backward()
    assert truth.grad is None
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()
    assert output.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in network.parameters())


def test_gradient_is_finite_where_no_feature_is_active(image: torch.Tensor) -> None:
    silent = LPIPS()
    for convolution in silent.convolutions:
        torch.nn.init.constant_(convolution.bias, -1e3)  # type: ignore[arg-type]
    given = image.clone().requires_grad_()
    silent(given, image.flip(3)).sum().backward()
    assert given.grad is not None
    assert torch.isfinite(given.grad).all()


def test_other_files_are_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_lpips(tmp_path / "missing.npz")
    text = tmp_path / "text.npz"
    text.write_text("no weights")
    with pytest.raises(InputError, match=r"text\.npz: not the weights"):
        load_lpips(text)
    other = arrays()
    other["AlexNet_0/Conv_3/kernel"] = other["AlexNet_0/Conv_3/kernel"][..., :7]
    np.savez(tmp_path / "other.npz", **other)
    with pytest.raises(InputError, match=r"other\.npz: not the weights .*\(7, 384"):
        load_lpips(tmp_path / "other.npz")
    del other["AlexNet_0/Conv_4/bias"]
    np.savez(tmp_path / "less.npz", **{k: v for k, v in other.items() if "Conv_3/k" not in k})
    with pytest.raises(InputError, match=r"less\.npz: not the weights"):
        load_lpips(tmp_path / "less.npz")
