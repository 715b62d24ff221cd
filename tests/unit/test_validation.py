"""Settings of `train` that cannot be: each is one line that names the setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

import pytest
from omegaconf import DictConfig

from xpress import configuration, validation
from xpress.errors import InputError

TASK = "task=face_autoencoder"
WRONG = {
    "trainer.max_epochs=abc": r"trainer\.max_epochs=abc: has to be a valid integer",
    "data.batch_size=-1": r"data\.batch_size=-1: has to be greater than 0",
    "data.batch_size=1.5": r"data\.batch_size=1\.5: has to be a valid integer",
    "monitor.mode=up": r"monitor\.mode=up: has to be 'min' or 'max'",
    "model.learning_rate=fast": r"model\.learning_rate=fast: has to be a valid number",
    "model.learning_rate=0": r"model\.learning_rate=0: has to be greater than 0",
    "model.head_channels=[a,b]": r"model\.head_channels=.*: has to be a valid integer",
    "model.weights.landmarks=high": r"model\.weights\.landmarks=high: has to be a valid number",
    "model._target_=xpress.nothing": r"model\._target_=xpress\.nothing: cannot be imported",
    "data.augment.ratio=[1,x]": r"data\.augment\.ratio=.*: has to be a valid number",
    "callbacks.pictures.rows=many": r"callbacks\.pictures\.rows=many: has to be a valid integer",
    "mode=fitt": "mode=fitt: has to be 'fit', 'validate', 'test' or 'export'",
    "seed=-1": "seed=-1: has to be greater than or equal to 0",
    "test=maybe": "test=maybe: has to be a valid boolean",
    "trainer.max_epoch=3": r"max_epoch: no such option; did you mean trainer\.max_epochs",
    "+trainer.max_epoch=3": r"Trainer takes no such argument; did you mean trainer\.max_epochs\?",
    "+sead=3": r"sead: no such option; did you mean seed\?",
    "trainer.max_steps=3": r"trainer\.max_steps: .* write \+trainer\.max_steps=…",
    "monitor.metrik=a": r"monitor\.metrik: no such option; did you mean monitor\.metric",
}


def composed_and_checked(*overrides: str) -> None:
    configuration.check("train", configuration.compose_config("train", list(overrides)), [])


@pytest.mark.parametrize("override", WRONG)
def test_wrong_settings_are_told_in_one_line(override: str):
    with pytest.raises(InputError, match=WRONG[override]) as raised:
        composed_and_checked(TASK, override)
    assert "\n" not in str(raised.value)


def test_every_option_of_the_command_has_a_type():
    config = configuration.compose_config("train", [TASK])
    options = {str(name) for name in config} - set(validation.GROUPS)
    assert options == {field.name for field in fields(validation.TrainOptions)}


class Target:
    def __init__(self, one: int, *, many: Sequence[float] = (), maybe: str | None = None) -> None:
        raise AssertionError("nothing is built by a check")


def any_name(**options: int) -> None:
    raise AssertionError("nothing is called by a check")


def with_callable(build: Callable[[], int], count: NotAName = 3) -> None:  # noqa: F821
    raise AssertionError("nothing is called by a check")


@dataclass
class Settings:
    export: str = "folder"


def with_settings(one: int, **settings: Annotated[Any, Settings]) -> None:
    raise AssertionError("nothing is called by a check")


def test_lists_of_numbers_may_mix_integers_and_fractions():
    validation._check_arguments(Target, {"one": 1, "many": [1, 0.5], "maybe": None}, "part")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"part: needs part\.one=…"),
        ({"one": True}, r"part\.one=True: has to be a valid integer"),
        ({"one": 1, "many": 2.0}, r"part\.many=2\.0"),
        ({"one": 1, "maybe": 3}, r"part\.maybe=3: has to be a valid string"),
        ({"one": 1, "mayb": "a"}, r"part\.mayb: Target takes no such argument; did you mean"),
    ],
)
def test_arguments_are_those_of_the_signature(values: dict, message: str):
    with pytest.raises(InputError, match=message):
        validation._check_arguments(Target, values, "part")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"one": 1, "export": 3}, r"part\.export=3: has to be a valid string"),
        ({"one": 1, "exprt": "a"}, r"part\.exprt: with_settings takes no such .*part\.export\?"),
    ],
)
def test_arguments_may_be_fields_of_a_dataclass(values: dict, message: str):
    with pytest.raises(InputError, match=message):
        validation._check_arguments(with_settings, values, "part")


def test_what_cannot_be_known_passes():
    validation._check_arguments(any_name, {"anything": "at all"}, "part")
    nested = {"_target_": "builtins.int"}
    validation._check_arguments(with_callable, {"build": nested, "count": "any"}, "part")
    with pytest.raises(InputError, match=r"part\.build=3: has to be callable"):
        validation._check_arguments(with_callable, {"build": 3}, "part")


def test_values_that_only_a_run_knows_are_left_to_it():
    config = configuration.compose_config("train", [TASK])
    plain = validation._plain(config)
    assert plain["paths"]["output_dir"] is validation._UNKNOWN
    assert plain["trainer"]["default_root_dir"] is validation._UNKNOWN
    assert plain["monitor"] == {"metric": "val/loss", "mode": "min"}
    broken = DictConfig({"a": "${nothing}"})
    with pytest.raises(Exception, match="nothing"):
        validation._plain(broken)
