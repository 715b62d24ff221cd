"""Many mixed requests to the studio, good and bad, several at a time: it has to stay as it is.

    python tools/studio_soak.py --requests 200 --together 4

Each request opens a page of its own, uploads what is good, broken, mislabelled or too large,
edits, moves, reads and calls off, and closes the page or just goes. Prints the memory of the server
and its two processes, without that of files, after every fifth part. Ends with status 1 if the page
no longer answers, an answer is not what was to be expected, memory grew by more than `--megabytes`
after the first fifth, or temporary files are left. Linux, loopback only.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import httpx2
import numpy as np
from PIL import Image

from xpress.media.images import read_image
from xpress.structures import FaceParameters

DEMO = Path(str(files("xpress") / "assets" / "demo"))
PORTRAIT = "example-portrait"


class Visitor:
    """One page and what is done on it.

    Args:
        address: of the studio.
        given: contents of files by their names.
    """

    def __init__(self, address: str, given: dict[str, bytes]) -> None:
        self._client = httpx2.Client(base_url=address, timeout=300)
        self._given = given
        self._page = f"/api/{self._client.post('/api/open').raise_for_status().json()['token']}"

    def leave(self, politely: bool) -> None:
        """Close the page, or just the connection."""
        if politely:
            self._client.post(f"{self._page}/close")
        self._client.close()

    def bad_file(self, chance: random.Random) -> None:
        """Upload what is none of the three."""
        name = chance.choice(["text.mp4", "broken.jpg", "bomb.npz", "playlist.mp4", "cut.mp4"])
        answer = self._upload(name)
        assert answer.status_code in (413, 422), (name, answer.text)
        assert "error" in answer.json()

    def stranger(self, chance: random.Random) -> None:
        """Ask for what is not one's own."""
        id = chance.choice(["../../etc/passwd", "/etc/passwd", "0" * 24])
        assert self._post("units", file=id).status_code == 404
        assert self._client.get(f"{self._page}/files/{id}").status_code in (404, 405)

    def sliders(self, chance: random.Random) -> None:
        """Edit a photograph of one's own and save it."""
        file = self._upload("photo.jpg").json()["id"]
        for _ in range(10):
            units = {"AU12": chance.random(), "AU45_L": chance.random()}
            assert self._post("preview", file=file, units=units).status_code == 200
        what = chance.choice(["picture", "strip", "mesh"])
        assert self._post("exports", file=file, units=units, what=what).status_code == 200

    def move(self, chance: random.Random) -> None:
        """Move a photograph or a video, or call it off."""
        source = self._upload(chance.choice(["short.npz", "clip.mp4", "photo.jpg"])).json()["id"]
        target = self._upload(chance.choice(["photo.jpg", "clip.mp4"])).json()["id"]
        wanted = {"done"}
        started = self._post("reenactments", source=source, target=target)
        if chance.random() < 0.3:
            self._client.delete(f"{self._page}/jobs/{started.json()['id']}")
            wanted = {"done", "cancelled"}
        assert self._ended(started) in wanted

    def look(self, chance: random.Random) -> None:
        """Look inside a photo or a video."""
        file = self._upload(chance.choice(["photo.jpg", "clip.mp4"])).json()["id"]
        assert self._ended(self._post("looks", file=file)) == "done"

    def faceless(self, chance: random.Random) -> None:
        """A good picture without a face is told when it is to be moved."""
        file = self._upload("noise.png").json()["id"]
        ended = self._ended(self._post("reenactments", source=file, target=PORTRAIT))
        assert ended == "failed"

    def _upload(self, name: str) -> Any:
        content, place = self._given[name], f"{self._page}/files"
        return self._client.post(place, params={"name": name}, content=content)

    def _post(self, path: str, **body: Any) -> Any:
        return self._client.post(f"{self._page}/{path}", json=body)

    def _ended(self, started: Any) -> str:
        """The state at the end, or `cancelled` where the queue had no place."""
        state = started.raise_for_status().json()
        while state["state"] in ("waiting", "working"):
            time.sleep(0.1)
            state = self._client.get(f"{self._page}/jobs/{state['id']}").json()
        return state["state"]


KINDS = ("bad_file", "bad_file", "stranger", "sliders", "move", "look", "faceless")


def contents(folder: Path) -> dict[str, bytes]:
    """Files to be given, by name."""
    portrait = read_image(DEMO / "target.jpg")
    clip = folder / "clip.mp4"
    with av.open(str(clip), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for shift in range(12):
            frame = av.VideoFrame.from_ndarray(np.roll(portrait, shift, 1), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    short = folder / "short.npz"
    FaceParameters.load(DEMO / "performance.npz")[20:32].save(short, fps=np.array([25, 1]))
    noise = io.BytesIO()
    grain = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(grain).save(noise, "PNG")
    photo = (DEMO / "target.jpg").read_bytes()
    bomb = io.BytesIO()
    np.savez_compressed(bomb, expression=np.zeros(70 << 17))
    return {
        "photo.jpg": photo,
        "clip.mp4": clip.read_bytes(),
        "short.npz": short.read_bytes(),
        "noise.png": noise.getvalue(),
        "text.mp4": b"a text\n" * 100,
        "broken.jpg": photo[:2000],
        "bomb.npz": bomb.getvalue(),
        "playlist.mp4": b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n",
        "cut.mp4": clip.read_bytes()[: clip.stat().st_size // 2],
    }


def memory(process: int) -> float:
    """Anonymous megabytes of a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    total = 0.0
    for number in [process, *map(int, children)]:
        for line in Path(f"/proc/{number}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                total += int(line.split()[1]) / 1024
    return total


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--together", type=int, default=4)
    parser.add_argument("--megabytes", type=float, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as temporary:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "xpress.studio", "--no-browser", "--port", str(port)]
        server = subprocess.Popen(command, env=os.environ | {"TMPDIR": temporary})
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address)
            problems = _soak(address, server.pid, contents(Path(folder)), given)
        finally:
            server.terminate()
            server.wait(60)
        left = [str(path) for path in Path(temporary).rglob("*") if "xpress" in str(path)]
        problems += [f"left: {path}" for path in left]
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)


def _wait(address: str) -> None:
    for _ in range(300):
        try:
            httpx2.get(address).raise_for_status()
            return
        except httpx2.TransportError:
            time.sleep(0.2)
    sys.exit("error: the studio did not start")


def _soak(address: str, process: int, files: dict[str, bytes], given: Any) -> list[str]:
    """Do it; gives what went wrong."""
    problems: list[str] = []
    sizes: list[float] = []
    done, lock, began = [0], threading.Lock(), time.monotonic()

    def visit(number: int) -> None:
        chance = random.Random(number)
        kind = KINDS[number % len(KINDS)]
        try:
            visitor = Visitor(address, files)
            getattr(visitor, kind)(chance)
            visitor.leave(politely=chance.random() < 0.9)
        except Exception as error:
            problems.append(f"request {number}, {kind}: {type(error).__name__} {error}")
        with lock:
            done[0] += 1
            if done[0] % max(given.requests // 5, 1) == 0:
                sizes.append(memory(process))
                seconds = time.monotonic() - began
                print(f"{done[0]} requests after {seconds:.0f} s: {sizes[-1]:.0f} MB", flush=True)

    with ThreadPoolExecutor(given.together) as pool:
        list(pool.map(visit, range(given.requests)))
    httpx2.get(address).raise_for_status()
    if sizes[-1] - sizes[0] > given.megabytes:
        problems.append(f"memory grew by {sizes[-1] - sizes[0]:.0f} MB")
    return problems


if __name__ == "__main__":
    main()
