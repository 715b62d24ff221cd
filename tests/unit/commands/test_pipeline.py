import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from xpress.commands.pipeline import (
    StageTimes,
    frame_progress,
    ordered_map,
    prefetch,
    threads_limited,
)
from xpress.errors import InputError


def test_order_is_kept_and_producer_runs_elsewhere():
    threads = set()

    def produce():
        for i in range(100):
            threads.add(threading.current_thread())
            yield i

    assert list(prefetch(produce())) == list(range(100))
    assert threading.current_thread() not in threads


def test_only_so_many_are_made_ahead():
    made = []

    def produce():
        for i in range(1000):
            made.append(i)
            yield i

    stream = prefetch(produce(), depth=3)
    next(stream)
    time.sleep(0.1)
    assert len(made) <= 6
    stream.close()


def test_errors_arrive_after_what_was_made_before():
    def produce():
        yield 1
        raise ValueError("broken")

    stream = prefetch(produce())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_closing_early_ends_thread_and_producer():
    closed = threading.Event()

    def produce():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    stream = prefetch(produce())
    next(stream)
    stream.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_stages_run_side_by_side_and_waiting_does_not_count():
    times = StageTimes()

    def slow():
        for i in range(10):
            time.sleep(0.02)
            yield i

    start = time.perf_counter()
    for _ in prefetch(times.over("first", slow())):
        with times.measure("second"):
            time.sleep(0.02)
    elapsed = time.perf_counter() - start
    assert elapsed < 0.36  # one after the other would take 0.4
    assert 0.19 < times.seconds["first"] < 0.36
    assert 0.19 < times.seconds["second"] < 0.36
    assert "first" in times.summary(10)
    assert times.summary(10).startswith("10 frames in ")


def test_production_starts_before_the_first_item_is_asked_for():
    started = threading.Event()

    def produce():
        started.set()
        yield 1

    stream = prefetch(produce())
    assert started.wait(2)
    stream.close()
    assert list(stream) == []


def test_map_keeps_order_and_works_side_by_side():
    def slow(i):
        time.sleep(0.03 if i % 2 else 0.01)
        return i, threading.current_thread()

    start = time.perf_counter()
    results = list(ordered_map(slow, range(20), 2))
    assert time.perf_counter() - start < 0.37  # one after the other would take 0.4
    assert [i for i, _ in results] == list(range(20))
    assert len({thread for _, thread in results}) == 2


def test_map_takes_only_what_is_under_way_and_raises_in_order():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    def fail_at_three(i):
        if i == 3:
            raise ValueError("three")
        return i

    stream = ordered_map(fail_at_three, items(), 2)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= 6
    with pytest.raises(ValueError, match="three"):
        next(stream)
    assert list(stream) == []


def test_freed_memory_goes_back_to_the_system():
    """Pieces of 16 kB between others that stay: the heap could not shrink by itself."""
    status = Path("/proc/self/status")
    if sys.platform != "linux":
        pytest.skip("reads /proc")

    def resident() -> int:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["RssAnon"].split()[0]) >> 10

    with threads_limited(1):
        freed, kept = [], []
        for _ in range(6000):
            freed.append(np.ones(16_000, np.uint8))
            kept.append(np.ones(2_000, np.uint8))
        freed.clear()
        held = resident()
    assert resident() < held - 60
    assert len(kept) == 6000
    with pytest.raises(InputError, match="threads=0"), threads_limited(0):
        pass


def test_progress_can_be_told_instead_of_shown():
    heard = []
    with frame_progress(3, lambda *news: heard.append(news)) as told:
        for frame in "abc":
            told(frame)
    assert heard == [(1, 3, "a"), (2, 3, "b"), (3, 3, "c")]


def test_what_the_listener_raises_ends_the_work():
    class Enough(Exception):
        pass

    def listener(done, total, frame):
        raise Enough

    with pytest.raises(Enough), frame_progress(None, listener) as told:
        told(np.zeros(1))
