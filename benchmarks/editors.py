"""Milliseconds of GANimation's and DFT-Net's generators per crop, side by side.

python benchmarks/editors.py [--channels 64] [--blocks 6] [--size 128] [--seconds 4]

Both at full size and batch one, through torch and through ONNX Runtime, with one and two threads.
The two take turns, so that other programs on the machine slow both; the ratio is that of the
medians. The paper states 7.32 ms for DFT-Net and 12.11 ms for GANimation: 0.60.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from common import Timing, machine
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from xpress.export.editor import OUTPUTS, TOLERANCE
from xpress.export.onnx import export_onnx_model
from xpress.models.dft_net.networks import DFTNetGenerator
from xpress.models.ganimation.networks import GANimationGenerator

WARM_UP, LEAST = 3, 9


class Drawn(nn.Module):
    """A generator with what makes the result of its layers, as they run in torch."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
        """The result."""
        return self.generator.edit(image, units).image


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    generators = {
        "ganimation": GANimationGenerator(options.channels, options.blocks),
        "dft_net": DFTNetGenerator(options.channels, options.blocks),
    }
    print(machine())
    print(f"{options.size}x{options.size}, {options.channels} channels, {options.blocks} blocks")
    image = torch.rand(1, 3, options.size, options.size)
    units = torch.rand(1, 17)
    with tempfile.TemporaryDirectory() as folder:
        for name, generator in generators.items():
            generator.eval()
            _start_moving(generator)
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                generator(image, units)
            millions = sum(p.numel() for p in generator.parameters()) / 1e6
            giga = counter.get_total_flops() / 2e9
            print(f"  {name:<11} {millions:.2f} M parameters, {giga:.2f} G multiply-adds")
            shapes = {"image": tuple(image.shape[1:]), "units": (17,)}
            path = Path(folder) / f"{name}.onnx"
            export_onnx_model(generator, path, shapes, OUTPUTS[name], TOLERANCE)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            _compare(f"torch, {threads} thread(s)", _torch(generators, image, units), options)
            calls = _onnx(Path(folder), image, units, threads)
            _compare(f"ONNX Runtime, {threads} thread(s)", calls, options)


def _start_moving(generator: nn.Module) -> None:
    """A new flow is zero, and sampling along it is kinder to the cache than a trained one."""
    if isinstance(generator, DFTNetGenerator):
        nn.init.normal_(generator.flow_head.weight, std=0.02)


Calls = dict[str, Callable[[], object]]


def _torch(generators: dict[str, nn.Module], image: torch.Tensor, units: torch.Tensor) -> Calls:
    def call(network: nn.Module, given: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network(given, units)

    given = image.contiguous(memory_format=torch.channels_last)
    networks = {n: Drawn(g).to(memory_format=torch.channels_last) for n, g in generators.items()}
    return {n: lambda network=network: call(network, given) for n, network in networks.items()}


def _onnx(folder: Path, image: torch.Tensor, units: torch.Tensor, threads: int) -> Calls:
    given: dict[str, np.ndarray] = {"image": image.numpy(), "units": units.numpy()}
    calls: Calls = {}
    for name in OUTPUTS:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers)
        calls[name] = lambda session=session: session.run(None, given)
    return calls


def _compare(title: str, calls: Calls, options: argparse.Namespace) -> None:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(WARM_UP):
        for call in calls.values():
            call()
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times["dft_net"]) < LEAST:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    print(title)
    medians = {}
    for name, values in times.items():
        low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
        medians[name] = statistics.median(values)
        print(f"  {name:<11} {Timing(median, low, high, len(values))}")
    print(f"  DFT-Net / GANimation: {medians['dft_net'] / medians['ganimation']:.2f}")


if __name__ == "__main__":
    main()
