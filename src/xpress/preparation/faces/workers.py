"""Parts made by several processes; a file that ends its process is told, and the others go on."""

from __future__ import annotations

import logging
import multiprocessing as mp
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2

from xpress.preparation.faces.files import MediaFile
from xpress.preparation.faces.parts import write_parts, write_told_part
from xpress.preparation.faces.settings import PrepareSettings

log = logging.getLogger(__name__)

CRASHED = "ends the process that reads it; convert it, or leave it out"


def make_parts(
    files: Sequence[MediaFile], settings: PrepareSettings, folder: Path, processes: int
) -> Iterator[MediaFile]:
    """Write the parts of files, each as soon as it is done.

    Args:
        files: whose parts are missing.
        settings: of the pack.
        folder: of the parts.
        processes: that work at the same time; one works in this process.
    """
    if processes < 2 or len(files) < 2:
        for file in files:
            write_parts(file, settings, folder)
            yield file
        return
    remaining, suspects = list(files), 0
    while remaining:
        # after a crash nobody knows whose it was: those that were begun tell it one at a time
        batch = remaining[:1] if suspects else remaining
        done = []
        for file in _pooled(batch, settings, folder, processes):
            done.append(file)
            yield file
        crashed = len(done) < len(batch)
        remaining = [file for file in remaining if file not in done]
        if crashed and suspects:
            write_told_part(batch[0], f"{batch[0].name}: {CRASHED}", folder)
            yield remaining.pop(0)
        begun = 2 * processes + 1  # the pool hands out as many ahead
        suspects = begun if crashed and not suspects else max(suspects - 1, 0) * (not crashed)


def _pooled(
    files: Sequence[MediaFile], settings: PrepareSettings, folder: Path, processes: int
) -> Iterator[MediaFile]:
    """Files whose parts were written before a process was lost, if one was."""
    context = mp.get_context("spawn")  # threads of this process do not survive a fork
    with ProcessPoolExecutor(min(processes, len(files)), context, _start) as pool:
        waiting: dict[Future, MediaFile] = {
            pool.submit(write_parts, file, settings, folder): file for file in files
        }
        try:
            for future in as_completed(waiting):
                future.result()
                yield waiting[future]
        except BrokenProcessPool:
            log.warning("a process was lost; files are read one by one from here on")
        finally:
            pool.shutdown(cancel_futures=True)


def _start() -> None:
    """One thread a process, and an end with the process that began it, however that ends."""
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # torch, which comes with `refine`, heeds it when it loads
    parent = mp.parent_process()
    if parent is not None:

        def watch() -> None:
            multiprocessing.connection.wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
