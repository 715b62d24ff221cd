"""Commands that are stopped, starved or run side by side; prints one JSON line a trial.

    python tests/integration/fault_trials.py CLIP PHOTO FOLDER [--rounds 3 --all] [--log FILE]

Networks are loaded once. Each trial is a process of its own, forked from here, so that it may be
killed at any moment of its work. Before each an older output lies in the place; afterwards there
has to be that one or the new one, and nothing else. What a log holds already is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import cv2
import torch
from fault_commands import ALIKE, SLOW, Command, commands

from xpress.command_line import one_line_errors
from xpress.media.images import IMAGE_SUFFIXES, read_image
from xpress.media.video import VIDEO_SUFFIXES, VideoReader
from xpress.whole_files import sweep

BROKEN = 70
"""Status of a process that ended with a traceback."""
NOBODY = 65534
"""A user who may not write to a read-only folder, as root may."""
SEVERAL = ("demo", "exported", "reanimated.parquet")
"""They write two or three files, each of which is the old or the new one."""
LOOSE = ("live.mp4", "trained")
"""No two runs are alike, so that all of their files have to be readable."""
CONTINUED = ("prepared.parquet",)
"""What was interrupted goes on when it is run again, from what lies beside the output."""


def start(
    command: Command,
    output: Path,
    new: bool = True,
    limit: int | None = None,
    user: int = 0,
    home: bool = True,
) -> int:
    """The number of a new process that runs a command."""
    child = os.fork()
    if child:
        return child
    code: object = BROKEN
    try:
        # what is written into a pipe that nobody reads would block
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        if not home:
            os.environ["HOME"] = "/nonexistent"
        if user and os.getuid() == 0:
            os.setgid(user)
            os.setuid(user)
        with one_line_errors():
            command(output, new)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code if isinstance(code, int) else BROKEN)


def ended(child: int) -> int:
    """The status of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(place: Path) -> dict[str, bytes]:
    """What the files of a folder show or say, by name."""
    files = [file for file in sorted(place.rglob("*")) if file.is_file()]
    return {str(file.relative_to(place)): _shown(file) for file in files}


def _shown(file: Path) -> bytes:
    """Pixels of pictures and videos: containers number their tracks at random."""
    if file.suffix in VIDEO_SUFFIXES:
        return b"".join(frame.tobytes() for frame in VideoReader(file))
    return read_image(file).tobytes() if file.suffix in IMAGE_SUFFIXES else file.read_bytes()


def readable(place: Path) -> bool:
    """Whether each file can be read to its end."""
    for file in place.rglob("*"):
        if file.suffix in VIDEO_SUFFIXES:
            assert list(VideoReader(file))
        elif file.suffix == ".ckpt":
            torch.load(file, weights_only=True)
    return any(place.iterdir())


class Trials:
    """Trials of one command in a folder of its own."""

    def __init__(self, name: str, command: Command, folder: Path, generator: random.Random) -> None:
        self.name, self.command, self.generator = name, command, generator
        self.place = folder / f"{name}.place"
        self.output = self.place / name
        self.place.mkdir()
        self.place.chmod(0o777)
        self.versions = {}
        for new in (True, False):  # the old one stays in the end
            shutil.rmtree(self.output, ignore_errors=True)
            begun = time.perf_counter()
            assert ended(start(command, self.output, new)) == 0, name
            self.duration = time.perf_counter() - begun  # of the second: the first is slower
            self.versions[new] = content(self.place)
            if new:
                self.sizes = [f.stat().st_size for f in self.place.rglob("*") if f.is_file()]
        self.kept = folder / f"{name}.old"
        shutil.copytree(self.place, self.kept)

    def stopped(self, kind: str, number: signal.Signals) -> None:
        """Stop it at a random moment."""
        child = start(self.command, self.output)
        moment = self.generator.uniform(0, self.duration)
        time.sleep(moment)
        os.kill(child, number)
        self.report(kind, ended(child), moment=round(moment / self.duration, 3))

    def starved(self) -> None:
        """Let a disk be full at a random place of its largest file."""
        limit = self.generator.randrange(max(self.sizes) * 9 // 10)
        self.report("full", ended(start(self.command, self.output, limit=limit)))

    def twice(self) -> None:
        """Run both versions at once."""
        children = [start(self.command, self.output, new) for new in (True, False)]
        self.report("pair", max(map(ended, children), key=abs))

    def refused(self) -> None:
        """Run it where it may not write."""
        self.place.chmod(0o555)
        status = ended(start(self.command, self.place / "new" / self.name, user=NOBODY))
        self.place.chmod(0o777)
        self.report("read-only", status)

    def homeless(self) -> None:
        """Run it without a home folder."""
        self.report("homeless", ended(start(self.command, self.output, home=False)))

    def report(self, kind: str, status: int, **more: object) -> None:
        """Print what was found, and put the old output back."""
        if self.name in CONTINUED:
            more["again"] = ended(start(self.command, self.output))
        scratch = Path(tempfile.gettempdir())
        places = [self.place, scratch]
        if kind == "kill":
            for place in [*places, *(path for path in self.place.rglob("*") if path.is_dir())]:
                sweep(place)  # as the next output does
        hidden = (path for path in self.place.rglob(".*") if path.name != ".hydra")
        left = [path.name for path in (*hidden, *scratch.iterdir())]
        now = content(self.place)
        which = [str(new) for new, files in self.versions.items() if files == now]
        told = {"command": self.name, "kind": kind, "status": status, "left": left, "new": which}
        print(json.dumps(told | {"whole": self.is_whole(now, which)} | more), flush=True)
        shutil.rmtree(self.place)
        shutil.copytree(self.kept, self.place)
        self.place.chmod(0o777)

    def is_whole(self, now: dict[str, bytes], which: list[str]) -> bool:
        """Whether the output is the old or the new one, or as good as it."""
        if self.name in LOOSE:
            return readable(self.place)
        if self.name in CONTINUED:
            return which == ["True"]
        if self.name not in SEVERAL:
            return which != []
        known = [{*version.items()} for version in self.versions.values()]
        each = (any(item in version for version in known) for item in now.items())
        return now.keys() == self.versions[True].keys() and all(each)

    def all(self, rounds: int, turn: int) -> None:
        """Three trials a round, and one without a home."""
        others = [self.starved, self.twice, self.refused]
        for number in range(rounds):
            self.stopped("kill", signal.SIGKILL)
            self.stopped("terminate", signal.SIGTERM)
            others[(turn + number) % len(others)]()
        self.homeless()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("clip", "photo", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="the slow commands, too")
    parser.add_argument("--log", type=Path, help="of earlier trials, one JSON line each")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    scratch = options.folder / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    tempfile.tempdir = str(scratch)
    lines = options.log.read_text().splitlines() if options.log and options.log.exists() else []
    before = Counter(json.loads(line)["command"] for line in lines)
    found = commands(options.clip, options.photo, options.all)
    for turn, (name, command) in enumerate(found.items()):
        rounds = 1 if name in SLOW else options.rounds
        if before[name] > 3 * rounds or (name in (*SLOW, *ALIKE) and not options.all):
            continue
        generator = random.Random(f"{options.seed} {name}")
        Trials(name, command, options.folder, generator).all(rounds, turn)


if __name__ == "__main__":
    main()
