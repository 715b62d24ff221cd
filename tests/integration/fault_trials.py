"""Commands that are stopped, starved or run side by side; prints one JSON line a trial.

    python tests/integration/fault_trials.py CLIP PHOTO FOLDER --seed 0 --rounds 1 [--all]

Networks are loaded once. Each trial is a process of its own, forked from here, so that it may be
killed at any moment of its work. Before each an older output lies in the place; afterwards there
has to be that one or the new one, and nothing else.
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
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from xpress.checkpoints.files import CheckpointFiles
from xpress.command_line import one_line_errors
from xpress.commands.convert import convert
from xpress.commands.demo import demo
from xpress.commands.edit import edit
from xpress.commands.extract import extract
from xpress.commands.interpolate import interpolate
from xpress.commands.reenact import reenact
from xpress.editing.expression_editor import ExpressionEditor
from xpress.export.weights import write_encoder
from xpress.media.images import IMAGE_SUFFIXES, read_image
from xpress.media.video import VIDEO_SUFFIXES, VideoReader, VideoWriter
from xpress.models.face_autoencoder.module import FaceAutoencoder
from xpress.preparation import annotate, fit_packs, reanimate
from xpress.preparation.faces.prepare import Spread, prepare
from xpress.preparation.faces.settings import PrepareSettings
from xpress.reenactment.reenactor import Reenactor
from xpress.whole_files import sweep

BROKEN = 70
"""Status of a process that ended with a traceback."""
NOBODY = 65534
"""A user who may not write to a read-only folder, as root may."""
Command = Callable[[Path, bool], object]
"""Writes an output; the second argument chooses between the old one and the new one."""


def commands(clip: Path, photo: Path, everything: bool) -> dict[str, Command]:
    """Each command that writes, by the name of its output."""
    reenactor, editor = Reenactor.from_pretrained(), ExpressionEditor.from_pretrained()
    own: dict = {"progress": False, "reenactor": reenactor}
    edits: dict = {"progress": False, "loaded": editor}
    reads: dict = {"progress": False, "reader": reenactor}
    folder = clip.parent / "media"
    folder.mkdir()
    shutil.copy(photo, folder)
    shutil.copy(clip, folder)
    pack = clip.parent / "faces.parquet"

    def prepared(out: Path, every: int) -> str:
        settings = PrepareSettings(every=every)
        return prepare([folder], out, settings, Spread(1), report=False, progress=False)

    other = clip.parent / "other.parquet"
    prepared(pack, 4)
    prepared(other, 3)

    def checkpoint(out: Path, new: bool) -> None:
        CheckpointFiles().save_checkpoint({"state_dict": {"w": torch.full((2**21,), new)}}, out)

    found: dict[str, Command] = {
        "video.mp4": lambda out, new: reenact(clip, clip, out, strength=1 + new, **own),
        "photo.png": lambda out, new: reenact(photo, photo, out, strength=1 + new, **own),
        "edit.mkv": lambda out, new: edit(clip, out, {"AU12": 0.3 + 0.4 * new}, **edits),
        "edit.jpg": lambda out, new: edit(photo, out, {"AU12": 0.3 + 0.4 * new}, **edits),
        "steps.png": lambda out, new: interpolate(photo, photo, out, [0.5] * (1 + new), **edits),
        "read": lambda out, new: extract(clip if new else photo, out, **reads),
        "converted.csv": lambda out, new: convert(clip if new else photo, out, **reads),
        "last.ckpt": checkpoint,
        "labelled.parquet": lambda out, new: annotate.main(
            [str(pack if new else other), "--output", str(out)]
        ),
    }
    if not everything:
        return found
    fits = clip.parent / "fits.safetensors"
    fit_packs.main([str(pack), "--output", str(fits)])
    module = FaceAutoencoder(width=0.25, size=64)

    def export(out: Path, new: bool) -> None:
        with torch.no_grad():
            for weight in module.encoder.parameters():
                weight.fill_(0.01 * (1 + new))
        write_encoder(module, out, {"new": new})

    def reanimated(out: Path, new: bool) -> None:
        beside = ["--output-fits", str(out.with_suffix(".safetensors"))]
        options = ["--count", "2", "--processes", "1", "--seed", str(int(new))]
        given = [str(pack), "--fits", str(fits), "--output", str(out), *beside, *options]
        reanimate.main(given)

    return found | {
        "demo": lambda out, new: demo(out, "model" if new else "none", reenactor=reenactor),
        "fits.safetensors": lambda out, new: fit_packs.main(
            [str(pack), "--output", str(out), "--noise", "0.02" if new else "0.01"]
        ),
        "exported": export,
        "reanimated.parquet": reanimated,
    }


def _shortened(clip: Path) -> Path:
    """Its first frames in half the size."""
    path = clip.with_name("short.mp4")
    with VideoWriter(path, 25, (256, 256)) as writer:
        for frame in islice(VideoReader(clip), 6):
            writer.write(np.ascontiguousarray(frame[::2, ::2]))
    return path


def start(
    command: Command, output: Path, new: bool = True, limit: int | None = None, user: int = 0
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

    def report(self, kind: str, status: int, **more: object) -> None:
        """Print what was found, and put the old output back."""
        places = [self.place, Path(tempfile.gettempdir())]
        if kind == "kill":
            for place in [*places, *(path for path in self.place.rglob("*") if path.is_dir())]:
                sweep(place)  # as the next output does
        left = [path.name for place in places for path in place.rglob(".*")]
        now = content(self.place)
        which = [str(new) for new, files in self.versions.items() if files == now]
        told = {"command": self.name, "kind": kind, "status": status, "left": left, "new": which}
        known = [{*version.items()} for version in self.versions.values()]
        told["each"] = now.keys() == self.versions[True].keys() and all(
            any(item in version for version in known) for item in now.items()
        )
        print(json.dumps(told | more), flush=True)
        shutil.rmtree(self.place)
        shutil.copytree(self.kept, self.place)
        self.place.chmod(0o777)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("clip", "photo", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="the slow commands, too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    generator = random.Random(options.seed)
    scratch = options.folder / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    tempfile.tempdir = str(scratch)
    found = commands(_shortened(options.clip), options.photo, options.all)
    for turn, (name, command) in enumerate(found.items()):
        trials = Trials(name, command, options.folder, generator)
        others = [trials.starved, trials.twice, trials.refused]
        for number in range(options.rounds):
            trials.stopped("kill", signal.SIGKILL)
            trials.stopped("terminate", signal.SIGTERM)
            others[(turn + number) % len(others)]()


if __name__ == "__main__":
    main()
