"""Packs in several shards and row groups, and a server of files."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ...written_packs import encode, face_points


@pytest.fixture
def write_shards(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of shards; row i has key "row/i" and its number in the red channel."""

    def write(rows: int = 60, shards: int = 3, group: int = 7, name: str = "many") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rng = np.random.default_rng(rows)
        for shard, numbers in enumerate(np.array_split(np.arange(rows), shards)):
            images = [np.full((32, 32, 3), (n % 256, n // 256, 0), np.uint8) for n in numbers]
            table = {
                "image": [encode(image) for image in images],
                "key": [f"row/{n}" for n in numbers],
                "identity": [f"person/{n % 11}" for n in numbers],
                "color": [True] * len(numbers),
                "landmarks68": [face_points(rng, 32).ravel().tolist() for _ in numbers],
                "contours": [rng.uniform(8, 24, 276).tolist() for _ in numbers],
            }
            path = folder / f"part-{shard:03d}.parquet"
            pq.write_table(pa.table(table), path, row_group_size=group)
        return folder

    return write


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, in parts where the server allows that; counts what it sends."""

    ranges = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        self.server.requests.append(self.path)
        if not (self.ranges and asked and path.is_file()):
            if path.is_file():
                self.server.sent += path.stat().st_size
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has hung up
                super().do_GET()
            return
        first, last = (int(number) for number in asked.groups())
        body = path.read_bytes()[first : last + 1]
        self.server.sent += len(body)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, http.server.ThreadingHTTPServer]]]:
    """Serves a folder on 127.0.0.1, with or without parts of files."""
    servers = []

    def start(folder: Path, ranges: bool = True):
        kind = type("Served", (Handler,), {"ranges": ranges})
        handler = functools.partial(kind, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.sent, server.requests = 0, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
