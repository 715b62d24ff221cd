"""Times of every rasteriser side by side, on face-like meshes.

    python benchmarks/rasterizers.py [--threads 1] [--backends numba torch] [--seconds 1]

The mesh is an ellipsoid of a face's proportions that fills the picture as a face fills its crop
(about 40% of the pixels), drawn with both its sides.
"""

from __future__ import annotations

import argparse
import math

import torch
from common import Timing, machine, measure

from xpress.errors import InputError
from xpress.rendering.camera import project
from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.shading import render
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

    def forward():
        with torch.no_grad():
            return render(rasterizer, vertices, corners, colors, (size, size))

    def backward():
        rendering = render(rasterizer, moving, corners, painted, (size, size))
        return torch.autograd.grad(rendering.image.square().mean(), (moving, painted))

    return (
        measure(lambda: rasterizer.visibility(vertices, corners, (size, size)), seconds=seconds),
        measure(forward, seconds=seconds),
        measure(backward, seconds=seconds),
    )


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


if __name__ == "__main__":
    main()
