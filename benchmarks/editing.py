"""Milliseconds of one edited frame by editor: a smile on the photograph in the package.

python benchmarks/editing.py [folder of weights]

Reading the face is not counted, it is the same for all. A new face is one that was not drawn
before, as every frame of a video is; the same face is a slider moved before a photograph.
"""

from __future__ import annotations

import sys
import time
from importlib.resources import files

import cv2
import torch
from common import machine, measure

from xpress.editing.expression_editor import CHOICES, ExpressionEditor
from xpress.errors import InputError
from xpress.media.images import read_image


def main() -> None:
    """Time every editor that has weights."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(machine())
    image = read_image(str(files("xpress") / "assets" / "demo" / "target.jpg"))
    print(f"a picture of {image.shape[1]}x{image.shape[0]}, one thread")
    for choice in CHOICES:
        try:
            loaded = ExpressionEditor.from_pretrained(choice, *sys.argv[1:2])
        except InputError as error:
            print(f"{choice:10}  {error}")
            continue
        editor, face = loaded.editors(), loaded.reenactor.find(image)[0]
        same = measure(lambda e=editor, f=face: _edit(e, image, f), clock=time.process_time)
        fresh = measure(
            lambda e=editor, f=face: _edit(e, image, f.replace()), clock=time.process_time
        )
        print(f"{choice:10}  a new face {fresh}, the same face {same}")


def _edit(editor, image, face) -> None:
    editor.edit(image, face, {"AU12": 0.4, "AU25": 0.8, "AU45": 0.5})


if __name__ == "__main__":
    main()
