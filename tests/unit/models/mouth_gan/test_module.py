from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from xpress.errors import InputError
from xpress.models.mouth_gan.losses import MouthLossWeights
from xpress.models.mouth_gan.module import MouthGAN
from xpress.models.painting import losses
from xpress.models.painting.metrics import FIGURES, hole_figures, summarize, telea

TERMS = ("l1", "adversarial_global", "adversarial_local", "features_global", "features_local")
SWITCHED_OFF = dict.fromkeys(TERMS, 0.0)


def run(network, mouths, tmp_path, epochs=1, steps=1, callbacks=(), **options) -> pl.Trainer:
    """Train on one batch, several times an epoch."""
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
        num_sanity_val_steps=0,
        **{"limit_val_batches": 0, **options},
    )
    loader = DataLoader([mouths] * steps, batch_size=None)
    trainer.fit(network, loader, loader)
    return trainer


def parameters(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor | None]:
    named = module.named_parameters()
    return {name: None if p.grad is None else p.grad.clone() for name, p in named}


def same(first: dict, second: dict) -> bool:
    def equal(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
        return a is b if a is None or b is None else torch.equal(a, b)

    return first.keys() == second.keys() and all(equal(first[n], second[n]) for n in first)


class Sides:
    """Parameters and gradients of both sides before and after each optimiser's step."""

    def __init__(self, network: MouthGAN) -> None:
        self.network, self.original, self.steps = network, network._step, []
        network._step = self.step

    def state(self) -> dict[str, dict]:
        sides = {"generator": self.network.generator, "judges": self.network.discriminators}
        states = {name: parameters(side) for name, side in sides.items()}
        return states | {f"{name} grad": gradients(side) for name, side in sides.items()}

    def step(self, optimizer, loss, terms) -> None:
        before = self.state()
        self.original(optimizer, loss, terms)
        self.steps.append((set(terms), before, self.state()))


@pytest.mark.parametrize("adversarial", losses.ADVERSARIAL)
def test_neither_side_trains_the_other(tiny, mouths, tmp_path, adversarial):
    network = tiny(adversarial=adversarial)
    sides = Sides(network)
    run(network, mouths, tmp_path, steps=3)
    assert len(sides.steps) == 6
    for number, (terms, before, after) in enumerate(sides.steps):
        own, other = ("judges", "generator") if number % 2 else ("generator", "judges")
        assert ("discriminator_global" in terms) == (own == "judges")
        assert not same(before[own], after[own])
        assert same(before[other], after[other])  # to the bit
        assert same(before[f"{other} grad"], after[f"{other} grad"])
        assert all(g is not None for g in after[f"{own} grad"].values())
        assert sum(float(g.abs().sum()) for g in after[f"{own} grad"].values()) > 0
    first = sides.steps[0][2]
    assert all(gradient is None for gradient in first["judges grad"].values())
    assert network.global_step == 6  # both optimisers count


def test_some_steps_on_eight_mouths_learn_them(tiny, mouths, tmp_path):
    totals: list[float] = []

    class Totals(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            totals.append(float(trainer.callback_metrics["train/l1"]))

    network = tiny(learning_rate=5e-3, decay_from=1.0)

    def inside() -> float:
        network.generator.train()  # running statistics need more steps than these
        with torch.no_grad():
            painted = network.paint(mouths)
        figures = hole_figures(painted, mouths.image, mouths.hole)
        return float(figures["l1"].sum() / figures["pixels"].sum())

    before = inside()
    run(network, mouths, tmp_path, steps=40, callbacks=[Totals()])
    assert np.mean(totals[-3:]) < 0.7 * totals[0]
    assert inside() < 0.7 * before


def test_the_average_is_its_closed_form(tiny, mouths, tmp_path):
    states: list[dict[str, torch.Tensor]] = []

    class States(pl.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            states.append({n: v.clone() for n, v in module.generator.state_dict().items()})

    network = tiny(ema_decay=0.25)
    run(network, mouths, tmp_path, steps=5, callbacks=[States()])
    # the first is copied; the decay of the next is bounded by (1 + n) / (10 + n)
    decays = [2 / 11, 0.25, 0.25, 0.25]
    shares = [(1 - d) * np.prod(decays[k + 1 :]) for k, d in enumerate(decays)]
    shares = [np.prod(decays), *shares]
    assert sum(shares) == pytest.approx(1)
    moved = 0
    for name, value in network.average.module.state_dict().items():
        if value.is_floating_point():  # batch norms' means and variances among them
            pairs = zip(shares, states, strict=True)
            expected = sum(share * state[name].double() for share, state in pairs)
            torch.testing.assert_close(value.double(), expected, atol=1e-6, rtol=1e-5)
            moved += not torch.equal(value, states[-1][name])
    assert moved > 10
    assert not any(p.requires_grad for p in network.average.parameters())


def test_validation_and_painting_use_the_average(tiny, mouths):
    network = tiny()
    with torch.no_grad():
        network.average.module.paint[1].bias[:3] = 50.0
        assert network(*mouths.given)[:4].min() > 0.99
        assert network.paint(mouths)[:4].min() < 0.9


def test_learning_rates_fall_by_the_formula(tiny, mouths, tmp_path):
    rates: list[list[float]] = []

    class Rates(pl.Callback):
        def on_train_epoch_start(self, trainer, *_):
            rates.append([o.param_groups[0]["lr"] for o in trainer.optimizers])

    network = tiny(learning_rate=8e-4, discriminator_learning_rate=4e-4, decay_from=0.5)
    run(network, mouths, tmp_path, epochs=8, callbacks=[Rates()])
    shares = [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]  # constant, then linear to zero after the last
    np.testing.assert_allclose(rates, np.outer(shares, [8e-4, 4e-4]), rtol=1e-6)


def test_one_optimiser_has_both_discriminators(tiny):
    network = tiny(betas=(0.4, 0.9))
    network.trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    (first, second), _ = network.configure_optimizers()
    for optimizer, side in ((first, network.generator), (second, network.discriminators)):
        (group,) = optimizer.param_groups
        assert [id(p) for p in group["params"]] == [id(p) for p in side.parameters()]
        assert group["betas"] == (0.4, 0.9)


def test_the_total_is_the_weighted_sum(tiny, mouths):
    weights = MouthLossWeights(l1=3.0, features_local=0.5, adversarial_local=0.0)
    network = tiny(weights=lambda: weights)
    terms = network.generator_terms(mouths, network.paint(mouths))
    assert set(terms) == {"l1", "adversarial_global", "features_global", "features_local"}
    expected = 3 * terms["l1"] + terms["adversarial_global"] + 10 * terms["features_global"]
    expected = expected + 0.5 * terms["features_local"]
    torch.testing.assert_close(network._total(terms), expected)


def test_discriminators_see_the_truth_outside_and_the_mask(tiny, mouths):
    network = tiny()
    seen = {}
    for name, judge in network.discriminators.items():
        judge.register_forward_pre_hook(lambda _, given, name=name: seen.setdefault(name, given[0]))
    network.generator_terms(mouths, torch.zeros_like(mouths.image))
    whole = seen["global"]
    assert torch.equal(whole[:, 3:], mouths.hole)
    assert torch.equal(whole[:, :3], mouths.image * (1 - mouths.hole))
    assert seen["local"].shape == (8, 4, 8, 16)
    assert seen["local"][:, 3].mean() > 1.5 * mouths.hole.mean()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("l1", "weighted_l1"),
        ("adversarial_global", "generator_loss"),
        ("features_local", "feature_difference"),
    ],
)
def test_a_loss_without_weight_is_not_computed(tiny, mouths, monkeypatch, name, function):
    calls = []
    original = getattr(losses, function)
    monkeypatch.setattr(losses, function, lambda *a: calls.append(function) or original(*a))
    painted = mouths.image * 0.5
    count = []
    for weights in (MouthLossWeights(), MouthLossWeights(**{name: 0.0})):
        calls.clear()
        terms = tiny(weights=weights).generator_terms(mouths, painted)
        assert (name in terms) == (getattr(weights, name) > 0)
        count.append(len(calls))
    assert count[0] - count[1] == 1


@pytest.mark.parametrize(
    ("weights", "idle"),
    [
        ({"adversarial_local": 0.0, "features_local": 0.0}, {"local"}),
        ({**SWITCHED_OFF, "l1": 1.0}, {"local", "global"}),
    ],
)
def test_discriminators_that_no_loss_asks_for_are_idle(tiny, mouths, tmp_path, weights, idle):
    network = tiny(weights=MouthLossWeights(**weights))
    assert set(network.judges) == {"local", "global"} - idle
    before = parameters(network.discriminators)
    called = set()
    for name, judge in network.discriminators.items():
        judge.register_forward_hook(lambda *_, name=name: called.add(name))
    trainer = run(network, mouths, tmp_path, steps=2)
    assert called == set(network.judges)
    after = parameters(network.discriminators)
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(network.judges)
    logged = {n for n in trainer.callback_metrics if n.startswith("train/discriminator_")}
    assert logged == {f"train/discriminator_{name}" for name in network.judges}


def test_pictures_show_the_widest_mouths_in_seven_columns(tiny, mouths):
    network = tiny()
    grid = network.picture_grid(mouths, rows=3)
    assert grid.shape == (3 * 34, 7 * 34, 3)
    cells = grid.reshape(3, 34, 7, 34, 3)[:, :32, :, :32].transpose(0, 2, 1, 3, 4)
    for place, row in enumerate((7, 6, 5)):  # the last is the most open
        given, where, upper, _, output, alone, truth = cells[place]
        inside = mouths.hole[row, 0].numpy() > 0
        expected = (mouths.image[row].permute(1, 2, 0).numpy() * 255).round()
        assert np.array_equal(truth, expected)
        assert np.array_equal(given[~inside], expected[~inside])
        assert (given[inside] == 255).all()
        assert np.array_equal(where[..., 2] > 0, inside)
        assert np.array_equal(where[..., 0] > 0, mouths.teeth[row, 0].numpy() > 0)
        assert (upper[~inside] == 0).all()
        for painted in (output, alone):
            assert np.array_equal(painted[~inside], expected[~inside])
            assert not np.array_equal(painted[inside], expected[inside])
        assert not np.array_equal(output, alone)


def test_figures_are_those_inside_the_hole(tiny, mouths, tmp_path, capsys):
    network = tiny()
    trainer = run(network, mouths, tmp_path, limit_val_batches=1.0)
    loader = DataLoader([mouths[:3], mouths[3:]], batch_size=None)
    trainer.validate(network, loader, verbose=False)
    logged = dict(trainer.callback_metrics)

    def figures(output: torch.Tensor) -> dict[str, float]:
        values = hole_figures(mouths.composite(output), mouths.image, mouths.hole)
        values["lpips"] = torch.zeros(8)
        found = summarize([(mouths.row, torch.stack([values[n] for n in FIGURES], dim=1))])
        return {name: value for name, value in found.items() if name != "lpips"}

    filled, hole, teeth, reference = mouths.given
    with torch.no_grad():
        expected = figures(network(*mouths.given))
        alone = figures(network(filled, hole, teeth, torch.zeros_like(reference)))
    for part, values in (("", expected), ("alone/", alone)):
        for name, value in values.items():
            assert float(logged[f"val/0/{part}{name}"]) == pytest.approx(value, rel=1e-4)
    assert expected["l1"] < alone["l1"]  # the references are nearly the truth
    assert "val/0/lpips" not in logged
    assert float(logged["val/loss"]) > 0
    trainer.test(network, loader, verbose=False)
    table = capsys.readouterr().out
    for name, value in figures(telea(mouths.image, mouths.hole)).items():
        found = float(trainer.callback_metrics[f"test/0/telea/{name}"])
        assert found == pytest.approx(value, rel=1e-4)
    assert f"{expected['l1']:.4f}" in table
    assert "Telea" in table


def test_checkpoints_load_with_weights_only(tiny, mouths, tmp_path):
    network = tiny()
    trainer = run(network, mouths, tmp_path)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    again = MouthGAN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    with torch.no_grad():
        assert torch.equal(again(*mouths.given), network(*mouths.given))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"adversarial": "foo"}, "model.adversarial=foo: choose lsgan or hinge"),
        ({"size": 30}, "model.size=30: give a multiple of 4"),
        ({"weights": MouthLossWeights(**SWITCHED_OFF)}, "every loss is off"),
        ({"init_from": "missing.ckpt"}, "missing.ckpt: no such weights file"),
        ({"trained": ["paint", "lips"]}, "model.trained: the generator has no lips"),
        ({"lpips": "missing.npz"}, "missing.npz: no such file"),
    ],
)
def test_bad_options_are_named_in_one_line(tiny, changes, reason):
    with pytest.raises(InputError, match=reason) as error:
        tiny(**changes)
    assert "\n" not in str(error.value)


def test_only_the_wanted_parts_are_trained(tiny, mouths, tmp_path):
    network = tiny(trained=["shuffle", "paint"], weights=MouthLossWeights(l1=1.0))
    before = {n: v.clone() for n, v in network.generator.state_dict().items()}
    run(network, mouths, tmp_path, steps=2)
    after = network.generator.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"shuffle", "paint"}
    assert not [n for n in before if "running" in n and not torch.equal(before[n], after[n])]


def test_lpips_is_a_loss_and_a_figure(tiny, mouths, tmp_path, monkeypatch):
    class Apart(torch.nn.Module):
        """The squared difference of means."""

        def forward(self, output, truth):
            return (output.mean((1, 2, 3)) - truth.mean((1, 2, 3))).square()

    monkeypatch.setattr("xpress.models.painting.module.load_lpips", lambda path: Apart())
    network = tiny(lpips="alexnet.npz", weights=MouthLossWeights(**SWITCHED_OFF, perceptual=2.0))
    terms = network.generator_terms(mouths, network.paint(mouths))
    assert set(terms) == {"perceptual"}
    terms["perceptual"].backward()
    assert network.generator.paint[1].weight.grad.abs().sum() > 0
    assert set(tiny(lpips="alexnet.npz").generator_terms(mouths, network.paint(mouths))) == {
        *TERMS,
        "perceptual",
    }
    trainer = run(network, mouths, tmp_path, limit_val_batches=1.0)
    with torch.no_grad():
        expected = Apart()(mouths.composite(network(*mouths.given)), mouths.image).mean()
    assert float(trainer.callback_metrics["val/0/lpips"]) == pytest.approx(
        float(expected), rel=1e-4
    )
