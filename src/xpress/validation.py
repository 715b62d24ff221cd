"""What Hydra does not see: names and types of every setting of `train`, before anything is built.

The options of the command are checked against `TrainOptions`, and what stands beside a `_target_`
against the signature of the class or function behind it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal

from hydra._internal.utils import _locate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError
from pydantic import ConfigDict, NonNegativeInt, PydanticUserError, TypeAdapter, ValidationError

from xpress.errors import InputError
from xpress.face_models.options import MorphableOptions

GROUPS = ("paths", "data", "model", "callbacks", "logger", "trainer")

_SPECIAL = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
_UNKNOWN = object()


@dataclass
class Monitor:
    """What the best checkpoint, early stopping and sweeps look at.

    Attributes:
        metric: its name in the logs; None watches nothing.
        mode: whether less or more of it is better.
    """

    metric: str | None
    mode: Literal["min", "max"]


@dataclass
class TrainOptions:
    """Every option of `train` that is not of a group; `conf/train.yaml` says what they mean."""

    task_name: str | None
    mode: Literal["fit", "validate", "test", "export"] | None
    ckpt: str | None
    export: str | None
    test: bool
    seed: NonNegativeInt
    ddp_strategy: str
    monitor: Monitor
    morphable: MorphableOptions


def check_training(config: DictConfig) -> None:
    """Check the configuration of `train` as far as it can be known before the run.

    Raises:
        InputError: a name that nothing takes, a value of the wrong type, or a missing one.
    """
    settings = _plain(config)
    options = {k: v for k, v in settings.items() if k not in GROUPS and k != "hydra"}
    _check_arguments(TrainOptions, options, "")
    for group in GROUPS:
        _check_node(settings.get(group), group)


def takes(config: DictConfig, name: str) -> bool:
    """Whether the class behind the node above `name` has an argument that the node leaves out."""
    above, _, last = name.rpartition(".")
    node = OmegaConf.select(config, above) if above else None
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    return isinstance(target, str) and last in _parameters(_located(target, above))


def _plain(config: Any) -> Any:
    """The configuration as dicts and lists; what only a run knows is `_UNKNOWN`."""
    if isinstance(config, DictConfig):
        return {str(key): _value(config, key) for key in config}
    if isinstance(config, ListConfig):
        return [_value(config, index) for index in range(len(config))]
    return config


def _value(container: Any, key: Any) -> Any:
    if OmegaConf.is_missing(container, key):
        return _UNKNOWN
    try:
        return _plain(container[key])
    except InterpolationKeyError:
        raise
    except InterpolationResolutionError:  # ${hydra:…} outside a run
        return _UNKNOWN


def _check_node(value: Any, path: str) -> None:
    if isinstance(value, dict) and isinstance(value.get("_target_"), str):
        given = {k: v for k, v in value.items() if k not in _SPECIAL}
        incomplete = bool(value.get("_partial_")) or "_args_" in value
        _check_arguments(_located(value["_target_"], path), given, path, incomplete)
    for name, inner in _items(value):
        _check_node(inner, f"{path}.{name}")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(_listed(value))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _located(name: str, path: str) -> Any:
    try:
        return _locate(name)
    except Exception as error:  # whatever the import of a module raises
        reason = str(error.__cause__ or error).splitlines()[0]
        raise InputError(f"{path}._target_={name}: cannot be imported ({reason})") from error


def _check_arguments(
    target: Any, given: Mapping[str, Any], path: str, incomplete: bool = False
) -> None:
    parameters = _parameters(target)
    prefix = f"{path}." if path else ""
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values()) or not parameters
    for name, value in given.items():
        if name in parameters:
            _check_value(parameters[name].annotation, value, f"{prefix}{name}")
        elif not takes_any:
            near = get_close_matches(name, parameters, n=1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            taken_by = f": {target.__name__} takes no such argument" if path else ": no such option"
            raise InputError(f"{prefix}{name}{taken_by}{hint}")
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind in kinds]
    missing = [f"{prefix}{name}=…" for name in needed if name not in given]
    if missing and not incomplete:
        raise InputError(f"{path or 'train'}: needs {' and '.join(missing)}")


def _parameters(target: Any) -> dict[str, inspect.Parameter]:
    """Arguments by name, with evaluated types.

    `**settings: Annotated[Any, Settings]` takes the fields of that dataclass.
    """
    try:
        signature = inspect.signature(target).parameters
    except (TypeError, ValueError):  # compiled callables have none
        return {}
    types = _annotations(target, signature)
    parameters: dict[str, inspect.Parameter] = {}
    for name, given in signature.items():
        taken = given.replace(annotation=types.get(name, Any))
        noted = [n for n in typing.get_args(taken.annotation) if is_dataclass(n)]
        if taken.kind is taken.VAR_KEYWORD and noted:
            parameters |= _parameters(noted[0])
        else:
            parameters[name] = taken
    return parameters


def _annotations(target: Any, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Types of the parameters, as far as they can be evaluated."""
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    try:
        return typing.get_type_hints(target if is_dataclass(target) else function, None, None, True)
    except Exception:  # names that are imported for type checkers only
        known = getattr(function, "__globals__", {})
        return {name: _evaluated(p.annotation, known) for name, p in parameters.items()}


def _evaluated(annotation: Any, known: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return Any if annotation is inspect.Parameter.empty else annotation
    try:
        return typing.get_type_hints(_annotated(annotation), known, None, True)["value"]
    except Exception:
        return Any


def _annotated(annotation: str) -> Any:
    return type("Annotated", (), {"__annotations__": {"value": annotation}})


def _check_value(annotation: Any, value: Any, path: str) -> None:
    if is_dataclass(annotation) and isinstance(value, dict) and "_target_" not in value:
        return _check_arguments(annotation, value, path)
    if _undecided(value):
        return None
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticUserError, TypeError):  # types that only checkers understand
        return None
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        messages = (e["msg"].removeprefix("Input should be ") for e in error.errors())
        wanted = " or ".join(dict.fromkeys(messages))
        raise InputError(f"{path}={value}: has to be {wanted}") from error


def _undecided(value: Any) -> bool:
    """Whether something in the value is known, or is built, only in the run."""
    if value is _UNKNOWN or (isinstance(value, dict) and "_target_" in value):
        return True
    return any(_undecided(inner) for _, inner in _items(value))
