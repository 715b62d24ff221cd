"""The metadata is read back by others: Pillow, FFmpeg and, where it is installed, exiftool."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from xpress.errors import InputError
from xpress.media.images import read_image, write_image
from xpress.media.label import XMP_BOX
from xpress.media.video import VideoReader, VideoWriter
from xpress.provenance.metadata import read_metadata
from xpress.provenance.provenance import Provenance
from xpress.provenance.statement import DRAWN_OVERLAY, software_version
from xpress.provenance.xmp import LONGEST, read_xmp_packet, xmp_packet

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
SOFTWARE = f"xpress {software_version()}"
PICTURES = (".jpg", ".png", ".webp")
VIDEOS = (".mp4", ".mov", ".mkv")


def written(path: Path, picture: np.ndarray, provenance: Provenance | None = None) -> Path:
    label = None if provenance is None else provenance.label()
    if path.suffix in PICTURES:
        write_image(path, picture, label)
        return path
    with VideoWriter(path, 25, picture.shape[1::-1], label=label) as writer:
        for turn in range(4):
            writer.write(np.roll(picture, turn, 1))
    return path


@pytest.mark.parametrize("suffix", [*PICTURES, *VIDEOS])
def test_every_container_says_that_it_is_synthetic(suffix, picture, tmp_path):
    path = written(tmp_path / f"a{suffix}", picture, Provenance())
    assert read_metadata(path) == {"digital_source_type": SYNTHETIC, "software": SOFTWARE}
    plain = written(tmp_path / f"b{suffix}", picture)
    assert read_metadata(plain) == {}


@pytest.mark.parametrize("suffix", [*PICTURES, *VIDEOS])
def test_exiftool_reads_it(suffix, picture, tmp_path):
    exiftool = shutil.which("exiftool")
    if exiftool is None:
        pytest.skip("needs exiftool (Debian: libimage-exiftool-perl)")
    path = written(tmp_path / f"a{suffix}", picture, Provenance())
    done = subprocess.run([exiftool, "-j", "-n", str(path)], capture_output=True, check=True)
    (tags,) = json.loads(done.stdout)
    assert "Warning" not in tags
    read = {name.replace("_", "").lower(): value for name, value in tags.items()}
    assert read["digitalsourcetype"] == SYNTHETIC
    assert SOFTWARE in (read.get("creatortool"), read.get("software"))


@pytest.mark.parametrize("suffix", PICTURES)
def test_pillow_reads_it_and_the_pixels_stay(suffix, picture, tmp_path):
    pytest.importorskip("defusedxml")
    path = written(tmp_path / f"a{suffix}", picture, Provenance())
    with Image.open(path) as image:
        found = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert found["DigitalSourceType"] == SYNTHETIC
    assert found["AISystemUsed"] == "xpress"
    assert "Synthetic" in found["description"]["Alt"]["li"]["text"]
    plain = written(tmp_path / f"b{suffix}", picture)
    np.testing.assert_array_equal(read_image(path), read_image(plain))


@pytest.mark.parametrize("suffix", VIDEOS)
def test_the_streams_stay_as_they_are(suffix, picture, tmp_path):
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0)]

    marked = written(tmp_path / f"a{suffix}", picture, Provenance())
    assert packets(marked) == packets(written(tmp_path / f"b{suffix}", picture))
    assert len(list(VideoReader(marked))) == 4
    with av.open(str(marked)) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
    assert tags["comment"].startswith("Synthetic")


def test_an_overlay_says_what_it_is(picture, tmp_path):
    write_image(tmp_path / "a.png", picture, Provenance().label(DRAWN_OVERLAY))
    found = read_metadata(tmp_path / "a.png")
    assert found["digital_source_type"].endswith("/digitalsourcetype/composite")


def test_a_property_may_be_an_element():
    packet = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"
     xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:RDF><rdf:Description
     xmlns:I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><I:DigitalSourceType> a/b
     </I:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>"""
    assert read_xmp_packet(packet) == {"digital_source_type": "a/b"}


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<",
        b"\0" * 40,
        b"<a xmlns='" + b"b" * LONGEST + b"'/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"\xff\xfe\x00<",
        b"<?xml version='1.0' encoding='nothing'?><a/>",
    ],
)
def test_a_broken_packet_says_nothing(packet):
    assert read_xmp_packet(packet) == {}


def test_cut_and_lying_boxes_do_no_harm(picture, tmp_path):
    path = written(tmp_path / "a.mp4", picture, Provenance())
    data = path.read_bytes()
    place = data.index(XMP_BOX) - 8
    for size in (0, 1, 7, 24, 2**32 - 1):
        path.write_bytes(data[:place] + struct.pack(">I", size) + data[place + 4 :])
        found = read_metadata(path)
        assert found in ({}, {"digital_source_type": SYNTHETIC, "software": SOFTWARE})
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"a\.mp4: not a video"):
        read_metadata(path)
    with pytest.raises(InputError, match=r"b\.mp4.*No such file"):
        read_metadata(tmp_path / "b.mp4")


def test_marks_may_be_left_out(capsys):
    silent = Provenance(mark=False)
    silent.check()
    assert capsys.readouterr().out.count("\n") == 1
    assert silent.label() is None
    Provenance().check()
    assert capsys.readouterr().out == ""
    assert b"compositeWith" in xmp_packet_of(Provenance())


def xmp_packet_of(provenance: Provenance) -> bytes:
    label = provenance.label()
    assert label is not None
    assert label.xmp != xmp_packet(DRAWN_OVERLAY)
    return label.xmp
