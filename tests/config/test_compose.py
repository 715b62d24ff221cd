"""Every task, trainer, logger, callback set and experiment composes, and builds what it names."""

import importlib.util
import inspect
import itertools
from importlib.resources import files
from pathlib import Path

import hydra
import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from xpress import configuration
from xpress.errors import InputError
from xpress.training import run

TASKS = {command: configuration.tasks(command) for command in ("train", "infer")}
OPTIONS = {"source": "driver.mp4", "target": "portrait.jpg", "output": "out.mp4"}


def choices(group: str) -> list[str]:
    folder = files("xpress.conf") / group
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name != "__init__.py")


def composed(command: str, *overrides: str, output: Path | str = "run") -> DictConfig:
    with initialize_config_module("xpress.conf", version_base="1.3"):
        config = compose(command, list(overrides), return_hydra_config=True)
    OmegaConf.set_readonly(config.hydra, False)
    config.hydra.runtime.output_dir = str(output)
    HydraConfig.instance().set_config(config)
    return config


@pytest.fixture(autouse=True)
def forgotten():
    """Hydra keeps the last run's configuration for the whole process, other tests' among it."""
    yield
    HydraConfig.instance().cfg = None


def targets(node: object) -> list[str]:
    """Every `_target_` below a configuration node."""
    if isinstance(node, dict):
        found = [node["_target_"]] if "_target_" in node else []
        return found + [t for value in node.values() for t in targets(value)]
    return [t for value in node for t in targets(value)] if isinstance(node, list) else []


def test_the_tasks_of_the_two_commands_are_different_and_complete():
    assert not set(TASKS["train"]) & set(TASKS["infer"])
    assert sorted(TASKS["train"] + TASKS["infer"]) == choices("task")


@pytest.mark.parametrize(
    ("task", "trainer", "logger"),
    list(itertools.product(TASKS["train"], choices("trainer"), choices("logger"))),
)
def test_training_composes_and_resolves(task: str, trainer: str, logger: str):
    config = composed("train", f"task={task}", f"trainer={trainer}", f"logger={logger}")
    job = OmegaConf.to_container(OmegaConf.masked_copy(config, _job_keys(config)), resolve=True)
    assert isinstance(job, dict)
    assert job["task_name"] == task
    assert job["model"]["_target_"].startswith(
        ("xpress.models.", "xpress.editing.measured_editor.")
    )
    assert job["data"]["_target_"].startswith("xpress.data_modules.")
    for target in targets(job):
        assert callable(hydra.utils.get_object(target)), target


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_experiments_compose(experiment: str):
    task = [] if _names_its_task(experiment) else [f"task={TASKS['train'][0]}"]
    config = composed("train", *task, f"experiment={experiment}")
    configuration.check("train", config, [])
    OmegaConf.to_container(OmegaConf.masked_copy(config, _job_keys(config)), resolve=True)


@pytest.mark.parametrize("search", choices("hparams_search"))
def test_sweeps_compose(search: str):
    named = [task for task in TASKS["train"] if task in search]
    task = (named or TASKS["train"])[0]
    config = composed("train", f"task={task}", f"hparams_search={search}")
    for name, values in (config.hydra.sweeper.params or {}).items():
        if (files("xpress.conf") / name).is_dir():
            assert set(values.split(",")) <= set(choices(name)), name
        else:
            assert OmegaConf.select(config, name, default=inspect) is not inspect, name


@pytest.mark.parametrize("task", TASKS["train"])
def test_data_and_network_are_built(task: str, tmp_path: Path):
    config = composed("train", f"task={task}", "trainer=debug", output=tmp_path)
    import pytorch_lightning as pl

    assert isinstance(hydra.utils.instantiate(config.model, _convert_="all"), pl.LightningModule)
    assert isinstance(hydra.utils.instantiate(config.data, _convert_="all"), pl.LightningDataModule)


@pytest.mark.parametrize(
    ("trainer", "logger"), list(itertools.product(choices("trainer"), choices("logger")))
)
def test_trainers_are_built(trainer: str, logger: str, tmp_path: Path):
    config = composed("train", f"trainer={trainer}", f"logger={logger}", output=tmp_path)
    if config.trainer.accelerator == "gpu" and not torch.cuda.is_available():
        with pytest.raises(InputError, match="gpu"):
            run.build_trainer(config)
        return
    built = run.build_trainer(config)
    assert len(built.loggers) == {"none": 0, "many": 3}.get(logger, 1)
    watches = any(type(c).__name__ == "LearningRateMonitor" for c in built.callbacks)
    assert watches == (logger != "none")
    assert Path(built.default_root_dir) == tmp_path


@pytest.mark.parametrize("callbacks", choices("callbacks"))
def test_callbacks_are_built(callbacks: str, tmp_path: Path):
    config = composed("train", f"callbacks={callbacks}", "trainer=cpu", output=tmp_path)
    names = {type(c).__name__ for c in run.build_trainer(config).callbacks}
    stops = "EarlyStopping" in names
    assert stops == (callbacks == "early_stopping")


@pytest.mark.parametrize("task", TASKS["infer"])
def test_inference_tasks_match_the_functions_behind_them(task: str):
    taken = [f"{name}={value}" for name, value in OPTIONS.items()]
    config = composed("infer", f"task={task}", *taken)
    job = OmegaConf.to_container(config.job, resolve=True, enum_to_str=True)
    assert isinstance(job, dict)
    function = hydra.utils.get_method(job.pop("_target_"))
    bound = inspect.signature(function).bind(**job)
    assert bound.arguments["output"] == "out.mp4"


def test_the_bare_names_are_no_packages():
    assert importlib.util.find_spec("xpress.data_modules") is not None
    sources = [*Path(configuration.__file__).parents[1].rglob("*.py")]
    sources += Path(str(files("xpress.data_modules"))).rglob("*.py")
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert "import data_modules" not in text, path
        assert "from data_modules" not in text, path


SIZED = [e for e in choices("experiment") if e not in ("eye_gan", "eye_landmarks", "lip_landmarks")]


@pytest.mark.parametrize("experiment", SIZED)
def test_crops_are_as_large_as_the_network_wants_them(experiment: str):
    task = [] if _names_its_task(experiment) else ["task=mouth_gan"]
    config = composed("train", *task, f"experiment={experiment}", "model.size=192")
    size = config.data.size if config.task_name == "mouth_gan" else config.data.image_size
    assert size == 192


def test_rendered_faces_are_described_once():
    alone = composed("train", "task=face_autoencoder", "data=synthetic_faces").data
    mixed = composed("train", "task=face_autoencoder", "data=faces_mixed").data
    plain = {**mixed.synthetic, "backgrounds": [], "image_size": alone.image_size}
    assert plain == {**alone, "fits": mixed.fits}
    assert mixed.synthetic.backgrounds == [mixed.train[0]]


def _job_keys(config: DictConfig) -> list[str]:
    return [str(key) for key in config if key != "hydra"]


def _names_its_task(experiment: str) -> bool:
    text = (files("xpress.conf") / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
    return "override /task:" in text
