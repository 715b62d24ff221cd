from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from xpress.media.images import write_image
from xpress.media.video import VideoWriter
from xpress.provenance.__main__ import main
from xpress.provenance.provenance import Provenance


def test_findings_are_told_one_a_line(picture, signing, tmp_path, capsys):
    signed = Provenance(certificate=signing.certificate, signing_key=signing.key)
    path = tmp_path / "a.jpg"
    write_image(path, picture, signed.label())
    assert main(["check", str(path), "--anchors", str(signing.root)]) == 0
    first, metadata, manifest, mark = capsys.readouterr().out.splitlines()
    assert first == f"{path}:"
    assert "compositeWithTrainedAlgorithmicMedia, by xpress" in metadata
    assert "C2PA: trusted, signed by Test signer" in manifest
    assert "invisible mark: none" in mark


def test_nothing_found_is_status_1(picture, tmp_path, capsys):
    with VideoWriter(tmp_path / "a.mkv", 25, picture.shape[1::-1]) as writer:
        writer.write(picture)
    assert main(["check", str(tmp_path / "a.mkv")]) == 1
    out = capsys.readouterr().out
    assert "metadata: none" in out
    assert "C2PA: no manifest" in out


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_medium_is_status_2(content, tmp_path, capsys):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert main(["check", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1


def test_others_marks_are_told_too(tmp_path, capsys):
    """As a camera's or another program's element, not an attribute as ours."""
    packet = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"
     xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:RDF><rdf:Description
     xmlns:I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><I:DigitalSourceType
     >http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</I:DigitalSourceType
     ></rdf:Description></rdf:RDF></x:xmpmeta>"""
    picture = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    picture.save(tmp_path / "a.jpg", xmp=packet)
    assert main(["check", str(tmp_path / "a.jpg")]) == 0
    assert "metadata: trainedAlgorithmicMedia\n" in capsys.readouterr().out
