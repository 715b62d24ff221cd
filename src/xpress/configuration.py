"""Between the command line and Hydra: the options' types, the checks, and one-line errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Optional

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from xpress.allowed_targets import check_hydra_targets, check_targets
from xpress.errors import InputError

CONFIG_MODULE = "xpress.conf"
VERSION_BASE = "1.3"
CONFIG_ERRORS = (HydraException, OmegaConfBaseException)

_PATH_OPTIONS = (
    "source",
    "target",
    "output",
    "source_neutral",
    "weights",
    "ckpt",
    "export",
    "certificate",
    "signing_key",
)
_ADDITIVE = ("experiment", "ablation", "hparams_search")
_ROUTING = ("task", "job", "task_name", "hydra")


class Motion(Enum):
    """How the source's expression reaches the target."""

    relative = "relative"
    absolute = "absolute"


class Region(Enum):
    """Parts of the face that may be moved on their own."""

    mouth = "mouth"
    eyes = "eyes"
    brows = "brows"


class Mouth(Enum):
    """What fills the opened mouth."""

    generator = "generator"
    model = "model"
    none = "none"


class Gaze(Enum):
    """Whose eyes look."""

    source = "source"
    target = "target"
    viewer = "viewer"


class EditorName(Enum):
    """What changes an expression."""

    morphable = "morphable"
    ganimation = "ganimation"
    dft_net = "dft_net"


class RecordingFormat(Enum):
    """What `task=convert` writes."""

    params = "params"
    live_link = "live_link"
    open_face = "open_face"
    gltf = "gltf"
    obj = "obj"


@dataclass
class InferOptions:
    """Every option of `infer`; the chosen task's file says which ones it takes.

    Attributes:
        job: `_target_` and arguments of the function behind the task.
        task_name: the chosen task.
        source: video, image, camera index, `params.npz` or CSV of Live Link Face that gives the
            expression.
        target: image or video that receives it; for task=live an image or a folder of them.
        output: file or folder to write; for task=live window, virtualcam, a file, osc://HOST:PORT
            or livelink://HOST:PORT.
        motion: relative to the source's neutral face, or the source's expression as it is.
        strength: factor on the expression's change, 1 is the source's own.
        regions: what may move; all of the face without it.
        face: `largest`, `all` or an index from left to right.
        mouth: what fills the opened mouth: the network trained for it, the face model's teeth and
            tongue, or nothing.
        gaze: whose eyes look: the source's, with whom the target's turn, the target's own, or
            its own kept on the viewer while the head turns.
        head: `auto` moves the heads of photographs as the source's moves and leaves videos their
            own, `source` moves both, `target` none, a number is a factor on the motion.
        idle: share of a mild motion of its own (breath, blinks, sway) for photographs, 1 is usual.
        seed: of that motion.
        seconds: length of an idle video.
        aus: wanted action units, each in [0, 1] (aus.AU12=0.8, one side as aus.AU45_L=1), or
            aus.random=7; the others stay as they are.
        editor: `morphable` moves the face model's shapes, the others are networks.
        steps: of the interpolation, from 0 (the target's expression) to 1 (the source's).
        source_neutral: picture of the source's neutral face; the first frames without it.
        smoothing: filter pose and expression over time.
        overwrite: replace an output that exists.
        progress: show a progress bar.
        threads: CPU threads.
        format: of a converted performance: params, live_link, open_face, gltf or obj; by the
            output's suffix without it.
        refine: Gauss-Newton steps that improve a photograph's face parameters.
        weights: folder of own networks that `train … export=DIR` has written; what it lacks, and
            all without it, comes from the package.
        mark: outputs say in their metadata that they are synthetic.
        watermark: the changed region carries an invisible mark as well.
        certificate: PEM chain, the signer's first, for a signed C2PA manifest.
        signing_key: PEM key of the certificate.
    """

    job: Optional[dict[str, Any]] = None  # noqa: UP045  (OmegaConf reads this form alone)
    task_name: Optional[str] = None  # noqa: UP045
    source: str = MISSING
    target: Optional[str] = MISSING  # noqa: UP045
    output: str = MISSING
    motion: Motion = Motion.relative
    strength: float = 1.0
    regions: Optional[list[Region]] = None  # noqa: UP045
    face: str = "largest"
    mouth: Mouth = Mouth.generator
    gaze: Gaze = Gaze.target
    head: str = "auto"
    idle: float = 0.0
    seed: int = 0
    seconds: float = 8.0
    aus: dict[str, Any] = field(default_factory=dict)
    editor: EditorName = EditorName.morphable
    steps: list[float] = field(default_factory=lambda: [0.5, 0.75, 1.0])
    source_neutral: Optional[str] = None  # noqa: UP045
    smoothing: bool = True
    overwrite: bool = True
    progress: bool = True
    threads: int = field(default=2)
    format: Optional[RecordingFormat] = None  # noqa: UP045
    refine: int = 0
    weights: Optional[str] = None  # noqa: UP045
    mark: bool = True
    watermark: bool = False
    certificate: Optional[str] = None  # noqa: UP045
    signing_key: Optional[str] = None  # noqa: UP045


ConfigStore.instance().store(name="infer_options", node=InferOptions)
OmegaConf.register_new_resolver("optuna_direction", {"min": "minimize", "max": "maximize"}.get)


def tasks(command: str) -> list[str]:
    """The choices of `task` for the command `train` or `infer`, in alphabetical order."""
    return sorted(name for name, job in _jobs().items() if (job is None) == (command == "train"))


@cache
def _jobs() -> dict[str, str | None]:
    """The function behind each task of `infer`, None for one of `train`.

    Found in the text: to parse every task would take longer than to compose one.
    """
    jobs = {}
    for entry in (files(CONFIG_MODULE) / "task").iterdir():
        if entry.name.endswith(".yaml"):
            text = entry.read_text(encoding="utf-8")
            job = re.search(r"^job:\n  _target_: (\S+)$", text, re.MULTILINE)
            jobs[entry.name.removesuffix(".yaml")] = job and job[1]
    return jobs


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Quote the values of path options, so that any file name passes Hydra's grammar.

    Values that are quoted already, `null`, and interpolations stay as they are.
    """
    quoted = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        bare = value not in ("", "null") and value[:1] not in "'\"" and "${" not in value
        if name in _PATH_OPTIONS and equals and bare:
            value = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
            argument = f"{name}='{value}'"
        quoted.append(argument)
    return quoted


def added_units(arguments: Sequence[str]) -> list[str]:
    """Let `aus.AU12=0.8` name what the configuration does not list: seventeen units and sides."""
    return [f"++{text}" if re.match(r"aus(\.[^=]*)?=", text) else text for text in arguments]


def compose_config(
    command: str,
    overrides: Sequence[str],
    config_dir: str | None = None,
    sweep: bool = False,
) -> DictConfig:
    """Compose the configuration of a call without running it; Hydra's own part is checked.

    Args:
        command: `train` or `infer`.
        overrides: `name=value` arguments in Hydra's grammar.
        config_dir: folder of further settings.
        sweep: leave out what varies, and let Hydra tell of it.

    Raises:
        InputError: they do not compose, or Hydra would build what is not allowed; the message
            names the argument and the nearest names.
    """
    try:
        if config_dir is None:
            _check_task_choice(command, overrides)
        fixed = _fixed(overrides) if sweep else list(overrides)
        if config_dir is not None:
            fixed += _search_path(overrides, config_dir)
        config = _compose(command, fixed, return_hydra_config=True)
    except InputError:
        raise
    except Exception as error:  # OmegaConf stumbles over some values with Python's own errors
        raise InputError(" ".join(explain(error, command, overrides).split())) from error
    check_hydra_targets(config.hydra)
    with open_dict(config):
        del config["hydra"]
    return config


def _fixed(overrides: Sequence[str]) -> list[str]:
    """The overrides that a sweep does not vary; what Hydra builds it may not vary."""
    fixed = []
    for text, override in zip(overrides, _parse(added_units(overrides)), strict=True):
        name = override.key_or_group
        if not override.is_sweep_override():
            fixed.append(text)
        elif name.startswith("hydra") or "_target_" in name:
            raise InputError(f"{name}: takes one value, also in a sweep")
    return fixed


def _search_path(overrides: Sequence[str], config_dir: str) -> list[str]:
    """The folder of `--config-dir` as composing takes it."""
    if not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir}: no such folder; check the path")
    if any(override.key_or_group == "hydra.searchpath" for override in _parse(overrides)):
        raise InputError("--config-dir and hydra.searchpath: give one of the two")
    return [f"hydra.searchpath=['file://{Path(config_dir).resolve()}']"]


def check_choices(overrides: Sequence[str]) -> None:
    """Check that no group is chosen from twice, of which the last choice alone would count.

    Raises:
        InputError: one is; `experiment=[a,b]` takes both.
        OverrideParseException: an argument is not in Hydra's grammar.
    """
    chosen: dict[str, str] = {}
    for override in _parse(overrides):
        group, choice = override.key_or_group, str(override.value())
        if not (files(CONFIG_MODULE) / group).is_dir():
            continue
        if group in chosen:
            both = f"{chosen[group]},{choice}"
            hint = f"{group}=[{both}] takes both" if group in _ADDITIVE else "choose one"
            raise InputError(f"{group}={both}: chosen twice; {hint}")
        chosen[group] = choice


def check(command: str, config: DictConfig, overrides: Sequence[str]) -> None:
    """Check what composing alone does not see.

    Args:
        command: `train` or `infer`.
        config: the composed configuration.
        overrides: the arguments that have to mean something to the task.

    Raises:
        InputError: a target that is not allowed, no task, options that the task does not take,
            missing ones, or, for `train`, values of the wrong type.
    """
    choices = tasks(command)
    check_targets(config, _job_functions() if command == "infer" else None)
    if config.task_name is None:
        raise InputError(f"no task given; choose task={'|'.join(choices)}")
    if command == "train":
        # loads what is trained, and with it torch, which --help does without
        from xpress.validation import check_training

        return check_training(config)
    taken = _taken_options(config)
    for name in (override.key_or_group for override in _parse(overrides)):
        if name.partition(".")[0] not in (*taken, *_ROUTING):
            raise InputError(
                f"{name}: task={config.task_name} has no such option; it takes {', '.join(taken)}"
            )
    missing = [name for name in taken if OmegaConf.is_missing(config, name)]
    if missing:
        needs = " and ".join(f"{name}=…" for name in missing)
        raise InputError(f"task={config.task_name} needs {needs}")


def explain(error: Exception, command: str, overrides: Sequence[str]) -> str:
    """One line for a failure to compose: the argument, what is wrong, the nearest valid names."""
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not of the form name=value ({_first_line(error)})"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        valid = tasks(command) if group == "task" else error.options or []
        return f"{group}={choice}: no such choice{_nearest(choice, valid)}"
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
        return f"{name}: no such option{_nearest(name, _option_names(command, rest))}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    what = "needs a list, as in name=[a,b]" if "not a ListConfig" in str(cause) else ""
    merging = re.match(r"Error merging override (.+)", str(error))
    return (
        f"{merging[1].lstrip('+')}: {what or _first_line(cause)}" if merging else _first_line(cause)
    )


def _compose(command: str, overrides: Sequence[str], **options: bool) -> DictConfig:
    with initialize_config_module(CONFIG_MODULE, job_name=command, version_base=VERSION_BASE):
        return compose(command, added_units(overrides), **options)


def _job_functions() -> tuple[str, ...]:
    """The functions behind the tasks of `infer`."""
    return tuple(job for job in _jobs().values() if job is not None)


def _check_task_choice(command: str, overrides: Sequence[str]) -> None:
    choices = tasks(command)
    for override in _parse(overrides):
        if override.key_or_group == "task" and not override.is_sweep_override():
            task = override.value()
            if task is not None and task not in choices:
                raise InputError(f"task={task}: no such task{_nearest(str(task), choices)}")


def _parse(overrides: Sequence[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(overrides))


def _taken_options(config: DictConfig) -> list[str]:
    job = OmegaConf.to_container(config.job, resolve=False)
    assert isinstance(job, dict)
    values = [
        v
        for value in job.values()
        for v in (value.values() if isinstance(value, dict) else [value])
    ]
    return [n for v in values if isinstance(v, str) for n in re.findall(r"\$\{(\w+)\}", v)]


def _option_names(command: str, overrides: Sequence[str]) -> list[str]:
    """Names that the call could have meant, as far as the rest of it composes."""
    try:
        config = _compose(command, overrides)
    except CONFIG_ERRORS:
        config = _compose(command, [])
    if command == "infer" and config.job is not None:
        return ["task", *_taken_options(config)]
    return ["task", "data", "model", "experiment", "hparams_search", *_flat_names(config)]


def _is_left_out(name: str, overrides: Sequence[str]) -> bool:
    from xpress.validation import takes

    try:
        return takes(_compose("train", overrides), name)
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


def _nearest(name: str, valid: Sequence[str]) -> str:
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
