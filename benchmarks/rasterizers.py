"""Times of every rasteriser side by side, on face-like meshes.

    python benchmarks/rasterizers.py [--threads 1] [--backends numba torch] [--seconds 1]

The mesh is an ellipsoid of a face's proportions that fills the picture as a face fills its crop
(about 40% of the pixels), drawn with both its sides.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import torch
from common import Timing, machine, measure

from xpress.errors import InputError
from xpress.rendering.antialiasing import antialias
from xpress.rendering.camera import project
from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.renderer import render
from xpress.rendering.texturing import Texture, textured
from xpress.rendering.topology import mesh_edges
from xpress.rendering.z_buffer import rasterize_numpy

TRIANGLES = (18_460, 52_220)
SIZES = (128, 256)
BACKENDS = ("numba", "torch", "pytorch3d")


def face(triangles: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Projected vertices (1, V, 3) and about that many triangles."""
    steps = round(math.sqrt(triangles / 2))
    polar, around = torch.meshgrid(
        torch.linspace(0, math.pi, steps + 1),
        torch.linspace(0, 2 * math.pi, steps + 1),
        indexing="ij",
    )
    vertices = torch.stack(
        [0.75 * polar.sin() * around.sin(), polar.cos(), 0.9 * polar.sin() * around.cos()], -1
    ).view(1, -1, 3)
    index = torch.arange(vertices.shape[1]).view(steps + 1, steps + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    corners = torch.stack([torch.stack([a, b, d], -1), torch.stack([a, d, c], -1)], 2).view(-1, 3)
    projected = project(
        vertices,
        torch.tensor([[0.1, 0.2, 0.05]]),
        torch.full((1, 2), (size - 1) / 2),
        torch.tensor([0.41 * size]),
    )
    return projected, corners


def time_backend(
    name: str, triangles: int, size: int, seconds: float
) -> tuple[Timing, Timing, Timing]:
    """Visibility alone, a rendered image, and a rendered image with its gradient."""
    rasterizer = get_rasterizer(name)
    vertices, corners = face(triangles, size)
    colors = torch.rand_like(vertices)
    moving, painted = vertices.clone().requires_grad_(), colors.clone().requires_grad_()

    def drawn(points, shown):
        return render(points, corners, shown, (size, size), antialias=False, rasterizer=rasterizer)

    def forward():
        with torch.no_grad():
            return drawn(vertices, colors)

    def backward():
        image = drawn(moving, painted).image
        return torch.autograd.grad(image.square().mean(), (moving, painted))

    return (
        measure(lambda: rasterizer.visibility(vertices, corners, (size, size)), seconds=seconds),
        measure(forward, seconds=seconds),
        measure(backward, seconds=seconds),
    )


def time_operators(triangles: int, size: int, seconds: float) -> list[tuple[str, Timing, Timing]]:
    """The rasteriser and what comes after it: forward, and forward with its gradient."""
    rasterizer = get_rasterizer("numba")
    vertices, corners = face(triangles, size)
    fragments = rasterizer(vertices, corners, (size, size))
    image = torch.rand(1, size, size, 4)
    picture, uv = torch.rand(1, 3, 512, 512), vertices[0, :, :2] / size
    mesh_edges(corners)  # found once a mesh, so it is no part of a call
    moving, points = vertices.clone().requires_grad_(), uv.clone().requires_grad_()
    pixels, texels = image.clone().requires_grad_(), picture.clone().requires_grad_()

    def rasterize(vertices):
        return rasterizer(vertices, corners, (size, size)).barycentrics

    def blend(vertices, image):
        return antialias(image, fragments, vertices, corners)

    def sample(picture, uv):
        return textured(fragments, Texture(picture, uv, corners))

    operators = {
        "rasterise": (rasterize, (vertices,), (moving,)),
        "antialias": (blend, (vertices, image), (moving, pixels)),
        "texture": (sample, (picture, uv), (texels, points)),
    }
    return [
        (
            name,
            measure(partial(function, *plain), seconds=seconds, clock=time.process_time),
            measure(partial(_gradient, function, leaves), seconds=seconds, clock=time.process_time),
        )
        for name, (function, plain, leaves) in operators.items()
    ]


def _gradient(function: Callable[..., torch.Tensor], leaves: tuple[torch.Tensor, ...]):
    return torch.autograd.grad(function(*leaves).square().sum(), leaves)


def time_frame_loop(triangles: int, size: int, seconds: float) -> Timing:
    """`rasterize_numpy` with reused buffers: visibility, barycentrics and depth."""
    vertices, corners = face(triangles, size)
    arrays = vertices[0].numpy(), corners.int().numpy()
    out = rasterize_numpy(*arrays, size, size)
    return measure(lambda: rasterize_numpy(*arrays, size, size, out=out), seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--seconds", type=float, default=1.0, help="to spend on each figure")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine())
    print("median (10th to 90th percentile) for one image\n")
    print("| triangles | pixels | backend | visibility | forward | forward + backward |")
    print("|---|---|---|---|---|---|")
    for triangles in TRIANGLES:
        for size in SIZES:
            row = f"| {len(face(triangles, size)[1]):,} | {size} × {size} |"
            for name in options.backends:
                try:
                    times = time_backend(name, triangles, size, options.seconds)
                except InputError:
                    print(f"{row} {name} | not installed | | |", flush=True)
                    continue
                print(f"{row} {name} | " + " | ".join(map(str, times)) + " |", flush=True)
            if "numba" in options.backends:
                timing = time_frame_loop(triangles, size, options.seconds)
                print(f"{row} numba, frame loop | | {timing} | |", flush=True)
    print_operators(options.seconds)


def print_operators(seconds: float) -> None:
    """The table of the differentiable operators, each as a multiple of the rasteriser."""
    print("\nmedian (10th to 90th percentile) of processor time for one image\n")
    print("| triangles | pixels | operator | forward | relative | with gradient | relative |")
    print("|---|---|---|---|---|---|---|")
    for triangles in TRIANGLES:
        for size in SIZES:
            row = f"| {len(face(triangles, size)[1]):,} | {size} × {size} |"
            times = time_operators(triangles, size, seconds)
            _, plain, leaves = times[0]
            for name, forward, backward in times:
                once = f"{forward} | {forward.median / plain.median:.1f}"
                both = f"{backward} | {backward.median / leaves.median:.1f}"
                print(f"{row} {name} | {once} | {both} |", flush=True)


if __name__ == "__main__":
    main()
