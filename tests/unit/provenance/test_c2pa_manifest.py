"""Manifests are verified by c2pa's own reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xpress.errors import InputError
from xpress.media.images import write_image
from xpress.media.video import VideoReader, VideoWriter
from xpress.provenance.c2pa_manifest import read_manifest
from xpress.provenance.inspection import inspect
from xpress.provenance.provenance import Provenance

c2pa = pytest.importorskip("c2pa")

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def store(path: Path, root: Path) -> dict:
    settings = c2pa.Context.from_dict({"trust": {"user_anchors": root.read_text()}})
    with settings, c2pa.Reader(path, context=settings) as reader:
        return json.loads(reader.json())


def actions(manifest: dict) -> list[dict]:
    (found,) = [a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    return found["data"]["actions"]


@pytest.fixture
def signed(signing) -> Provenance:
    return Provenance(certificate=signing.certificate, signing_key=signing.key)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".mp4", ".mov"])
def test_outputs_are_signed(suffix, picture, signed, signing, tmp_path):
    path = tmp_path / f"a{suffix}"
    if suffix in (".mp4", ".mov"):
        with VideoWriter(path, 25, picture.shape[1::-1], label=signed.label()) as writer:
            writer.write(picture)
        assert len(list(VideoReader(path))) == 1
    else:
        write_image(path, picture, signed.label())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    found = store(path, signing.root)
    assert found["validation_state"] == "Trusted"
    (action,) = actions(found["manifests"][found["active_manifest"]])
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", SYNTHETIC)
    assert action["softwareAgent"]["name"] == "xpress"
    report = read_manifest(path)
    assert report is not None
    assert report.state == "Valid"  # unbroken, but nobody has said that the signer is to be trusted
    assert report.problems == ("signingCredential.untrusted",)
    assert "Test signer" in report.signer
    metadata = inspect(path).metadata
    assert metadata["digital_source_type"] == SYNTHETIC


def test_a_changed_pixel_breaks_it(picture, signed, tmp_path):
    path = tmp_path / "a.png"
    write_image(path, picture, signed.label())
    data = bytearray(path.read_bytes())
    data[-30] ^= 1  # of the last compressed pixels
    path.write_bytes(data)
    report = read_manifest(path)
    assert report is not None
    assert report.state == "Invalid"
    assert "assertion.dataHash.mismatch" in report.problems


def test_the_targets_own_manifest_is_carried_along(picture, signed, signing, tmp_path):
    target, output = tmp_path / "target.jpg", tmp_path / "out.png"
    write_image(target, picture, signed.label())
    write_image(output, 255 - picture, signed.label(parent=target))
    found = store(output, signing.root)
    assert found["validation_state"] == "Trusted"
    manifest = found["manifests"][found["active_manifest"]]
    assert [action["action"] for action in actions(manifest)] == ["c2pa.opened", "c2pa.edited"]
    assert actions(manifest)[1]["digitalSourceType"] == SYNTHETIC
    (parent,) = manifest["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert parent["active_manifest"] in found["manifests"]
    assert "thumbnail" not in parent


def test_a_target_whose_name_lies_is_left_out(picture, signed, signing, tmp_path):
    write_image(tmp_path / "a.png", picture)
    target = (tmp_path / "a.png").rename(tmp_path / "target.mp4")
    write_image(tmp_path / "out.png", picture, signed.label(parent=target))
    found = store(tmp_path / "out.png", signing.root)
    assert found["validation_state"] == "Trusted"
    manifest = found["manifests"][found["active_manifest"]]
    assert [action["action"] for action in actions(manifest)] == ["c2pa.created"]


def test_files_without_a_manifest(picture, tmp_path):
    write_image(tmp_path / "a.jpg", picture)
    assert read_manifest(tmp_path / "a.jpg") is None
    (tmp_path / "a.mkv").write_bytes(b"anything")
    assert read_manifest(tmp_path / "a.mkv") is None


def test_mistakes_are_told_before_the_work(signing, tmp_path):
    def check(output: str = "a.mp4", **options) -> None:
        Provenance(**options).check(Path(output))

    both = {"certificate": signing.certificate, "signing_key": signing.key}
    check(**both)
    with pytest.raises(InputError, match=r"both certificate=… and signing_key=…"):
        check(certificate=signing.certificate)
    with pytest.raises(InputError, match=r"a\.mkv: C2PA has no place"):
        check("a.mkv", **both)
    with pytest.raises(InputError, match="mark=false"):
        check(mark=False, **both)
    with pytest.raises(InputError, match=r"nowhere\.pem: cannot be read"):
        check(**both | {"signing_key": tmp_path / "nowhere.pem"})
    with pytest.raises(InputError, match=r"key\.pem: no PEM certificates"):
        check(**both | {"certificate": signing.key})
    with pytest.raises(InputError, match=r"root\.pem: no PEM key"):
        check(**both | {"signing_key": signing.root})
    with pytest.raises(InputError, match=r"key\.pem: is not the key of .*root\.pem"):
        check(**both | {"certificate": signing.root})


@pytest.mark.parametrize("kind", ["P-384", "P-521", "Ed25519", "RSA"])
def test_keys_of_other_kinds(kind, issue, picture, tmp_path):
    files = issue(kind)
    signed = Provenance(certificate=files.certificate, signing_key=files.key)
    write_image(tmp_path / "a.jpg", picture, signed.label())
    assert store(tmp_path / "a.jpg", files.root)["validation_state"] == "Trusted"


def test_certificates_that_c2pa_refuses(issue):
    alone = issue("P-256", self_signed=True)
    with pytest.raises(InputError, match=r"chain\.pem: C2PA refuses this certificate"):
        Provenance(certificate=alone.certificate, signing_key=alone.key).check()
    locked = issue("P-256", passphrase=b"secret")
    with pytest.raises(InputError, match=r"key\.pem: the key is encrypted"):
        Provenance(certificate=locked.certificate, signing_key=locked.key).check()
