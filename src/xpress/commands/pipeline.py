"""Stages of a stream on threads of their own, with bounded queues and their times."""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from typing import TypeVar

import cv2
import numpy as np
from tqdm import tqdm

from xpress.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

_DEPTH = 4
_POLL = 0.1
_ARENA_MAX = -8  # of glibc's mallopt
_END = object()


class prefetch(Iterator[Item]):
    """The same items, made on another thread from now on, at most `depth` ahead.

    An exception of the producer is raised where the items are consumed. `close` stops the
    producer, closes its iterator if that can be closed, and waits for it.
    """

    def __init__(self, items: Iterable[Item], depth: int = _DEPTH) -> None:
        self._waiting: queue.Queue = queue.Queue(depth)
        self._stopped = threading.Event()
        self._items = items
        self._thread = threading.Thread(target=self._produce, name="xpress-prefetch", daemon=True)
        self._thread.start()

    def __next__(self) -> Item:
        if self._stopped.is_set():
            raise StopIteration
        item, error = self._waiting.get()
        if item is not _END:
            return item
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _put(self, item: object, error: BaseException | None = None) -> bool:
        while not self._stopped.is_set():
            try:
                self._waiting.put((item, error), timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def _produce(self) -> None:
        stream = None
        try:
            stream = iter(self._items)
            for item in stream:
                if not self._put(item):
                    break
            _close(stream)
            self._put(_END)
        except BaseException as error:
            _close(stream)
            self._put(_END, error)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """`map` on several threads, in order; as many items are under way as there are workers."""
    with ThreadPoolExecutor(workers, "xpress-map") as pool:
        pending: deque[Future] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
            _close(items)


def _close(items: object) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()


class StageTimes:
    """Seconds that each stage has worked, waiting for others not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._start = time.perf_counter()
        self._lock = threading.Lock()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time inside the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
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


Progress = bool | Callable[[int, int | None, np.ndarray], object]
"""Whether a bar is shown, or what is told of each frame: how many are done, how many there are as
far as that is known, and its picture. What that raises ends the work, and nothing is written."""


@contextmanager
def frame_progress(
    total: int | None, progress: Progress
) -> Iterator[Callable[[np.ndarray], object]]:
    """Call what this gives with every frame that is done; a bar goes to stderr."""
    if callable(progress):
        numbers = count(1)
        yield lambda frame: progress(next(numbers), total, frame)
        return
    # None: shown on a terminal only
    hidden = None if progress else True
    with tqdm(total=total, unit="frame", disable=hidden, file=sys.stderr, leave=False) as bar:
        yield lambda _: bar.update()


@contextmanager
def threads_limited(count: int) -> Iterator[None]:
    """The stages run side by side: more threads inside each would only contend.

    Heaps of their own, which glibc gives to threads, would each keep what they once held; and what
    the one heap holds and nobody needs goes back to the system at the end.
    """
    if count < 1:
        raise InputError(f"threads={count}: choose 1 or more")
    cv2.setNumThreads(1)
    with suppress(AttributeError, OSError, TypeError):  # another system or C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
    try:
        yield
    finally:
        with suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)
