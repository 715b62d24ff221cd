"""Pictures per second that one worker decodes and varies, from memory and streamed.

python benchmarks/data.py [--packs FOLDER] [--seconds 1]

A worker is one process on one core, so its rates are per second of processor time, which other
programs on the machine hardly disturb; those of a whole loader are per second of the clock.

Reads the packs of a folder where there is one; else makes packs of random blobs in the same sizes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from common import Timing, machine, measure
from xpress.data_modules.augment import Augment
from xpress.data_modules.faces.dataset import FaceDataset, FaceSource
from xpress.data_modules.faces.streams import FaceMaker
from xpress.data_modules.mouths.augmentation import MouthAugment
from xpress.data_modules.mouths.dataset import MouthDataset
from xpress.data_modules.mouths.streams import MouthMaker
from xpress.data_modules.streaming.groups import OpenShards, groups_of
from xpress.data_modules.streaming.stream import BatchMaker, RowStream, StreamLoader

from xpress.packs import read_records
from xpress.packs.pixels import load_pixels
from xpress.packs.records import FaceRecords, decode

PACKS = {144: "faces-train", 192: "video-faces-train", 128: "mouths-train"}
"""Side of the pictures in a pack, and the pack's name."""
BATCH = 64
ROWS = 1024


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, default=1.0, help="a measurement takes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        paths = {side: options.packs / f"{name}.parquet" for side, name in PACKS.items()}
        if not all(path.is_file() for path in paths.values()):
            print(f"{options.packs}: not all packs are there; these are random pictures")
            paths = {side: _random_pack(Path(folder), side) for side in PACKS}
        _print_worker(paths, options.seconds)
        _print_reading(paths[144], Path(folder))
        _print_loaders(paths[144], options.seconds)


def _print_worker(paths: dict[int, Path], seconds: float) -> None:
    print(
        f"\nimages per processor second of one worker, batches of {BATCH}: "
        "median (10th to 90th percentile)"
    )
    columns = (
        "decode alone",
        "crop",
        "crop, memory",
        "vary",
        "vary, memory",
        "stream",
        "stream, vary",
    )
    print("| picture | " + " | ".join(columns) + " |\n|" + "---|" * (1 + len(columns)))
    for side, path in paths.items():
        records = read_records(path)
        records = records.select(np.flatnonzero(records.has_contours)[:ROWS])
        kind = "mouth" if side == 128 else "face"
        timings = [
            measure(call, seconds=seconds, clock=time.process_time)
            for call in _calls(kind, path, records)
        ]
        size = np.mean([len(image) for image in records.images])
        name = f"{kind} {side} px, {size / 1000:.1f} kB"
        print(f"| {name} | " + " | ".join(map(_rate, timings)) + " |", flush=True)


def _calls(kind: str, path: Path, records: FaceRecords) -> Iterator[Callable[[], object]]:
    """One call a column; each makes one batch."""
    turns = itertools.cycle(range(0, len(records) - BATCH + 1, BATCH))

    def rows() -> range:
        start = next(turns)
        return range(start, start + BATCH)

    yield lambda: [decode(records.images[row]) for row in rows()]
    for varied in (False, True):
        for cache in ("encoded", "decoded"):
            source = FaceSource(*load_pixels(records, cache))
            dataset: FaceDataset | MouthDataset
            if kind == "face":
                dataset = FaceDataset([source], 128, Augment() if varied else None)
            else:
                dataset = MouthDataset([source], 96, MouthAugment() if varied else None)
            yield lambda dataset=dataset: dataset.__getitems__(rows())  # type: ignore[misc]
    for varied in (False, True):
        batches = itertools.chain.from_iterable(itertools.repeat(_stream(kind, path, varied)))
        yield lambda batches=batches: next(batches)  # type: ignore[misc]


def _stream(kind: str, path: Path, varied: bool) -> StreamLoader:
    make: BatchMaker
    if kind == "face":
        make = FaceMaker(128, Augment() if varied else None)
    else:
        make = MouthMaker(96, MouthAugment() if varied else None)
    return StreamLoader(RowStream(groups_of([path]), make, BATCH, 2048, True))


def _print_loaders(path: Path, seconds: float) -> None:
    print(f"\nimages/s of a loader that streams and varies {path.name}")
    for workers in sorted({1, 2, os.cpu_count() or 1}):
        stream = RowStream(groups_of([path]), FaceMaker(128, Augment()), BATCH, 2048, True)
        batches = iter(StreamLoader(stream, workers))
        for _ in range(4 * workers):  # what was fetched ahead while the workers started
            next(batches)
        rates = []
        while len(rates) < 3:
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                if next(batches, None) is None:
                    batches = iter(StreamLoader(stream, workers))
                    start, count = time.perf_counter(), 0
                    continue
                count += BATCH
            rates.append(count / (time.perf_counter() - start))
        low, middle, high = np.quantile(rates, [0.1, 0.5, 0.9])
        print(f"{workers} worker(s): {middle:.0f} ({low:.0f} to {high:.0f})", flush=True)


def _print_reading(path: Path, folder: Path, copies: int = 20) -> None:
    """Reading without decoding, of a folder of shards much larger than what is held."""
    shards = folder / "shards"
    shards.mkdir()
    for number in range(copies):
        (shards / f"part-{number:03d}.parquet").symlink_to(path.resolve())
    groups = groups_of([shards])
    stored = sum({group.shard.name: group.shard.size for group in groups}.values())
    rows = sum(group.count for group in groups)
    print(f"\n{rows} rows, {stored / 2**20:.0f} MiB in {copies} shards, in the system's cache")
    files, order = OpenShards(), np.random.default_rng(0).permutation(len(groups))
    columns = "image", "landmarks68", "contours", "key", "identity"
    start, count = time.process_time(), 0
    for number in order[:100]:
        count += files.read(groups[number], columns).num_rows
    rate = count / (time.process_time() - start)
    print(
        f"reading row groups in random order: {rate:.0f} rows, "
        f"{rate * stored / rows / 2**20:.0f} MiB per processor second"
    )
    stream = RowStream(groups, _Count(), BATCH, 8192, True, epoch_size=32768)
    before, most, count, start = _resident(), 0.0, 0, time.process_time()
    for batch in StreamLoader(stream):
        count += batch
        most = max(most, _resident())
    rate = count / (time.process_time() - start)
    print(
        f"through a shuffle buffer of 8192 rows: {rate:.0f} rows per processor second; at most "
        f"{stream.peak_rows} rows held, memory grew by {most - before:.0f} MiB"
    )


class _Count:
    """Counts rows."""

    broken = 0

    def __call__(self, rows, rng) -> int:
        del rng
        return len(rows)


def _resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _rate(timing: Timing) -> str:
    low, middle, high = (BATCH / s for s in (timing.high, timing.median, timing.low))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def _random_pack(folder: Path, side: int) -> Path:
    rng = np.random.default_rng(side)
    images = []
    for _ in range(ROWS):
        blobs = rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8)
        image = cv2.resize(blobs, (side, side), interpolation=cv2.INTER_CUBIC)
        images.append(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 90])[1].tobytes())
    points = rng.uniform(0.3 * side, 0.7 * side, (ROWS, 412)).astype(np.float32)
    table = {
        "image": images,
        "key": [str(i) for i in range(ROWS)],
        "identity": [str(i % 50) for i in range(ROWS)],
        "color": [True] * ROWS,
        "landmarks68": list(points[:, :136]),
        "contours": list(points[:, 136:]),
    }
    path = folder / f"random-{side}.parquet"
    pq.write_table(pa.table(table), path, row_group_size=256)
    return path


if __name__ == "__main__":
    main()
