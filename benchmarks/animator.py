"""Time of one reenacted frame, stage by stage, on one core.

Usage: python benchmarks/animator.py [--frames 100] [--size 512] [--face 250] [--weights folder]

Every way to fill the mouth is measured in turn, with the head still and moved, frame by frame, so
that they share whatever else the machine does. The target is a synthetic picture of noise under a
mean face: time does not depend on what the picture shows, only on its size and the face's. Medians
are printed, of wall time and of the process's own CPU time, which another process hardly disturbs.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import cv2
import numpy as np
import torch
from common import machine

from xpress.animation.animator import FaceAnimator
from xpress.morphable.model import MorphableModel
from xpress.reenactment.pretrained import load_pretrained
from xpress.structures import FaceParameters
from xpress.transfer.head_motion import HeadMotion

TURNED = HeadMotion(np.array([0.1, 0.15, 0.1]), np.array([0.8, 0.5]), 0.03)
"""How the head is moved where it is."""
MODEL_HEIGHT = 22.0
"""Centimetres from the jaw to the top of the mean face's trusted skin."""


def face_in(size: int, face: int, model: MorphableModel) -> FaceParameters:
    """Parameters of a slightly turned mean face in the middle of a square picture."""
    identity, expression, color = (torch.zeros(1, n) for n in model.sizes)
    return FaceParameters(
        identity=identity,
        expression=expression,
        color=color,
        illumination=torch.zeros(1, 9, 3),
        rotation=torch.tensor([[0.05, 0.2, 0.02]]),
        translation=torch.tensor([[size / 2, size / 2]]),
        scale=torch.tensor([face / MODEL_HEIGHT]),
    )


def talking(frames: int, names: list[str]) -> np.ndarray:
    """(T, 53) expressions in which everything that costs time happens."""
    phase = np.linspace(0, 12 * np.pi, frames)
    motion = np.zeros((frames, len(names)), np.float32)
    waves = {
        "jawOpen": 0.5 + 0.5 * np.sin(phase),
        "mouthSmile_L": 0.5 + 0.5 * np.sin(0.7 * phase),
        "mouthSmile_R": 0.5 + 0.5 * np.sin(0.7 * phase),
        "eyeBlink_L": np.maximum(np.sin(1.3 * phase), 0),
        "eyeBlink_R": np.maximum(np.sin(1.3 * phase), 0),
        "browInnerUp_L": 0.5 + 0.5 * np.sin(0.4 * phase),
    }
    for name, wave in waves.items():
        motion[:, names.index(name)] = wave
    # Extractors never return exact zeros: every blendshape costs its share.
    return np.clip(motion + 0.01, 0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--face", type=int, default=250, help="height of the face in pixels")
    parser.add_argument("--weights", default="default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = MorphableModel.default()
    image = np.random.default_rng(0).integers(0, 256, (arguments.size,) * 2 + (3,), np.uint8)
    parameters = face_in(arguments.size, arguments.face, model)
    motion = talking(arguments.frames, model.expression_names)
    painters = load_pretrained(arguments.weights)
    mouths = {"model": "model", "generator": painters.mouth}
    if mouths["generator"] == "model":
        del mouths["generator"]
    runs = {
        name: (FaceAnimator(model, mouth, painters.eyes), None) for name, mouth in mouths.items()
    }
    for name, mouth in mouths.items():
        # on an animator of its own: a new target would be cut out anew
        runs[f"{name}, head moved"] = FaceAnimator(model, mouth, painters.eyes), TURNED
    for animator, head in runs.values():
        animator.set_target(image, parameters)
        for expression in motion[:5]:
            animator.render(expression, head)  # compiles
    stages: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for expression in motion:
        for name, (animator, head) in runs.items():
            measure(stages, name, animator, image, parameters, expression, head)
    print(f"{machine()}, {arguments.frames} frames")
    print(f"picture {arguments.size}x{arguments.size}, face {arguments.face} px")
    for name in runs:
        print(f"mouth={name}")
        for stage in sorted({s for n, s in stages if n == name}, key=lambda s: (s[0] == " ", s)):
            wall, cpu = np.array(stages[name, stage]).T * 1000
            low, middle, high = np.percentile(wall, (10, 50, 90))
            own = f"   CPU {np.median(cpu):7.2f} ms" if cpu.any() else ""
            print(f"{stage:14s} {middle:7.2f} ms   (10% {low:.2f}, 90% {high:.2f}){own}")


def measure(stages, name: str, animator: FaceAnimator, image, parameters, expression, head) -> None:
    """Add the times of one frame; a photograph is set once, which cuts its head out then."""
    tasks = [("render", lambda: animator.render(expression, head))]
    if head is None:
        tasks.insert(0, ("set_target", lambda: animator.set_target(image, parameters)))
    for stage, run in tasks:
        animator.timings.clear()
        start, own = time.perf_counter(), time.process_time()
        run()
        times = time.perf_counter() - start, time.process_time() - own
        stages[name, stage].append(times)
        if stage == "render":
            for part, seconds in animator.timings.items():
                stages[name, f"  {part}"].append((seconds, 0.0))


if __name__ == "__main__":
    main()
