"""Stages of a stream on threads of their own, with bounded queues and their times."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

_DEPTH = 8
_POLL = 0.1
_END = object()


def prefetch(items: Iterable[Item], depth: int = _DEPTH) -> Generator[Item, None, None]:
    """The same items, made on another thread at most `depth` ahead.

    An exception of the producer is raised where the items are consumed; closing the generator
    stops the producer and waits for it.
    """
    waiting: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        stream = iter(items)
        try:
            for item in stream:
                if not put((item, None)):
                    break
            put((_END, None))
        except BaseException as error:
            put((_END, error))
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=produce, name="xpress-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


class StageTimes:
    """Seconds that each stage has worked, waiting for others not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._start = time.perf_counter()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time inside the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

    def over(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The same items; the time that each takes to come counts for the stage."""
        stream = iter(items)
        while True:
            with self.measure(stage):
                item = next(stream, _END)
            if item is _END:
                return
            yield item  # type: ignore[misc]

    def summary(self, frames: int) -> str:
        """Frames, frames a second, and each stage's milliseconds a frame."""
        elapsed = time.perf_counter() - self._start
        count = max(frames, 1)
        stages = ", ".join(f"{k} {v / count * 1e3:.1f} ms" for k, v in self.seconds.items())
        return (
            f"{frames} frames in {elapsed:.1f} s, {frames / max(elapsed, 1e-9):.1f} frames a "
            f"second ({stages} a frame)"
        )


def progress_bar(total: int | None, shown: bool) -> tqdm:
    """On stderr, as a context manager."""
    # None: shown on a terminal only
    hidden = None if shown else True
    return tqdm(total=total, unit="frame", disable=hidden, file=sys.stderr, leave=False)
