"""What `infer.py` writes says that it is synthetic, unless that is turned off."""

import cv2
import numpy as np

from xpress.media.images import read_image
from xpress.provenance.inspection import inspect
from xpress.provenance.provenance import UNMARKED

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def test_pictures_are_marked_and_watermarked_where_they_changed(infer, samples, tmp_path):
    target, path = samples / "portrait_woman.jpg", tmp_path / "out.png"
    task = ("task=edit", f"target={target}", "aus.AU12=0.9", "aus.AU26=0.5", "aus.AU1=0.8")
    done = infer(*task, f"output={path}", "watermark=true")
    assert done.returncode == 0, done.stderr
    found = inspect(path)
    assert found.metadata["digital_source_type"] == SYNTHETIC
    assert found.manifest is None
    assert found.watermark.found
    plain = tmp_path / "plain.png"
    done = infer(*task, f"output={plain}", "mark=false")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == UNMARKED
    assert not inspect(plain).any
    faint = np.abs(read_image(path).astype(int) - read_image(plain))
    changed = (read_image(plain) != read_image(target)).any(-1)
    assert 0 < faint.max() <= 12
    near = cv2.dilate(changed.astype(np.uint8), np.ones((65, 65), np.uint8)) > 0
    assert not faint[~near].any()
    assert (faint.any(-1) & changed).sum() > 0.5 * changed.sum()


def test_videos_are_marked_and_watermarked(infer, short_clip, tmp_path):
    path = tmp_path / "out.mp4"
    task = ("task=edit", f"target={short_clip}", f"output={path}", "aus.AU12=0.9", "aus.AU26=0.5")
    done = infer(*task, "watermark=true", "progress=false")
    assert done.returncode == 0, done.stderr
    found = inspect(path)
    assert found.metadata["digital_source_type"] == SYNTHETIC
    assert found.watermark.found
    assert not inspect(short_clip).any


def test_half_a_signature_is_told_before_the_work(infer, samples, tmp_path):
    target, path = samples / "portrait_woman.jpg", tmp_path / "out.png"
    done = infer(
        "task=edit", f"target={target}", f"output={path}", "aus.AU12=1", "certificate=a.pem"
    )
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: a C2PA manifest needs both certificate=… and signing_key=…"
    )
    assert not any(tmp_path.iterdir())
