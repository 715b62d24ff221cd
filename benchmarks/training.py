"""Images per second of each task's training step, beside the floor that its operations set.

python benchmarks/training.py [--threads 1] [--device cpu] [--seconds 6] [TASK …]

The step is the whole of it: forward, backward, optimisers, logging, under Lightning's trainer and
with the settings of `conf/experiment`; the batch stays the same and lies ready. The floor is the
time that its matrix products and convolutions (counted by `FlopCounterMode`, forward and backward)
would take at the best rate that this machine reached for one of them in the same run. On a CPU the
step is timed both by the clock and in seconds of its processors, which other programs hardly
disturb; on a GPU by the clock alone.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytorch_lightning as pl
import torch
from common import machine, measure
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from torch.utils.flop_counter import FlopCounterMode

from xpress.batches import FaceBatch, MouthBatch

STEPS = {
    "face_autoencoder geometry": ["experiment=face_autoencoder_geometry"],
    "face_autoencoder colour": ["experiment=face_autoencoder_color"],
    "face_autoencoder both": ["experiment=face_autoencoder_joint"],
    "mouth_gan": ["task=mouth_gan"],
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(STEPS), metavar="TASK")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--seconds", type=float, default=6.0, help="a step is timed for")
    options = parser.parse_args()
    chosen = {n: s for n, s in STEPS.items() if any(n.startswith(t) for t in options.tasks)}
    torch.set_num_threads(options.threads)
    print(machine())
    if options.device == "cuda":
        print(torch.cuda.get_device_name())
    device = torch.device(options.device)
    rates = {name: peak(name, device) for name in ("matmul", "convolution")}
    print(", ".join(f"{name}: {rate / 1e9:.1f} GFLOP/s" for name, rate in rates.items()))
    best = max(rates.values())
    columns = "step", "batch", "images/s", "per processor s", "MFLOP an image", "floor", "of floor"
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, overrides in chosen.items():
        print(_row(name, _watch(overrides, device, options.seconds), best), flush=True)


def peak(kind: str, device: torch.device) -> float:
    """FLOP/s of the best of some sizes; per processor second on a CPU with one thread."""
    rates = []
    for size in (256, 512, 1024) if device.type == "cpu" else (4096, 8192):
        if kind == "matmul":
            a, b = (torch.rand(size, size, device=device) for _ in range(2))
            flops, call = 2 * size**3, lambda a=a, b=b: a @ b
        else:
            channels = size // 8
            image = torch.rand(16, channels, 32, 32, device=device)
            image = image.to(memory_format=torch.channels_last)
            weight = torch.rand(channels, channels, 3, 3, device=device)
            flops = 2 * 16 * 32 * 32 * 9 * channels**2
            call = lambda i=image, w=weight: torch.conv2d(i, w, padding=1)  # noqa: E731
        timing = measure(
            lambda call=call: _synchronized(call, device), seconds=0.7, clock=_clock(device)
        )
        rates.append(flops / timing.median)
    return max(rates)


def _clock(device: torch.device):
    return time.process_time if device.type == "cpu" else time.perf_counter


def _synchronized(call, device: torch.device) -> None:
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()


class Watch(pl.Callback):
    """Times training steps, after two to warm up and one whose operations are counted."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.flops = seconds, 0
        self.clock: list[float] = []
        self.processor: list[float] = []
        self.batch = 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        """Start the clocks."""
        del trainer, pl_module
        self.batch = len(batch)
        if batch_idx == 2:
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()
        self._synchronize()
        self._start = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        """Stop them; enough is enough."""
        del pl_module, outputs, batch
        self._synchronize()
        taken = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        if batch_idx == 2:
            self._counter.__exit__(None, None, None)
            self.flops = self._counter.get_total_flops()
        elif batch_idx > 2:
            self.clock.append(taken[0])
            self.processor.append(taken[1])
            enough = sum(self.clock) > 4 * self.seconds or sum(self.processor) > self.seconds
            trainer.should_stop = len(self.clock) >= 3 and enough

    def _synchronize(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()


class Repeated:
    """One batch, again and again."""

    def __init__(self, batch: FaceBatch | MouthBatch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return 500

    def __iter__(self) -> Iterator[FaceBatch | MouthBatch]:
        return iter([self.batch] * len(self))


def _watch(overrides: list[str], device: torch.device, seconds: float) -> Watch:
    with initialize_config_module("xpress.conf", version_base=None):
        config = compose("train", overrides)
    module = instantiate(config.model)
    make = mouths if config.task_name == "mouth_gan" else faces
    watch = Watch(seconds)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        trainer = pl.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=1,
            callbacks=[watch],
            logger=False,
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=config.trainer.get("gradient_clip_val"),
            limit_val_batches=0,
        )
        trainer.fit(module, Repeated(make(module, config.data.batch_size)))
    return watch


def faces(module: pl.LightningModule, count: int) -> FaceBatch:
    """Random pictures with faces in their middle; a fifth counts as rendered."""
    torch.manual_seed(0)
    image = torch.rand(count, 3, module.layout.size, module.layout.size)
    with torch.no_grad():
        parameters = module.eval()(image)
        points = module.landmarks(parameters)
    module.train()
    yes = torch.ones(count, dtype=torch.bool)
    batch = FaceBatch(
        image=image,
        landmarks68=points[:, :68] + torch.randn(count, 68, 2),
        contours=points[:, 68:] + torch.randn(count, 138, 2),
        has_landmarks=yes,
        has_contours=yes,
        color=yes,
        present=yes,
        identity_index=torch.arange(count),
        parameters=parameters,
        has_parameters=yes,
        exact=torch.arange(count) < count // 5,
    )
    return replace(batch, parameters=parameters.map(lambda t: t + 0.01 * torch.randn_like(t)))


def mouths(module: pl.LightningModule, count: int) -> MouthBatch:
    """Random pictures with a hole in their middle."""
    torch.manual_seed(0)
    size = module.hparams["size"]
    hole = torch.zeros(count, 1, size, size)
    low, high = size * 3 // 8, size * 5 // 8
    hole[:, :, low:high, size // 4 : size * 3 // 4] = 1
    box = torch.tensor([size / 4 - 1, low - 1, size * 3 / 4 + 1, high + 1]).expand(count, 4)
    distance = torch.rand(count, 1, size, size) * 10
    image, rows = torch.rand(count, 3, size, size), torch.arange(count)
    teeth, reference = hole.repeat(1, 2, 1, 1), hole.repeat(1, 8, 1, 1)
    return MouthBatch(image, hole, distance, box, teeth, reference, rows)


def _row(name: str, watch: Watch, best: float) -> str:
    def rate(seconds: list[float]) -> str:
        low, middle, high = watch.batch / np.quantile(seconds, [0.9, 0.5, 0.1])
        return f"{middle:.0f} ({low:.0f} to {high:.0f})"

    on_gpu = torch.cuda.is_available()
    middle = float(np.median(watch.clock if on_gpu else watch.processor))
    floor = watch.flops / best
    cells = (
        name,
        str(watch.batch),
        rate(watch.clock),
        "" if on_gpu else rate(watch.processor),
        f"{watch.flops / watch.batch / 1e6:.0f}",
        f"{floor * 1e3:.0f} ms of {middle * 1e3:.0f} ms",
        f"× {middle / floor:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
