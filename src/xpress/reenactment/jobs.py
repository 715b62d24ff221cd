"""The functions behind `infer.py task=reenact|extract|demo`: files in, files out."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from xpress.errors import InputError
from xpress.media.files import cannot_write, prepare_output
from xpress.media.images import IMAGE_SUFFIXES, read_image, write_image
from xpress.media.sources import CameraSource, FrameSource, ImageSource, VideoSource, open_source
from xpress.media.video import VIDEO_SUFFIXES, VideoReader, VideoWriter
from xpress.morphable.action_units import ACTION_UNIT_NAMES
from xpress.morphable.io.obj import write_obj
from xpress.reenactment.driver import DriverFrame
from xpress.reenactment.faces import FaceSample
from xpress.reenactment.neutral import LOOK_AHEAD
from xpress.reenactment.overlay import Overlay, contact_sheet
from xpress.reenactment.pipeline import StageTimes, prefetch
from xpress.reenactment.reenactor import Options, Reenactor
from xpress.reenactment.targets import RestedFace, Shuttle, Stage, TargetFrames
from xpress.structures import FaceParameters

PathLike = str | os.PathLike


def reenact(
    source: PathLike | int,
    target: PathLike,
    output: PathLike,
    motion: str = "relative",
    strength: float = 1.0,
    regions: Sequence[str] | None = None,
    face: str | int = "largest",
    mouth: str = "model",
    source_neutral: PathLike | None = None,
    smoothing: bool = True,
    overwrite: bool = True,
    progress: bool = True,
    threads: int = 2,
    reenactor: Reenactor | None = None,
) -> None:
    """Move the target's face with the source's expression and write the result.

    The output has the source's frames: their number, rate and times. A target video that is
    shorter is played back and forth; with a photograph as the source the target's own frames
    count. The sound is the source's, with which the lips move, else the target video's. Frames
    in which the source shows no face hold its last expression.

    Args:
        source: video, photograph, recorded parameters, or number of a camera.
        target: photograph or video.
        output: .mp4, .mov or .mkv; a picture if source and target are photographs.
        motion: relative or absolute.
        strength: factor on the expression's change.
        regions: of mouth, eyes, brows; None moves all of the face.
        face: of the target: largest, all, or an index from the left.
        mouth: what fills the opened mouth.
        source_neutral: picture of the source's resting face.
        smoothing: filter videos over time.
        overwrite: replace an output that exists.
        progress: show a progress bar.
        threads: of the picture operations.
        reenactor: loaded weights; the package's by default.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    options = Options(motion, float(strength), regions, face, smoothing)
    output = check_output(output, [source, target, source_neutral], overwrite)
    _use_threads(threads)
    with open_source(source) as driving, open_source(target) as driven:
        stills = driving.frame_count == 1 and isinstance(driven, ImageSource)
        _check_suffix(output, IMAGE_SUFFIXES if stills else VIDEO_SUFFIXES, stills)
        calm = None if source_neutral is None else read_image(source_neutral)
        reenactor = reenactor or Reenactor.from_pretrained(mouth=mouth)
        stage = reenactor.stage(options)
        times = StageTimes()
        if stills:
            assert isinstance(driven, ImageSource)
            driver = next(reenactor.driver(driving, False, calm))
            write_image(output, _photo_stage(reenactor, stage, driven, face).render(driver))
            print(f"{output}: written")
            return
        job = _VideoJob(reenactor, stage, driving, driven, options, times)
        job.write(output, calm, progress)


class _VideoJob:
    """A video output: decoding and extraction, rendering, and encoding on three threads."""

    def __init__(
        self,
        reenactor: Reenactor,
        stage: Stage,
        driving: FrameSource,
        driven: FrameSource,
        options: Options,
        times: StageTimes,
    ) -> None:
        self.reenactor = reenactor
        self.stage = stage
        self.driving = driving
        self.driven = driven
        self.options = options
        self.times = times
        self.missed = 0

    def write(self, output: Path, calm: np.ndarray | None, progress: bool) -> None:
        """Run it and print the summary."""
        leading = self.driven if self.driving.frame_count == 1 else self.driving
        sounding = [s for s in (self.driving, self.driven) if s.has_audio]
        count = 0
        with ExitStack() as stack:
            driver = stack.enter_context(closing(prefetch(self._driver(calm))))
            rendered = stack.enter_context(closing(prefetch(self._render(driver))))
            first = next(rendered)
            size = (first[1].shape[1], first[1].shape[0])
            sound = sounding[0].path if sounding else None
            writer = stack.enter_context(VideoWriter(output, leading.fps, size, sound))
            bar = stack.enter_context(_bar(leading.frame_count, progress))
            for time, frame in _with(first, rendered):
                with self.times.measure("encode"):
                    writer.write(frame, time)
                count += 1
                bar.update()
        missed = f"; the last expression held in {self.missed} frames without a face"
        print(f"{output}: {self.times.summary(count)}{missed if self.missed else ''}")

    def _driver(self, calm: np.ndarray | None) -> Iterator[DriverFrame]:
        frames = None
        if isinstance(self.driving, VideoSource | CameraSource):
            frames = prefetch(self.times.over("decode", self.driving.timed()))
        faces = self.reenactor.driver(self.driving, self.options.smoothing, calm, frames)
        try:
            yield from self.times.over("extract", faces)
        finally:
            if frames is not None:
                frames.close()  # type: ignore[attr-defined]

    def _render(self, driver: Iterator[DriverFrame]) -> Iterator[tuple[Fraction, np.ndarray]]:
        if isinstance(self.driven, ImageSource):
            _photo_stage(self.reenactor, self.stage, self.driven, self.options.face)
            for frame in driver:
                yield self._drawn(frame, frame.time)
            return
        with closing(self._shuttle()) as shuttle:
            if self.driving.frame_count != 1:
                for frame in driver:
                    self._turn_to(shuttle, frame.time)
                    yield self._drawn(frame, frame.time)
                return
            frame = next(driver)
            for time in shuttle.times():
                self._turn_to(shuttle, time)
                yield self._drawn(frame, time)

    def _turn_to(self, shuttle: Shuttle, time: Fraction) -> None:
        with self.times.measure("target"):
            image, faces, changed = shuttle.at(time)
            if changed:
                self.stage.set(image, faces)

    def _drawn(self, driver: DriverFrame, time: Fraction) -> tuple[Fraction, np.ndarray]:
        self.missed += not driver.detected
        with self.times.measure("render"):
            return time, self.stage.render(driver)

    def _shuttle(self) -> Shuttle:
        driven, driving = self.driven, self.driving
        longest = (driving.frame_count or 0) / driving.fps
        shorter = (driven.frame_count or 0) / driven.fps < longest
        return Shuttle(_target_frames(self.reenactor, driven, self.options), keep=shorter)


def _photo_stage(reenactor: Reenactor, stage: Stage, target: ImageSource, face: str | int) -> Stage:
    faces = reenactor.find(target.image, face, target.name)
    stage.set(target.image, [reenactor.rested(found) for found in faces])
    return stage


def _target_frames(reenactor: Reenactor, target: FrameSource, options: Options) -> TargetFrames:
    """The target's frames with its faces and their rest, found in its first seconds."""

    def tracked():
        return reenactor.track_faces(target.timed(), options.face, target.name, options.smoothing)

    seen: list[list[FaceSample]] = []
    with closing(tracked()) as frames:
        for time, _, faces in frames:
            seen += [[] for _ in range(len(faces) - len(seen))]
            for past, face in zip(seen, faces, strict=True):
                if face is not None:
                    past.append(face)
            if time >= LOOK_AHEAD and any(seen):
                break
    if not any(seen):
        raise InputError(f"{target.name}: no face found in any frame; give one that shows a face")
    neutrals = [
        reenactor.resting.of_clip(np.array([face.expression for face in past])) if past else None
        for past in seen
    ]
    for time, image, faces in tracked():
        rested = [
            None if face is None or neutral is None else RestedFace(face, neutral)
            for face, neutral in zip(faces, neutrals, strict=False)
        ]
        yield time, image, rested


def extract(
    target: PathLike,
    output: PathLike,
    face: str | int = "largest",
    smoothing: bool = True,
    overwrite: bool = True,
    progress: bool = True,
    reenactor: Reenactor | None = None,
) -> None:
    """Write `params.npz`, and `mesh.obj` and `overlay.png` of a photo or `overlay.mp4` of a video.

    Args:
        target: photograph or video.
        output: folder, made if missing; with `face=all` each face has a folder in it, numbered
            from the left.
        face: largest, all, or an index from the left.
        smoothing: filter videos over time.
        overwrite: replace files in the folder.
        progress: show a progress bar.
        reenactor: loaded weights; the package's by default.

    Raises:
        InputError: no such file or face, or the folder cannot be written; nothing is written.
    """
    folder = Path(output)
    with open_source(target) as source, _folder_beside(folder, overwrite) as partial:
        if not isinstance(source, ImageSource | VideoSource):
            raise InputError(f"{source.name}: task=extract takes a photo or a video")
        reenactor = reenactor or Reenactor.from_pretrained()
        _use_threads(2)
        times = StageTimes()
        if isinstance(source, ImageSource):
            tracks = [[found] for found in reenactor.find(source.image, face, source.name)]
            overlay = Overlay(reenactor.model)
            write_image(partial / "overlay.png", overlay(source.image, [t[0] for t in tracks]))
        else:
            tracks = _extract_video(reenactor, source, partial, face, smoothing, progress, times)
        for number, track in enumerate(tracks):
            place = partial / f"face{number}" if face == "all" else partial
            place.mkdir(exist_ok=True)
            _write_track(reenactor, place, track, source.fps)
            if isinstance(source, ImageSource):
                _write_mesh(reenactor, place / "mesh.obj", track[0])
    if isinstance(source, VideoSource):
        missed = sum(item is None for track in tracks for item in track)
        without = f"; {missed} frames without a face" if missed else ""
        print(f"{folder}: {times.summary(len(tracks[0]))}{without}")
    else:
        print(f"{folder}: {len(tracks)} face(s)")


def _extract_video(
    reenactor: Reenactor,
    source: VideoSource,
    folder: Path,
    face: str | int,
    smoothing: bool,
    progress: bool,
    times: StageTimes,
) -> list[list[FaceSample | None]]:
    """Write the overlay; returns each face's track, parameters only."""
    overlay = Overlay(reenactor.model)
    tracks: list[list[FaceSample | None]] = []
    sound = source.path if source.has_audio else None
    assert source.size is not None
    with ExitStack() as stack:
        decoded = stack.enter_context(closing(prefetch(times.over("decode", source.timed()))))
        tracked = reenactor.track_faces(decoded, face, source.name, smoothing)
        extracted = stack.enter_context(closing(prefetch(times.over("extract", tracked))))
        writer = stack.enter_context(
            VideoWriter(folder / "overlay.mp4", source.fps, source.size, sound)
        )
        bar = stack.enter_context(_bar(source.frame_count, progress))
        for number, (time, image, faces) in enumerate(extracted):
            tracks += [[None] * number for _ in range(len(faces) - len(tracks))]
            for track, found in zip(tracks, faces, strict=True):
                track.append(found)
            with times.measure("draw"):
                drawn = overlay(image, [found for found in faces if found is not None])
            with times.measure("encode"):
                writer.write(drawn, time)
            bar.update()
    if not any(item is not None for track in tracks for item in track):
        raise InputError(f"{source.name}: no face found in any frame; give one that shows a face")
    return tracks


def _write_track(
    reenactor: Reenactor, folder: Path, track: Sequence[FaceSample | None], fps: Fraction
) -> None:
    """`params.npz`: frames without a face repeat the last one, those before the first its."""
    last = next(item for item in track if item is not None)
    held = []
    for item in track:
        last = last if item is None else item
        held.append(last)
    FaceParameters.cat([face.parameters for face in held]).save(
        folder / "params.npz",
        landmarks68=np.array([face.landmarks68 for face in held], np.float32),
        contours=np.array([face.contours for face in held], np.float32),
        detected=np.array([item is not None for item in track]),
        action_units=reenactor.action_units(np.array([f.expression for f in held])).astype("f4"),
        action_unit_names=np.array(ACTION_UNIT_NAMES),
        fps=np.array([fps.numerator, fps.denominator]),
    )


def _write_mesh(reenactor: Reenactor, path: Path, face: FaceSample) -> None:
    """The face in model space with its albedo."""
    model, p = reenactor.model, face.parameters
    vertices = model.vertices(p.identity, p.expression)[0].numpy()
    write_obj(path, vertices, model.triangles.numpy(), model.colors(p.color)[0].numpy())


def demo(output: PathLike = "demo_output", reenactor: Reenactor | None = None) -> None:
    """Move the photograph in the package with the performance in it.

    Writes `demo.mp4` and `contact_sheet.png` into the folder and prints where they are.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(output)
    video, sheet = folder / "demo.mp4", folder / "contact_sheet.png"
    with as_file(files("xpress") / "assets" / "demo") as assets:
        source, target = assets / "performance.npz", assets / "target.jpg"
        reenact(source, target, video, reenactor=reenactor)
        reader = VideoReader(video)
        every = max((reader.frame_count or 1) // 24, 1)
        frames = [read_image(target), *islice(reader, every // 2, None, every)]
    write_image(sheet, contact_sheet(frames[:24]))
    print(f"video: {video.resolve()}\ncontact sheet: {sheet.resolve()}")


def check_output(output: PathLike, inputs: Sequence[Any], overwrite: bool = True) -> Path:
    """The output as a path, once it is certain that it may be written.

    Raises:
        InputError: it is one of the inputs, exists and may not be replaced, or cannot be written.
    """
    path = Path(output)
    for item in inputs:
        if item is not None and Path(item).exists() and path.resolve() == Path(item).resolve():
            raise InputError(f"{path}: is an input; choose another output")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; give overwrite=true or another output")
    prepare_output(path)
    return path


def _check_suffix(output: Path, allowed: Sequence[str], stills: bool) -> None:
    if output.suffix.lower() not in allowed:
        why = "two photos give a photo" if stills else "this gives a video"
        raise InputError(f"{output}: {why}; name an output that ends in {', '.join(allowed)}")


@contextmanager
def _folder_beside(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside the output whose files move there at the end."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; task=extract writes into a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder}: is not empty; give overwrite=true or another folder")
    prepare_output(folder / "params.npz" if folder.is_dir() else folder)
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise InputError(cannot_write(folder, error)) from error
    try:
        yield partial
        folder.mkdir(exist_ok=True)
        for file in sorted(partial.rglob("*")):
            place = folder / file.relative_to(partial)
            if file.is_dir():
                place.mkdir(exist_ok=True)
            else:
                file.replace(place)
    except OSError as error:
        raise InputError(cannot_write(folder, error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _bar(total: int | None, shown: bool) -> tqdm:
    # None: shown on a terminal only
    hidden = None if shown else True
    return tqdm(total=total, unit="frame", disable=hidden, file=sys.stderr, leave=False)


def _with(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _use_threads(count: int) -> None:
    """The stages run side by side: more threads inside each would only contend."""
    if count < 1:
        raise InputError(f"threads={count}: choose 1 or more")
    torch.set_num_threads(max(count // 2, 1))
    cv2.setNumThreads(max(count // 2, 1))
