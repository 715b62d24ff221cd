"""Sweeps as a group runs them: grids, Optuna with pruning, joblib, submitit, SLURM's files, Ray."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml

from xpress.sweeps import TRIAL_OPTION, Journal

BORING = "pytorch_lightning.demos.boring_classes"
TASK = f"""# @package _global_
task_name: valley
data:
  _target_: {BORING}.BoringDataModule
model:
  _target_: valley.Valley
  x: 0.0
"""
JOB = [
    "--config-dir=.",
    "task=valley",
    "trainer=debug",
    "trainer.detect_anomaly=false",
    "trainer.max_epochs=3",
    "+trainer.enable_progress_bar=false",
    "+trainer.enable_model_summary=false",
    "callbacks=none",
    "logger=none",
    "hydra.sweep.dir=sweep",
]
# Ray's own limits of 30 and 60 seconds for its start are too short on a machine that is busy.
PATIENT_RAY = {"RAY_agent_register_timeout_ms": "240000", "RAY_raylet_start_wait_time_s": "240"}
# A network whose validation loss is (x - 2)² and falls a little from epoch to epoch.
VALLEY = f"""
from {BORING} import BoringModel

class Valley(BoringModel):
    def __init__(self, x: float = 0.0) -> None:
        super().__init__()
        self.x = x

    def validation_step(self, batch, batch_index):
        self.log("val/loss", (self.x - 2) ** 2 + 0.1 / (1 + self.current_epoch))
"""


@pytest.fixture
def sweep(repository: Path, tmp_path: Path):
    """Call `python train.py -m` on the valley in an empty folder."""
    (tmp_path / "valley.py").write_text(VALLEY)
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "valley.yaml").write_text(TASK)
    environment = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(tmp_path)}

    def run(*arguments: str, **more: str) -> str:
        result = subprocess.run(
            [sys.executable, str(repository / "train.py"), "-m", *JOB, *arguments],
            capture_output=True,
            text=True,
            timeout=400,
            cwd=tmp_path,
            env=os.environ | environment | more,
        )
        assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
        return result.stdout + result.stderr

    return run


def seeds_run(folder: Path) -> dict[str, int]:
    """The seed of every run of a sweep, by the run's folder."""
    configs = sorted(folder.glob("*/.hydra/config.yaml"))
    return {path.parts[-3]: yaml.safe_load(path.read_text())["seed"] for path in configs}


def test_a_grid_runs_every_choice(sweep, tmp_path: Path):
    sweep("seed=3,4", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert seeds_run(tmp_path / "sweep") == {"0": 3, "1": 4}


@pytest.mark.slow
def test_optuna_searches_in_parallel_and_prunes(sweep, tmp_path: Path):
    search = [
        "hparams_search=optuna",
        "hydra/launcher=joblib",
        "hydra.sweeper.n_jobs=2",
        "callbacks.pruning.pruner.n_startup_trials=2",
        "callbacks.pruning.pruner.n_warmup_steps=0",
        "hydra.sweeper.study_name=valley",
        "model.x=interval(-10.0,10.0)",
    ]
    sweep(*search, "hydra.sweeper.n_trials=8")
    study = optuna.load_study(
        study_name="valley", storage=Journal(tmp_path / "sweep/study.journal")
    )
    trials = study.trials
    assert len(trials) == 8
    for trial in trials:  # the trial that a job reports to is the one it was given
        x, number = trial.params["model.x"], trial.params[TRIAL_OPTION]
        assert number == trial.number
        assert trial.intermediate_values[0] == pytest.approx((x - 2) ** 2 + 0.1, rel=1e-4)
    states = {
        state: [t for t in trials if t.state.name == state] for state in ("PRUNED", "COMPLETE")
    }
    assert len(states["PRUNED"]) + len(states["COMPLETE"]) == 8
    assert states["PRUNED"]
    assert all(len(trial.intermediate_values) < 3 for trial in states["PRUNED"])
    assert all(len(trial.intermediate_values) == 3 for trial in states["COMPLETE"])
    best = yaml.safe_load((tmp_path / "sweep" / "optimization_results.yaml").read_text())
    assert best["best_value"] == pytest.approx(min(t.value for t in states["COMPLETE"]))
    assert best["best_params"]["model.x"] == pytest.approx(study.best_params["model.x"])

    sweep(*search, "hydra.sweeper.n_trials=1")  # the same study goes on
    last = study.trials[-1]
    assert (last.number, last.params[TRIAL_OPTION]) == (8, 8)
    assert last.intermediate_values


@pytest.mark.slow
def test_submitit_runs_jobs_in_processes_of_their_own(sweep, tmp_path: Path):
    sweep("hydra/launcher=submitit_local", "seed=5")
    assert seeds_run(tmp_path / "sweep") == {"0": 5}
    assert list((tmp_path / "sweep" / ".submitit").rglob("*_result.pkl"))


SBATCH = r"""#!/bin/sh
# Takes a job array, says so, and runs its tasks at once.
for file; do :; done
cp "$file" "$SLURM_TEST/submitted.sh"
for task in 0 1; do
  ( SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_JOB_NUM_NODES=1 \
    SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 SLURM_NNODES=1 \
    SLURM_JOB_NODELIST=localhost sh "$SLURM_TEST/submitted.sh"
    touch "$SLURM_TEST/$task.done" ) >"$SLURM_TEST/$task.log" 2>&1 &
done
echo "Submitted batch job 7"
"""
SRUN = r"""#!/bin/sh
# Runs the command behind its own options here.
while [ "${1#-}" != "$1" ]; do [ "$1" = --output ] && shift; shift; done
exec "$@"
"""
SACCT = r"""#!/bin/sh
echo "JobID|State|NodeList"
for task in 0 1; do
  [ -e "$SLURM_TEST/$task.done" ] && state=COMPLETED || state=RUNNING
  echo "7_$task|$state|localhost"
done
"""


@pytest.mark.slow
def test_slurm_is_asked_for_what_the_configuration_says(sweep, tmp_path: Path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    options = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=long", "seed=1,2"]
    sweep(*options, "hydra.launcher.gpus_per_node=2", PATH=path, SLURM_TEST=str(tmp_path))
    asked = dict(re.findall(r"#SBATCH --([\w-]+)=(\S+)", (tmp_path / "submitted.sh").read_text()))
    wanted = {"partition": "long", "gpus-per-node": "2", "mem": "64GB", "time": "1440"}
    assert wanted.items() <= asked.items()
    assert asked["array"].startswith("0-1")
    assert seeds_run(tmp_path / "sweep") == {"0": 1, "1": 2}


@pytest.mark.slow
def test_ray_runs_a_job(sweep, tmp_path: Path):
    pytest.importorskip("ray", reason="needs Ray: pip install 'xpress[sweeps]'")
    options = ["hydra/launcher=ray", "seed=6", "+hydra.launcher.ray.init.num_cpus=1"]
    printed = sweep(*options, **PATIENT_RAY)
    assert "Ray Launcher is launching 1 jobs" in printed
    assert seeds_run(tmp_path / "sweep") == {"0": 6}
