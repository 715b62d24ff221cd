"""CPU backend on `z_buffer`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from xpress.rendering.rasterizers.base import Rasterizer
from xpress.rendering.z_buffer import draw_batch


class NumbaRasterizer(Rasterizer):
    """Z-buffer on the CPU; the batch is shared between as many threads as torch may use.

    Plain threads, not numba's: OpenMP's do not survive the fork of a data loader's workers.
    Vertices on another device are copied over and the visibility is copied back.
    """

    def visibility(
        self,
        vertices: Float[Tensor, "B V 3"],
        triangles: Int[Tensor, "F 3"],
        size: tuple[int, int],
    ) -> Int[Tensor, "B H W"]:
        """Draw on the CPU, whatever the device."""
        points = vertices.detach().cpu().contiguous().numpy()
        corners = triangles.cpu().to(torch.int32).contiguous().numpy()
        batch = len(points)
        face_index = np.empty((batch, *size), np.int32)
        depth = np.empty((batch, *size), points.dtype)
        threads = min(torch.get_num_threads(), batch)

        def draw(part: int) -> bool:
            rows = slice(part * batch // threads, (part + 1) * batch // threads)
            cull = self.cull_backfaces
            return draw_batch(points[rows], corners, cull, face_index[rows], depth[rows])

        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                drawn = all(list(pool.map(draw, range(threads))))
        else:
            drawn = batch == 0 or draw(0)
        if not drawn:
            raise IndexError(f"triangles name vertices outside 0..{points.shape[1] - 1}")
        return torch.from_numpy(face_index).to(vertices.device, torch.int64)
