"""C2PA manifests ("content credentials"): signing an output and reading what a file carries.

The work is c2pa-python's, in the extra `provenance`. A manifest binds a signed statement to the
file's bytes: whoever changes a pixel breaks it, and whoever removes it leaves no trace, which is
what the invisible mark is for.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from PIL import Image

from xpress.errors import InputError
from xpress.provenance.statement import SOFTWARE, Statement, software_version

_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
SUFFIXES = tuple(_TYPES)
"""Files that C2PA defines a place in; Matroska is none of them."""


@dataclass(frozen=True)
class ManifestReport:
    """What a file's active manifest says.

    Attributes:
        state: `Trusted`, `Valid` (unbroken, signed by someone unknown) or `Invalid`.
        signer: common name and organisation in the certificate.
        digital_source_types: of its actions.
        problems: codes of the validation's failures.
    """

    state: str
    signer: str
    digital_source_types: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Credentials:
    """A user's certificate chain and key.

    Attributes:
        chain: PEM, the signer's certificate first.
        key: PEM, not encrypted.
        algorithm: of COSE, by the kind of key.
    """

    chain: bytes
    key: bytes
    algorithm: str

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Credentials:
        """Read both files and make sure that C2PA accepts a signature by them.

        Raises:
            InputError: a file is missing or no such PEM, they do not belong together, the
                certificate is of a kind that C2PA refuses, or the extra is not installed.
        """
        _library()
        chain, secret = _read(certificate), _read(key)
        found = cls(chain, secret, _algorithm(certificate, key, chain, secret))
        found._try(certificate)
        return found

    def sign(self, path: Path, statement: Statement, parent: Path | None = None) -> None:
        """Put a signed manifest into a complete file, in place.

        Args:
            path: the file.
            statement: what it is.
            parent: the medium it was made from, whose own manifest, if any, is carried along;
                left out where C2PA does not know its kind.

        Raises:
            InputError: the file cannot be signed.
        """
        kind, c2pa = _TYPES[path.suffix.lower()], _library()
        # the file keeps its inode, by which its writer holds it, and the copy never has a name
        with tempfile.TemporaryFile(dir=path.parent) as signed:
            try:
                with path.open("rb") as plain:
                    self._sign(statement, kind, plain, signed, parent)
            except c2pa.C2paError as error:
                if parent is None:
                    raise InputError(f"C2PA cannot sign the output ({_one_line(error)})") from error
                # a parent that C2PA cannot read, such as a PNG named .jpg, is left out
                return self.sign(path, statement)
            signed.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(signed, file)

    def _sign(self, statement, mime, plain, signed, parent: Path | None = None) -> None:
        c2pa = _library()
        agent = {"name": SOFTWARE, "version": software_version()}
        made = {
            "digitalSourceType": statement.digital_source_type,
            "softwareAgent": agent,
            "description": statement.description,
        }
        origin = None if parent is None else _TYPES.get(parent.suffix.lower())
        action = "c2pa.created" if origin is None else statement.action
        actions = {"label": "c2pa.actions.v2", "data": {"actions": [{"action": action, **made}]}}
        settings = c2pa.Context.from_dict(
            {
                "builder": {"thumbnail": {"enabled": False}},
                "verify": {"remote_manifest_fetch": False},
            }
        )
        info = c2pa.C2paSignerInfo(self.algorithm.encode(), self.chain, self.key, None)
        manifest = {"claim_generator_info": [agent], "assertions": [actions]}
        with (
            settings,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(manifest, settings) as builder,
        ):
            if parent is not None and origin is not None:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                with parent.open("rb") as file:
                    ingredient = {"relationship": "parentOf", "title": "target"}
                    builder.add_ingredient(ingredient, origin, file)
            builder.sign(signer, mime, plain, signed)

    def _try(self, certificate: Path) -> None:
        """Sign a small picture: the certificate's faults are told before the work, not after."""
        c2pa = _library()
        picture = io.BytesIO()
        Image.new("RGB", (16, 16)).save(picture, "PNG")
        picture.seek(0)
        try:
            with tempfile.TemporaryFile() as signed:
                self._sign(Statement("", "", ""), "image/png", picture, signed)
        except c2pa.C2paError as error:
            raise InputError(
                f"{certificate}: C2PA refuses this certificate ({_one_line(error)}); "
                "give a chain whose first certificate is issued for signing by another"
            ) from error


def read_manifest(path: Path, anchors: Path | None = None) -> ManifestReport | None:
    """Read and verify a file's active manifest; None where it carries none.

    Nothing is fetched from the network.

    Args:
        path: the file.
        anchors: PEM with root certificates to trust, beside none.

    Raises:
        InputError: the extra is not installed, or the anchors cannot be read.
    """
    c2pa = _library()
    config: dict = {"verify": {"remote_manifest_fetch": False}}
    if anchors is not None:
        config["trust"] = {"user_anchors": _read(anchors).decode("ascii", "replace")}
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        return None
    try:
        with (
            c2pa.Context.from_dict(config) as settings,
            path.open("rb") as file,
            c2pa.Reader(kind, file, context=settings) as reader,
        ):
            return _report(json.loads(reader.json()))
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        return ManifestReport("Invalid", "", (), (_one_line(error),))


def _report(store: dict) -> ManifestReport:
    manifest = store["manifests"][store["active_manifest"]]
    signature = manifest.get("signature_info", {})
    names = (signature.get("common_name"), signature.get("issuer"))
    sources = [
        action["digitalSourceType"]
        for assertion in manifest.get("assertions", [])
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"].get("actions", [])
        if "digitalSourceType" in action
    ]
    problems = tuple(item["code"] for item in store.get("validation_status", []))
    signer = ", ".join(name for name in names if name)
    return ManifestReport(store["validation_state"], signer, tuple(sources), problems)


def _library() -> ModuleType:
    try:
        import c2pa
    except ImportError as error:
        raise InputError(
            "C2PA manifests need an extra: pip install 'xpress[provenance]'"
        ) from error
    return c2pa


def _algorithm(certificate: Path, key: Path, chain: bytes, secret: bytes) -> str:
    """COSE's name of the signature that a key makes."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as error:
        raise InputError(f"{certificate}: no PEM certificates; give the signer's chain") from error
    try:
        private = load_pem_private_key(secret, None)
    except TypeError as error:
        raise InputError(f"{key}: the key is encrypted; give one without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{key}: no PEM key; give the certificate's private key") from error
    if private.public_key() != leaf.public_key():
        raise InputError(f"{key}: is not the key of {certificate}; give the one that belongs to it")
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.key_size in (256, 384, 521):
        return {256: "es256", 384: "es384", 521: "es512"}[private.key_size]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    raise InputError(f"{key}: C2PA signs with ECDSA P-256 to P-521, Ed25519 or RSA keys")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
