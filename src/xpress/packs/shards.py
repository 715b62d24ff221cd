"""Parquet shards: one file, a folder, a pattern or an fsspec URL, opened without being read."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from fsspec.exceptions import FSTimeoutError

from xpress.errors import InputError
from xpress.whole_files import PartialOutput, scratch_folder

log = logging.getLogger(__name__)

RETRY_AFTER = 1.0, 4.0
"""Seconds before a remote read that failed is tried again."""

SKELETON = "image", "landmarks68"
"""Columns every pack has."""

_INSTALL = "pip install 'xpress[remote]' reads s3:// and gs://"
_Result = TypeVar("_Result")
_copies: PartialOutput | None = None
_lock = threading.Lock()


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a pack.

    Attributes:
        name: path or URL, as users know it.
        location: where it is read from: `name`, or a local copy.
        rows: of each row group.
        size: bytes of its row groups as stored.
    """

    name: str
    location: str
    rows: tuple[int, ...]
    size: int


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path is a URL for fsspec."""
    return "://" in str(path)


def is_pattern(path: str | os.PathLike) -> bool:
    """Whether a path names several files by `*` or `[…]`; `?` begins the query of a URL."""
    return any(mark in str(path) for mark in ("*", "["))


def source_name(path: str | os.PathLike) -> str:
    """Short name of a pack: the stem of a file or folder, the folder of a pattern."""
    parts = PurePosixPath(str(path).split("?")[0]).parts
    plain = [part for part in parts if not is_pattern(part)]
    return PurePosixPath(plain[-1]).stem if plain else str(path)


def shard_names(path: str | os.PathLike) -> list[str]:
    """Paths or URLs of all shards, sorted.

    Args:
        path: a `.parquet` file, a folder of them (searched recursively), a pattern with `*`, or
            such a thing behind an fsspec URL (`https://`, `s3://`, `memory://` and others).

    Raises:
        InputError: there is no such file, or the URL's file system is not installed.
    """
    text = str(path)
    if not is_remote(text) and not is_pattern(text) and not Path(text).exists():
        raise InputError(f"{text}: no such file or folder; check the path")
    try:
        fs, root = url_to_fs(text)
        if is_pattern(text):
            found = [str(name) for name in fs.glob(root)]
        elif root.split("?")[0].endswith(".parquet"):
            return [text]
        else:
            found = list(fs.find(root))
    except (ImportError, ValueError) as error:
        raise InputError(f"{text}: {error} ({_INSTALL})") from error
    except Exception as error:  # file systems raise what their client libraries do
        raise InputError(f"{text}: cannot be listed ({_reason(error)})") from error
    visible = (name for name in found if not name.rpartition("/")[2].startswith("."))
    shards = sorted(name for name in visible if name.split("?")[0].endswith(".parquet"))
    if not shards:
        raise InputError(f"{text}: no .parquet file there; check the path")
    return [fs.unstrip_protocol(name) for name in shards] if is_remote(text) else shards


def scan_shards(path: str | os.PathLike) -> list[Shard]:
    """Read the footers of all shards of a pack.

    Raises:
        InputError: none, one that is not Parquet, or one without the needed columns.
    """
    names = shard_names(path)
    with ThreadPoolExecutor(8 if is_remote(path) else 1) as pool:  # each waits for its server
        return list(pool.map(_scan, names))


def _scan(name: str) -> Shard:
    location = name
    try:
        file = open_shard(name)
    except _NoRanges:
        location = _local_copy(name)
        file = open_shard(location, name)
    with file:
        metadata = file.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        size = sum(g.column(c).total_compressed_size for g in groups for c in range(g.num_columns))
        return Shard(name, location, tuple(g.num_rows for g in groups), size)


def open_shard(location: str, name: str | None = None) -> pq.ParquetFile:
    """Open a shard; only its footer is read.

    Args:
        location: path or URL.
        name: what messages call it.

    Raises:
        InputError: missing, not Parquet, or without the needed columns.
    """
    name = name or location
    file = attempt(lambda: _open(location), name)
    missing = [column for column in SKELETON if column not in file.schema_arrow.names]
    if missing:
        raise InputError(
            f"{name}: has no column {' and '.join(map(repr, missing))}; "
            f"a pack needs {' and '.join(SKELETON)}"
        )
    return file


def read_group(
    file: pq.ParquetFile, group: int, columns: tuple[str, ...], name: str, crop: str = ""
) -> pa.Table:
    """Read some columns of one row group; those that the shard lacks are left out.

    Args:
        file: the shard.
        group: number of the row group.
        columns: to read.
        name: what messages call the shard.
        crop: a column of crops of the pictures with columns of their own, which take the place of
            the row's; rows without such a crop have nulls there. Shards without it are read as
            they are.

    Raises:
        InputError: the shard is damaged or cannot be reached any more.
    """
    schema = file.schema_arrow
    own = []
    if crop in schema.names and pa.types.is_struct(schema.field(crop).type):
        fields = schema.field(crop).type
        own = [column for column in columns if fields.get_field_index(column) >= 0]
    present = [column for column in columns if column in schema.names and column not in own]
    wanted = [*present, *(f"{crop}.{column}" for column in own)]
    table = attempt(lambda: file.read_row_group(group, wanted, use_threads=False), name)
    if not own:
        return table
    lifted = table.select([crop]).flatten()
    for column in own:
        table = table.append_column(column, lifted[f"{crop}.{column}"])
    return table.drop_columns([crop])


def attempt(read: Callable[[], _Result], name: str) -> _Result:
    """Call `read`; a remote one is tried again where the network failed.

    Raises:
        InputError: names the shard.
    """
    waits = list(RETRY_AFTER) if is_remote(name) else []
    while True:
        try:
            return read()
        except pa.ArrowException as error:
            raise InputError(f"{name}: not a readable Parquet file; make the pack anew") from error
        except ValueError as error:
            if "range requests" in str(error):
                raise _NoRanges(name) from error
            raise InputError(f"{name}: cannot be read ({_reason(error)})") from error
        except ImportError as error:
            raise InputError(f"{name}: {error} ({_INSTALL})") from error
        except Exception as error:  # of the file system's client library
            if _absent(error):
                raise InputError(f"{name}: no such file; check the path") from error
            if not waits:
                raise InputError(f"{name}: cannot be read ({_reason(error)})") from error
            log.warning("%s: read again after %s", name, _reason(error))
            time.sleep(waits.pop(0))


class _NoRanges(Exception):
    """The server sends whole files only."""


def _open(location: str) -> pq.ParquetFile:
    if not is_remote(location):
        return pq.ParquetFile(location)
    # Without a cache and with coalesced reads, a row group costs one or two requests.
    file = fsspec.open(location, "rb", cache_type="none").open()
    try:
        return pq.ParquetFile(file, pre_buffer=True)
    except BaseException:
        file.close()
        raise


def _local_copy(url: str) -> str:
    """Fetch a whole shard into a folder that vanishes with this process."""
    global _copies
    with _lock:
        if _copies is None:
            _copies = scratch_folder()
            atexit.register(_copies.discard)
    path = _copies.path / f"{hashlib.sha1(url.encode()).hexdigest()}.parquet"
    log.warning("%s: the server cannot send parts of files, so the whole is kept in %s", url, path)

    def fetch() -> None:
        fs, remote = url_to_fs(url)
        fs.get_file(remote, str(path))

    attempt(fetch, url)
    return str(path)


def _absent(error: BaseException) -> bool:
    """Whether the file system says so itself; over HTTP it says it of lost connections too."""
    cause = error.__cause__
    return isinstance(error, FileNotFoundError) and (cause is None or "404" in str(cause))


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, FSTimeoutError):
        return "no answer in time"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
