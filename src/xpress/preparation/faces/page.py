"""A self-contained page of HTML: tables, histograms and grids of faces."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from xpress.packs.records import decode
from xpress.preparation.faces.rows import encoded
from xpress.whole_files import written_beside

WIDTH, HEIGHT = 280, 110
"""Pixels of a histogram."""
SHOWN = 144
"""Pixels of a face in a grid."""
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --ink: #2a6fb0; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.row { display: flex; flex-wrap: wrap; gap: 1.2rem } figure { margin: 0 }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .7rem }
.faces img { width: 100%; border-radius: 4px; display: block }
figcaption { font-size: .75rem; overflow-wrap: anywhere; opacity: .8 }
rect { fill: var(--ink) } text { fill: currentColor; font: 11px system-ui } .bad { color: #b3261e }
details > summary { cursor: pointer }
"""


def write_page(path: Path, title: str, sections: Iterable[str]) -> None:
    """Write sections below a heading."""
    body = "\n".join(sections)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )
    with written_beside(path) as partial:
        partial.write_text(page, encoding="utf-8")


def section(title: str, *parts: str, note: str = "") -> str:
    """A heading with what belongs to it."""
    told = f"<p>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{told}{''.join(parts)}</section>"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers are set to the right."""

    def cell(value: object, tag: str) -> str:
        number = isinstance(value, (int, float))
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        return f"<{tag}{' class=n' if number else ''}>{escape(shown)}</{tag}>"

    lines = ["".join(cell(value, "td") for value in row) for row in rows]
    head = "".join(cell(name, "th") for name in header)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def histogram(title: str, values: Float[np.ndarray, " N"], bins: int = 30) -> str:
    """Bars of how often values occur; the range leaves out the outermost thousandth."""
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    low, high = np.quantile(values, [0.001, 0.999])
    high = high if high > low else low + 1
    counts = np.histogram(values.clip(low, high), bins, (low, high))[0]
    step = WIDTH / bins
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{HEIGHT - h:.1f}" width="{step - 1:.1f}" height="{h:.1f}"/>'
        for n, h in enumerate(counts / max(counts.max(), 1) * HEIGHT)
    )
    ends = (
        f'<text x="0" y="{HEIGHT + 13}">{low:.3g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 13}" text-anchor="end">{high:.3g}</text>'
    )
    size = f'width="{WIDTH}" height="{HEIGHT + 16}" viewBox="0 0 {WIDTH} {HEIGHT + 16}"'
    middle = f"{title}, median {np.median(values):.3g}"
    return (
        f'<figure><svg role="img" aria-label="{escape(middle)}" {size}>{bars}{ends}</svg>'
        f"<figcaption>{escape(middle)}</figcaption></figure>"
    )


def grid(faces: Iterable[tuple[UInt8[np.ndarray, "H W 3"], str]]) -> str:
    """Pictures with a line below each."""
    figures = [
        f'<figure><img alt="" src="{_data(image)}"><figcaption>{escape(line)}</figcaption></figure>'
        for image, line in faces
    ]
    return f'<div class="faces">{"".join(figures)}</div>' if figures else "<p>none</p>"


def marked(
    image: UInt8[np.ndarray, "S S 3"], *points: Float[np.ndarray, "N 2"]
) -> UInt8[np.ndarray, "T T 3"]:
    """A crop at the size of grids with points on it; each set has a colour of its own."""
    zoom = 2 * SHOWN / image.shape[0]
    mode = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    large = cv2.resize(image, (2 * SHOWN, 2 * SHOWN), interpolation=mode)
    for these, color in zip(points, ((80, 255, 120), (255, 80, 80)), strict=False):
        for x, y in ((these + 0.5) * zoom - 0.5) * 16:
            cv2.circle(large, (round(x), round(y)), 24, color, -1, cv2.LINE_AA, 4)
    return large


def picture(content: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """A picture of a pack."""
    return decode(content)


def _data(image: UInt8[np.ndarray, "H W 3"]) -> str:
    return "data:image/webp;base64," + base64.b64encode(encoded(image, 80)).decode()
