import cv2
import numpy as np
import torch

from xpress.preparation import color_basis
from xpress.preparation.color_basis import (
    ColorSamples,
    albedo_samples,
    estimate_light,
    probabilistic_pca,
)
from xpress.rendering.lighting import SH_0, spherical_harmonics


def hemisphere(count, generator):
    normals = torch.randn(count, 3, generator=generator)
    normals[:, 2] = normals[:, 2].abs()
    return normals / normals.norm(dim=1, keepdim=True)


def lights(count, generator):
    light = 0.25 * torch.randn(count, 9, 3, generator=generator)
    light[:, 0] = 0.8 / SH_0
    return light


def test_known_light_comes_back():
    generator = torch.Generator().manual_seed(0)
    bands = spherical_harmonics(hemisphere(500, generator))
    light = lights(1, generator)[0]
    albedo = 0.2 + 0.6 * torch.rand(500, 3, generator=generator)
    color = albedo * (bands @ light)
    color[:50] = 5.0  # hair, without weight
    weight = torch.ones(500)
    weight[:50] = 0
    found = estimate_light(color, albedo, bands, weight, ridge=1e-7)
    torch.testing.assert_close(found, light, atol=1e-3, rtol=0)


def test_albedo_is_free_of_the_light_up_to_its_level():
    generator = torch.Generator().manual_seed(1)
    half = hemisphere(300, generator)
    normals = torch.cat([half, half * torch.tensor([-1.0, 1, 1])])
    mirror = torch.arange(600).roll(300)
    truth = (0.3 + 0.5 * torch.rand(300, 3, generator=generator)).repeat(2, 1)
    bands = spherical_harmonics(normals).expand(40, -1, -1)
    light = lights(40, generator)
    color = truth * (bands @ light).clamp_min(0.1)
    seen = torch.ones(40, 600, dtype=torch.bool)
    seen[0, :100] = False  # known from the other side
    seen[1, 100:110] = seen[1, 400:410] = False  # not known at all
    albedo, weight = albedo_samples(ColorSamples(color, seen, bands.contiguous()), mirror)
    assert (weight[0, :100] == 0.5).float().mean() > 0.9
    assert (weight[1, 100:110] == 0).all()
    known = weight > 0
    for row in range(40):
        ratio = (albedo[row] / truth)[known[row]]
        spread = ratio.std(0) / ratio.mean(0)
        lit = (color[row] / truth)[known[row]]
        assert spread.max() < 0.1
        assert spread.max() < 0.6 * (lit.std(0) / lit.mean(0)).max()
    borrowed = weight[0, :100] == 0.5
    assert torch.equal(albedo[0, :100][borrowed], albedo[0, 300:400][borrowed])


def test_planted_subspace_with_missing_entries():
    generator = torch.Generator().manual_seed(2)
    count, vertices = 150, 80
    modes = torch.linalg.qr(torch.randn(vertices * 3, 3, generator=generator)).Q.T
    deviations = torch.tensor([3.0, 2.0, 1.0])
    middle = 0.5 + 0.1 * torch.randn(vertices * 3, generator=generator)
    scores = torch.randn(count, 3, generator=generator) * deviations
    samples = middle + scores @ modes + 0.02 * torch.randn(count, 240, generator=generator)
    samples = samples.unflatten(1, (vertices, 3))
    known = (torch.rand(count, vertices, generator=generator) > 0.3).float()
    mean, basis = probabilistic_pca(samples * known[..., None], known, 3)
    spread = scores.std(0)
    torch.testing.assert_close(mean.flatten(), samples.mean(0).flatten(), atol=0.08, rtol=0)
    found = basis.flatten(1)
    torch.testing.assert_close(found.norm(dim=1), spread, atol=0, rtol=0.15)
    # principal angles between the planted subspace and the one found
    cosines = torch.linalg.svdvals((found / found.norm(dim=1, keepdim=True)) @ modes.T)
    assert cosines.min() > 0.99


def test_noise_is_taken_off_the_variances():
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(60, 50, 3, generator=generator)
    _, basis = probabilistic_pca(noise, torch.ones(60, 50), 2)
    plain = torch.linalg.svdvals((noise - noise.mean(0)).flatten(1))[:2] / 60**0.5
    assert (basis.flatten(1).norm(dim=1) < plain).all()


def test_only_what_the_picture_shows_is_sampled():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20] = (255, 0, 0)
    image[:, 20:] = (0, 0, 255)
    image = cv2.blur(image, (1, 1))
    # a near sheet on the left half of a far one, and one corner outside the picture
    far = np.array([[2, 2, 0], [37, 2, 0], [37, 37, 0], [2, 37, 0], [60, 20, 0], [10, 30, 0]])
    near = np.array([[5, 5, 20], [15, 5, 20], [15, 35, 20], [5, 35, 20]])
    points = np.concatenate([far, near]).astype(np.float32)
    triangles = np.array(
        [[0, 1, 5], [1, 2, 5], [2, 3, 5], [3, 0, 5], [1, 4, 2], [6, 7, 8], [6, 8, 9]], np.int32
    )
    facing = np.ones(10, np.float32)
    facing[7] = 0.1
    color, seen = color_basis._visible_colors(image, points, triangles, facing)
    assert seen.tolist() == [True, True, True, True, False, False, True, False, True, True]
    np.testing.assert_allclose(color[6], [1, 0, 0])
    np.testing.assert_allclose(color[1], [0, 0, 1])


def planted(count, generator):
    half = hemisphere(200, generator)
    normals = torch.cat([half, half * torch.tensor([-1.0, 1, 1])])
    mirror = torch.arange(400).roll(200)
    mean = (0.4 + 0.2 * torch.rand(200, 3, generator=generator)).repeat(2, 1)
    basis = 0.05 * torch.randn(2, 200, 3, generator=generator).repeat(1, 2, 1)
    basis[0] += 0.15  # lightness of the skin
    scores = torch.randn(count, 2, generator=generator)
    albedo = mean + torch.einsum("nk,kvc->nvc", scores, basis)
    bands = spherical_harmonics(normals).expand(count, -1, -1).contiguous()
    color = albedo * (bands @ lights(count, generator)).clamp_min(0.1)
    return albedo, color, bands, mirror, mean, basis


def test_light_and_colour_explain_a_picture_together():
    generator = torch.Generator().manual_seed(5)
    _, color, bands, _, mean, basis = planted(1, generator)
    color[0, :20] = 0.0  # hair
    light, coefficients, kept = color_basis.light_and_color(
        color[0], bands[0], torch.ones(400), mean, basis, rounds=8
    )
    own = mean + torch.tensordot(coefficients, basis, dims=1)
    error = (color[0] - own * (bands[0] @ light)).abs().mean(1)
    flat = (color[0] - mean * (bands[0] @ light)).abs().mean(1)
    assert (kept[:20] == 0).all()
    assert kept.mean() > 0.9
    assert error[20:].mean() < 0.02
    assert error[20:].mean() < 0.6 * flat[20:].mean()


def test_relit_albedo_is_nearer_to_the_truth_than_with_the_means():
    generator = torch.Generator().manual_seed(6)
    truth, color, bands, mirror, mean, basis = planted(30, generator)
    samples = ColorSamples(color, torch.ones(30, 400, dtype=torch.bool), bands)

    def error(albedo):
        # up to each picture's level, which no picture tells
        level = (albedo / truth).mean(1, keepdim=True)
        return (albedo / level - truth).abs().mean()

    first, _ = albedo_samples(samples, mirror)
    relit, weight = color_basis.relit_albedo(samples, mean, basis, mirror)
    assert weight.mean() > 0.9
    assert error(relit) < 0.8 * error(first)
    # lighter skin stays lighter: half of a picture's level is the skin's
    lightness = [a.mean((1, 2)) for a in (relit, color)]
    assert torch.corrcoef(torch.stack(lightness))[0, 1] > 0.9


def test_a_basis_of_mirrored_samples_has_a_symmetric_mean():
    generator = torch.Generator().manual_seed(7)
    mirror = torch.arange(40).roll(20)
    albedo = torch.rand(15, 40, 3, generator=generator)
    both, weight = color_basis.with_mirror_images(albedo, torch.ones(15, 40), mirror)
    mean, _ = probabilistic_pca(both, weight, 3)
    torch.testing.assert_close(mean, mean[mirror])
