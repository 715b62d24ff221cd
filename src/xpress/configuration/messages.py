"""One line for whatever does not compose, with the nearest valid names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xpress.configuration.composition import CONFIG_ERRORS, composed, taken_options, tasks


def explain(error: Exception, command: str, overrides: Sequence[str]) -> str:
    """One line for a failure to compose: the argument, what is wrong, the nearest valid names."""
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not of the form name=value ({_first_line(error)})"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        valid = tasks(command) if group == "task" else error.options or []
        return f"{group}={choice}: no such choice{nearest(choice, valid)}"
    ambiguous = re.match(r"Ambiguous value for argument '(.+)'", str(error))
    if ambiguous:
        given = ambiguous[1].lstrip("+")
        return f"{given}: several values; -m runs them one after the other, [a,b] is a list"
    present = re.search(r"Could not append.*already at '([^']+)'", str(error))
    if present:
        return f"{present[1]}: is an option already; leave out the plus"
    unknown = re.match(r"Could not override '([^']+)'|.*Key '([^']+)' (?:is )?not in", str(error))
    if unknown:
        name = unknown[1] or unknown[2]
        rest = [text for text in overrides if text.partition("=")[0].strip("+~") != name]
        if command == "train" and _is_left_out(name, rest):
            return f"{name}: the configuration leaves it at its default; write +{name}=…"
        return f"{name}: no such option{nearest(name, _option_names(command, rest))}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    what = "needs a list, as in name=[a,b]" if "not a ListConfig" in str(cause) else ""
    merging = re.match(r"Error merging override (.+)", str(error))
    return (
        f"{merging[1].lstrip('+')}: {what or _first_line(cause)}" if merging else _first_line(cause)
    )


def _option_names(command: str, overrides: Sequence[str]) -> list[str]:
    """Names that the call could have meant, as far as the rest of it composes."""
    try:
        config = composed(command, overrides)
    except CONFIG_ERRORS:
        config = composed(command, [])
    if command == "infer" and config.job is not None:
        return ["task", *taken_options(config)]
    if command == "prepare":
        return _flat_names(config)
    return ["task", "data", "model", "experiment", "hparams_search", *_flat_names(config)]


def _is_left_out(name: str, overrides: Sequence[str]) -> bool:
    from xpress.validation import takes

    try:
        return takes(composed("train", overrides), name)
    except CONFIG_ERRORS:
        return False


def _flat_names(config: DictConfig, prefix: str = "") -> list[str]:
    names = []
    for key in map(str, config):
        name = f"{prefix}{key}"
        names.append(name)
        if not OmegaConf.is_missing(config, key) and not OmegaConf.is_interpolation(config, key):
            node = config[key]
            names += _flat_names(node, f"{name}.") if isinstance(node, DictConfig) else []
    return names


def nearest(name: str, valid: Sequence[str]) -> str:
    """A hint at the names that could have been meant, or at all of a few."""
    whole = [choice for choice in valid if name in re.split("[_.]", choice)]
    near = whole or get_close_matches(name, valid, n=3, cutoff=0.6)
    shown = sorted(set(valid)) if len(set(valid)) <= 16 else []
    if not near:
        return f"; choose from {', '.join(shown)}" if shown else ""
    others = f" (choices: {', '.join(shown)})" if len(shown) > len(near) else ""
    return f"; did you mean {' or '.join(near)}?{others}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Error parsing override")]
    return telling[0].rstrip(".") if telling else type(error).__name__
