from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, sobel
from skimage.metrics import structural_similarity

from xpress.models.painting.metrics import (
    FIGURES,
    figure_table,
    gradient_magnitude,
    hole_figures,
    summarize,
    telea,
)


def stack(figures: dict[str, torch.Tensor]) -> torch.Tensor:
    figures = {**figures, "lpips": torch.zeros_like(figures["l1"])}
    return torch.stack([figures[name] for name in FIGURES], dim=1)


def test_l1_and_pixels_count_the_hole_only(mouths):
    output = mouths.image + 0.25 * mouths.hole - 0.5 * (1 - mouths.hole)
    figures = hole_figures(output, mouths.image, mouths.hole)
    assert torch.equal(figures["pixels"], mouths.hole.sum((1, 2, 3)))
    torch.testing.assert_close(figures["l1"], 0.25 * figures["pixels"])


def plain_ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equation 13 of Wang et al. for one channel in [0, 1], with a Gaussian window of 7 pixels."""

    def blur(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, 1.5, truncate=2.0)

    mean_a, mean_b = blur(a), blur(b)
    variances = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + 1e-4) * (2 * covariance + 9e-4)
    return likeness / ((mean_a**2 + mean_b**2 + 1e-4) * (variances + 9e-4))


def test_ssim_is_that_of_the_paper_and_near_another_librarys(mouths):
    generator = torch.Generator().manual_seed(0)
    output = (mouths.image + 0.1 * torch.randn(mouths.image.shape, generator=generator)).clamp(0, 1)
    figures = hole_figures(output, mouths.image, mouths.hole)
    mean = figures["ssim"] / figures["pixels"]
    for row in range(8):
        inside = mouths.hole[row, 0].numpy() > 0
        a, b = (t[row].double().numpy() for t in (output, mouths.image))
        channels = [plain_ssim(a[i], b[i])[inside].mean() for i in range(3)]
        assert mean[row].item() == pytest.approx(np.mean(channels), abs=1e-4)
        options = {"gaussian_weights": True, "use_sample_covariance": False, "full": True}
        _, full = structural_similarity(a, b, data_range=1.0, channel_axis=0, **options)
        # its window has 11 pixels
        assert mean[row].item() == pytest.approx(full[:, inside].mean(), abs=0.03)
    same = hole_figures(mouths.image, mouths.image, mouths.hole)
    torch.testing.assert_close(same["ssim"], same["pixels"])


def test_gradients_are_scipys(mouths):
    luma = np.tensordot([0.299, 0.587, 0.114], mouths.image[3].double().numpy(), 1)
    expected = np.hypot(sobel(luma, 0, mode="nearest"), sobel(luma, 1, mode="nearest")) / 8
    found = gradient_magnitude(mouths.image)[3, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_blur_and_noise_are_told_by_sharpness(mouths):
    def sharpness(output: torch.Tensor) -> float:
        figures = hole_figures(output, mouths.image, mouths.hole)
        return summarize([(mouths.row, stack(figures))])["sharpness"]

    pictures = mouths.image.permute(0, 2, 3, 1).numpy()
    blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), 2.0) for picture in pictures])
    assert sharpness(mouths.image) == pytest.approx(1)
    assert sharpness(torch.from_numpy(blurred).permute(0, 3, 1, 2)) < 0.7
    contrast = (mouths.image - 0.5) * 1.5 + 0.5
    assert sharpness(contrast) == pytest.approx(1.5, rel=0.05)  # the rim stays as it is


def test_telea_is_opencvs(mouths):
    filled = telea(mouths.image, mouths.hole)
    image = (mouths.image[5].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    mask = mouths.hole[5, 0].numpy().astype(np.uint8) * 255
    expected = cv2.inpaint(image, mask, 3, cv2.INPAINT_TELEA)
    assert np.array_equal((filled[5].permute(1, 2, 0).numpy() * 255).round(), expected)
    outside = (filled - mouths.image).abs() * (1 - mouths.hole)
    assert outside.max() <= 0.5 / 255 + 1e-6
    # what the truth has inside plays no part
    other = telea(mouths.filled, mouths.hole)
    torch.testing.assert_close(other, filled)


def test_a_repeated_row_counts_once():
    first = torch.tensor([[2.0, 8.0, 3.0, 4.0, 10.0, 0.1], [6.0, 18.0, 6.0, 8.0, 30.0, 0.3]])
    batches = [(torch.tensor([4, 7]), first), (torch.tensor([7, 4]), first.flip(0))]
    expected = {"l1": 8 / 40, "ssim": 26 / 40, "sharpness": 9 / 12, "lpips": 0.2}
    assert summarize(batches) == pytest.approx(expected)
    assert summarize(batches[:1]) == pytest.approx(expected)
    assert summarize([(torch.tensor([0]), torch.zeros(1, 6))])["l1"] == 0


def test_the_table_puts_the_generator_beside_the_baselines():
    metrics = {}
    for part, l1 in (("", 0.03), ("telea/", 0.06), ("mean/", torch.tensor(0.04))):
        metrics |= {f"test/mouths/{part}l1": l1, f"test/mouths/{part}ssim": 0.5}
        metrics[f"test/mouths/{part}sharpness"] = 0.9
    metrics["test/mouths/lpips"] = 0.0625
    table = figure_table({**metrics, "train/l1": 1.0, "test/loss": 2.0}, "test")
    lines = [line.split() for line in table.splitlines()]
    assert lines == [
        ["mouths,", "inside", "the", "hole", "L1", "SSIM", "sharpness", "LPIPS"],
        ["generator", "0.0300", "0.500", "0.90", "0.0625"],
        ["Telea", "0.0600", "0.500", "0.90", "nan"],
        ["mean", "mouth", "0.0400", "0.500", "0.90", "nan"],
        ["L1", "over", "that", "of", "Telea:", "0.500"],
        ["L1", "over", "that", "of", "mean", "mouth:", "0.750"],
    ]
    alone = {name: value for name, value in metrics.items() if name.count("/") == 2}
    assert "Telea" not in figure_table(alone, "test")
    assert figure_table({"val/loss": 1.0}, "test") == ""
