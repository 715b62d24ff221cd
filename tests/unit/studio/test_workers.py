"""Worker processes: results, errors, cancelling, and what happens when one dies."""

import asyncio
import os
import signal
import time

import pytest

from xpress import InputError
from xpress.studio.limits import Limits
from xpress.studio.workers import Busy, Cancelled, Worker, WorkerDied


@pytest.fixture
def run(tmp_path):
    """Run a coroutine function that is given a worker."""
    root = tmp_path / "root"
    root.mkdir()

    def run(work, **settings):
        async def whole():
            worker = Worker(root, **settings)
            try:
                return await work(worker)
            finally:
                worker.close()

        return asyncio.run(whole())

    return run


def inspection(path):
    return {"path": str(path), "limits": Limits()}


def test_results_and_what_users_can_mend(run, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")

    async def work(worker):
        with pytest.raises(InputError, match=r"text\.mp4"):
            await worker("inspect", inspection(text))
        with pytest.raises(WorkerDied):
            await worker("no_such_thing", {})
        with pytest.raises(InputError):  # and it still works
            await worker("inspect", inspection(text))
        return worker._process.pid

    pid = run(work)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_process_is_replaced(run, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")

    async def work(worker):
        first = worker._process.pid
        call = asyncio.create_task(worker("inspect", inspection(text)))
        await asyncio.sleep(0.2)  # it is starting, so the call waits
        os.kill(first, signal.SIGKILL)
        with pytest.raises(WorkerDied):
            await call
        with pytest.raises(InputError):
            await worker("inspect", inspection(text))
        assert worker._process.pid != first

    run(work)


def test_hanging_cancelled_and_crowding_calls_end(run, tmp_path):
    fifo = tmp_path / "pipe.mp4"
    os.mkfifo(fifo)  # nobody ever writes: whoever opens it hangs

    async def work(worker):
        began = time.monotonic()
        with pytest.raises(WorkerDied):
            await worker("inspect", inspection(fifo), limit=0.5)
        call = asyncio.create_task(worker("inspect", inspection(fifo), ticket="mine"))
        await asyncio.sleep(0.1)
        with pytest.raises(Busy):
            await worker("inspect", inspection(fifo))
        worker.cancel("mine")
        with pytest.raises(Cancelled):
            await call
        assert time.monotonic() - began < 30

    run(work, waiting=1)


def test_temporary_files_stay_when_only_the_connection_ends(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    worker = Worker(root)
    worker._connection.close()
    worker._process.join(60)
    assert not worker._process.is_alive()
    assert root.exists()


def test_temporary_files_go_when_the_server_is_killed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "left.jpg").write_bytes(b"picture")
    child = os.fork()
    if child == 0:
        Worker(root)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    end = time.monotonic() + 60
    while root.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not root.exists()
