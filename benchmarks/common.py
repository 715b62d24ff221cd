"""What every benchmark does alike: warm up, repeat, name the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of the repeats and their 10th and 90th percentiles."""

    median: float
    low: float
    high: float
    repeats: int

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)} to {_short(self.high)})"


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.2f} ms"


def measure(
    function: Callable[[], object],
    *,
    seconds: float = 1.0,
    warm_up: int = 2,
    most: int = 200,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time `function` for about `seconds`, at least three times, after warming up.

    A function that alone takes longer than `seconds` is warmed up once and timed once. With
    `clock=time.process_time` other programs on the machine hardly matter.
    """
    start = clock()
    function()
    slow = clock() - start > seconds
    for _ in range(0 if slow else warm_up - 1):
        function()
    times: list[float] = []
    while len(times) < (1 if slow else 3) or (sum(times) < seconds and len(times) < most):
        start = clock()
        function()
        times.append(clock() - start)
        if slow:
            break
    times.sort()
    last = len(times) - 1
    return Timing(
        statistics.median(times), times[round(0.1 * last)], times[round(0.9 * last)], len(times)
    )


def machine() -> str:
    """One line: processor, cores, threads that torch uses, versions, load of other programs."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch thread(s), "
        f"torch {torch.__version__}, Python {platform.python_version()}, load before {load}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
