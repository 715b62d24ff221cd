import pytest
import torch

from xpress.errors import InputError
from xpress.models.eye_gan.losses import EyeLossWeights


def difference(module, eyes) -> float:
    with torch.no_grad():
        return float((eyes.composite(module(eyes)) - eyes.image).abs().mean())


def fit(module, eyes, steps: int) -> None:
    """Steps as Lightning would take them."""
    optimizers = [
        torch.optim.Adam(module.generator.parameters(), 3e-3),
        torch.optim.Adam(module.discriminators.parameters(), 1e-3),
    ]
    module.train()
    for _ in range(steps):
        painted = module.paint(eyes)
        terms = module.generator_terms(eyes, painted)
        optimizers[0].zero_grad()
        module._total(terms).backward()
        optimizers[0].step()
        module.average.update_parameters(module.generator)
        if module.judges:
            optimizers[1].zero_grad()
            sum(module.discriminator_terms(eyes, painted.detach()).values()).backward()
            optimizers[1].step()


def test_it_learns_to_move_lids_and_iris(tiny, eyes):
    module = tiny(ema_decay=0.9)
    before = difference(module, eyes)
    fit(module, eyes, 40)
    assert difference(module, eyes) < 0.75 * before


def test_both_sides_train(tiny, eyes):
    weights = EyeLossWeights(perceptual=0.0, adversarial=0.2, features=1.0)
    module = tiny(weights=weights)
    assert module.judges == ["eye"]
    fit(module, eyes, 1)
    terms = module.generator_terms(eyes, module.paint(eyes))
    assert set(terms) == {"l1", "smoothness", "mask", "adversarial", "features"}
    assert all(value.isfinite() for value in terms.values())
    for network in (module.generator, module.discriminators):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_terms_without_weight_cost_nothing(tiny, eyes):
    module = tiny(weights=EyeLossWeights(perceptual=0.0, smoothness=0.0, mask=0.0))
    assert module.judges == []
    assert set(module.generator_terms(eyes, module.paint(eyes))) == {"l1"}


def test_only_the_region_is_painted(tiny, eyes):
    module = tiny()
    composite = eyes.composite(module(eyes))
    outside = (eyes.region == 0).expand_as(composite)
    assert torch.equal(composite[outside], eyes.image[outside])
    hidden = eyes.around[(eyes.region > 0).expand_as(composite)]
    assert (hidden == 0.5).all()


def test_pictures_of_a_batch(tiny, eyes):
    grid = tiny().picture_grid(eyes, rows=3)
    assert grid.shape == (3 * 50, 6 * 66, 3)


def test_mistakes_are_told(tiny):
    with pytest.raises(InputError, match=r"model\.adversarial"):
        tiny(adversarial="vanilla")
    with pytest.raises(InputError, match=r"model\.lpips"):
        tiny(weights=EyeLossWeights(perceptual=1.0))
