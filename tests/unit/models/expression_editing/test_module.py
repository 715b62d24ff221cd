"""What GANimation and DFT-Net train alike."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from xpress.errors import InputError
from xpress.models.expression_editing import module as editor_module
from xpress.models.expression_editing.losses import ExpressionLossWeights
from xpress.models.expression_editing.saturation import AttentionWatch

NAMES = ("ganimation", "dft_net")
ADVERSARIAL = {"adversarial": 0.0, "condition": 0.0, "cycle": 0.0}
TAUGHT = ExpressionLossWeights(**ADVERSARIAL, teacher=50.0, teacher_flow=1.0)
both = pytest.mark.parametrize("name", NAMES)


def parameters(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(before: dict, module: torch.nn.Module) -> bool:
    return any(not torch.equal(before[n], p) for n, p in module.named_parameters())


class Sides(pl.Callback):
    """Which side each batch changed."""

    def __init__(self) -> None:
        self.moved: list[str] = []

    def on_train_batch_start(self, trainer, network, *_):
        self.before = {n: parameters(getattr(network, n)) for n in ("critic", "generator")}

    def on_train_batch_end(self, trainer, network, *_):
        self.moved.append(
            "".join(n[0] for n, b in self.before.items() if changed(b, getattr(network, n)))
        )


@both
def test_the_generator_has_every_third_turn(tiny, faces, fit, name):
    sides = Sides()
    network = tiny(name, critic_steps=3)
    fit(network, faces, epochs=2, steps=4, callbacks=[sides])
    assert sides.moved == ["cg", "c", "c", "cg", "c", "c", "cg", "c"]  # across epochs too


@both
def test_a_warm_start_has_no_critic(tiny, faces, fit, monkeypatch, name):
    sides, calls = Sides(), []
    weights = ExpressionLossWeights(teacher=50.0)
    network = tiny(name, warm_epochs=1, critic_steps=2, weights=weights)
    network.critic.register_forward_hook(lambda *_: calls.append(network.current_epoch))
    passes = []
    original = network.generator.edit
    monkeypatch.setattr(
        network.generator,
        "edit",
        lambda *given: passes.append(network.current_epoch) or original(*given),
    )
    fit(network, faces, epochs=2, steps=4, callbacks=[sides])
    assert sides.moved == ["g"] * 4 + ["cg", "c", "cg", "c"]
    assert set(calls) == {1}
    assert passes.count(0) == 4  # no way back either
    assert passes.count(1) == 4 + 2


@both
def test_a_few_steps_learn_what_the_teacher_shows(tiny, faces, fit, name):
    network = tiny(name, weights=TAUGHT, learning_rate=8e-3, ema_decay=0.9)

    def error() -> float:
        with torch.no_grad():
            found = network(faces.image, faces.target_units).image
        return float((found - faces.edited).abs().mean())

    nothing = float((faces.image - faces.edited).abs().mean())
    fit(network, faces, steps=50)
    assert error() < (0.7 if name == "ganimation" else 0.35) * nothing


def test_the_flow_is_the_teachers(tiny, faces, fit):
    weights = ExpressionLossWeights(**ADVERSARIAL, attention=0.0, teacher_flow=1.0)
    network = tiny("dft_net", weights=weights, learning_rate=5e-3, ema_decay=0.9)
    fit(network, faces, steps=40)
    flow = network(faces.image, faces.target_units).flow
    moving = faces.flow.norm(dim=1) > 1
    error = (flow - faces.flow).norm(dim=1)[moving].mean()
    assert error < 0.3 * faces.flow.norm(dim=1)[moving].mean()


def test_rows_without_a_teacher_teach_nothing(tiny, faces):
    network = tiny("dft_net", weights=TAUGHT)
    output = network.generator.edit(faces.image, faces.target_units)
    none = faces.replace(has_teacher=torch.zeros(8, dtype=torch.bool))
    terms = network.generator_terms(none, output)
    assert float(terms["teacher"].detach()) == 0
    assert float(terms["teacher_flow"].detach()) == 0


def test_a_teacher_is_asked_for(tiny, faces):
    network = tiny("dft_net", weights=TAUGHT)
    output = network.generator.edit(faces.image, faces.target_units)
    with pytest.raises(InputError, match=r"give data\.teacher="):
        network.generator_terms(faces.replace(edited=None, flow=None), output)


@both
def test_the_totals_are_weighted_sums(tiny, faces, name):
    weights = ExpressionLossWeights(
        adversarial=2.0, condition=3.0, cycle=5.0, smoothness=7.0, attention=0.5, teacher=11.0
    )
    network = tiny(name, weights=weights)
    output = network.generator.edit(faces.image, faces.target_units)
    terms = network.generator_terms(faces, output)
    expected = sum(getattr(weights, n) * float(v.detach()) for n, v in terms.items())
    names = {"adversarial", "condition", "cycle", "smoothness", "attention", "teacher"}
    assert set(terms) == names
    assert float(network._total(terms).detach()) == pytest.approx(expected, rel=1e-5)
    terms = network.critic_terms(faces, output.image.detach())
    parts = {n: float(v.detach()) for n, v in terms.items()}
    expected = 2 * parts["critic"] + 10 * parts["gradient_penalty"] + 3 * parts["critic_condition"]
    assert float(network._critic_total(terms).detach()) == pytest.approx(expected, rel=1e-5)
    sign = 1 if name == "ganimation" else -1
    attention = network.mask_terms(output)["attention"]
    assert float(attention.detach()) == pytest.approx(
        sign * float(output.attention.detach().mean())
    )


def test_the_critic_learns_to_tell_and_to_read(tiny, faces, fit):
    network = tiny("ganimation", critic_steps=100, critic_learning_rate=3e-3)
    faces = faces.replace(action_units=faces.target_units)
    seen: list[dict[str, float]] = []

    class Figures(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            seen.append({n: float(v) for n, v in trainer.callback_metrics.items()})

    fit(network, faces, steps=25, callbacks=[Figures()])
    assert seen[-1]["train/critic"] < seen[0]["train/critic"] - 0.02
    assert seen[-1]["train/critic_condition"] < 0.3 * seen[0]["train/critic_condition"]


def test_the_reader_is_frozen_and_differentiable(tiny, faces):
    weights = ExpressionLossWeights(**ADVERSARIAL, reader=1.0)
    network = tiny("dft_net", weights=weights)
    output = network.generator.edit(faces.image[:2], faces.target_units[:2])
    terms = network.generator_terms(faces[:2], output)
    terms["reader"].backward()
    assert network.generator.paint[1].weight.grad.abs().sum() > 0
    assert not any("_reader" in n or "encoder.head" in n for n in network.state_dict())
    assert not any(p.requires_grad for p in network._reader[0].parameters())


def test_figures_are_those_of_the_evaluation(tiny, faces, fit, capsys):
    network = tiny("dft_net", weights=TAUGHT)
    trainer = fit(network, faces, limit_val_batches=1.0)
    logged = {n: float(v) for n, v in trainer.callback_metrics.items()}
    with torch.no_grad():
        read = network.reader(network(faces.image, faces.target_units).image).units
    expected = float((read - faces.target_units).abs().mean())
    assert logged["val/0/au_error"] == pytest.approx(expected, rel=1e-4)
    loss = logged["val/0/au_error_ratio"] + logged["val/0/kept/l1"]
    assert logged["val/loss"] == pytest.approx(loss, rel=1e-4)
    assert "val/0/cycle" not in logged  # nine edits a face: not while training
    trainer.test(network, DataLoader([faces], batch_size=None), verbose=False)
    assert float(trainer.callback_metrics["test/0/cycle"]) > 0
    assert f"error {expected:.4f}" in capsys.readouterr().out


def test_learning_rates_are_warm_and_then_fall(tiny, faces, fit):
    rates: list[list[float]] = []

    class Rates(pl.Callback):
        def on_train_epoch_start(self, trainer, *_):
            rates.append([o.param_groups[0]["lr"] for o in trainer.optimizers])

    network = tiny(
        "dft_net",
        learning_rate=1e-4,
        warm_learning_rate=4e-4,
        critic_learning_rate=2e-4,
        decay_from=0.5,
        warm_epochs=2,
        weights=ExpressionLossWeights(teacher=1.0),
    )
    fit(network, faces, epochs=8, callbacks=[Rates()])
    generator = [4, 4, 1, 1, 1, 0.75, 0.5, 0.25]
    critic = [2, 2, 2, 2, 2, 1.5, 1, 0.5]
    np.testing.assert_allclose(rates, 1e-4 * np.array([generator, critic]).T, rtol=1e-6)


@both
def test_a_run_resumes_to_the_bit(tiny, faces, fit, tmp_path, name):
    class Halfway(pl.callbacks.Checkpoint):  # these come last, after the schedules
        def on_train_batch_start(self, trainer, module, batch, number):
            torch.manual_seed(10 * trainer.current_epoch + number)

        def on_train_epoch_end(self, trainer, *_):
            if trainer.current_epoch == 0:
                trainer.save_checkpoint(tmp_path / "half.ckpt", weights_only=False)

    weights = ExpressionLossWeights(teacher=50.0)
    whole = tiny(name, critic_steps=2, weights=weights)
    options = {"epochs": 2, "steps": 3, "callbacks": [Halfway()], "enable_checkpointing": True}
    fit(whole, faces, **options)
    again = tiny(name, critic_steps=2, weights=weights)
    fit(again, faces, **options, ckpt_path=tmp_path / "half.ckpt")
    for key, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


@both
def test_checkpoints_start_other_runs_from_the_average(tiny, faces, fit, tmp_path, name):
    network = tiny(name, weights=TAUGHT, learning_rate=1e-2)
    trainer = fit(network, faces, steps=4)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    loaded = type(network).load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    with torch.no_grad():
        expected = network(faces.image, faces.target_units).image
        assert torch.equal(loaded(faces.image, faces.target_units).image, expected)
        other = tiny(name, init_from=str(tmp_path / "last.ckpt"))
        assert torch.equal(other(faces.image, faces.target_units).image, expected)
    with pytest.raises(InputError, match="not the weights of such a"):
        tiny(NAMES[name == "ganimation"], init_from=str(tmp_path / "last.ckpt"))


def test_stuck_attention_is_told(tiny, faces, fit, monkeypatch, caplog):
    monkeypatch.setattr("xpress.models.expression_editing.saturation.STEPS", 2)
    network = tiny("ganimation", weights=TAUGHT)
    network.watch = AttentionWatch(0.03, 0.1, "", "raise model.weights.attention")
    with caplog.at_level(logging.WARNING, editor_module.__name__):
        trainer = fit(network, faces, steps=3)
    told = [r.getMessage() for r in caplog.records if r.name == editor_module.__name__]
    assert len(told) == 1
    assert told[0].endswith("raise model.weights.attention")
    assert trainer.callback_metrics["train/attention_saturated"] == 1


@both
def test_pictures_show_what_the_result_is_made_of(tiny, faces, name):
    network = tiny(name)
    grid = network.picture_grid(faces, rows=3)
    columns = 5 + (name == "dft_net")
    assert grid.shape == (3 * 34, columns * 34, 3)
    cells = grid.reshape(3, 34, columns, 34, 3)[:, :32, :, :32].transpose(0, 2, 1, 3, 4)
    for row in range(3):
        for column, image in ((0, faces.image), (-1, faces.edited)):
            expected = (image[row].permute(1, 2, 0).numpy() * 255).round()
            assert np.array_equal(cells[row, column], expected)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 36}, "model.size=36: give a multiple of 8"),
        ({"critic_steps": 0}, "model.critic_steps=0: at least 1"),
        ({"weights": ExpressionLossWeights(**ADVERSARIAL)}, "nothing teaches the generator"),
        ({"warm_epochs": 1}, "model.warm_epochs=1: nothing to learn then"),
        ({"init_from": "missing.ckpt"}, "missing.ckpt: no such weights file"),
    ],
)
def test_bad_options_are_named_in_one_line(tiny, changes, reason):
    with pytest.raises(InputError, match=reason) as error:
        tiny("dft_net", **changes)
    assert "\n" not in str(error.value)


@both
def test_a_relative_generator_is_given_differences(tiny, faces, monkeypatch, name):
    network = tiny(name, relative=4.0)
    batch = faces
    own = network.reader(batch.image).units
    asked = []
    for generator in (network.generator, network.average.module):
        original = generator.edit
        monkeypatch.setattr(
            generator,
            "edit",
            lambda image, units, original=original: asked.append(units) or original(image, units),
        )
    network.edit(batch.image, batch.target_units)
    network._generate(batch.image, batch.target_units, batch.action_units)
    torch.testing.assert_close(asked[0], 4 * (batch.target_units - own))
    torch.testing.assert_close(asked[1], 4 * (batch.target_units - batch.action_units))
