"""Certificates of our own making, and a medium that looks like nothing in particular."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

x509 = pytest.importorskip("cryptography.x509")

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402


@dataclass(frozen=True)
class SigningFiles:
    """A chain (leaf, root), the leaf's key, and the root alone."""

    certificate: Path
    key: Path
    root: Path


def name(common: str) -> x509.Name:
    parts = {NameOID.ORGANIZATION_NAME: "Test office", NameOID.COMMON_NAME: common}
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts.items()])


def certificate(subject, key, issuer, issuer_key, authority: bool) -> x509.Certificate:
    """Of the profile that C2PA 2.1 (section 14.5) asks for."""
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    issuing = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                crl_sign=authority,
                **usage,
            ),
            True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing), False)
    )
    if not authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, False)
    return builder.sign(issuer_key, hashes.SHA256())


def certificate_pem(item: x509.Certificate) -> bytes:
    return item.public_bytes(serialization.Encoding.PEM)


def key_pem(key, passphrase: bytes | None) -> bytes:
    if passphrase is None:
        locked = serialization.NoEncryption()
    else:
        locked = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.fixture(scope="session")
def issue(tmp_path_factory) -> Callable[..., SigningFiles]:
    """Make a certificate for a key of some kind."""

    def make(kind: str, self_signed: bool = False, passphrase: bytes | None = None) -> SigningFiles:
        folder = tmp_path_factory.mktemp("certificates")
        root_key, key = KEYS["P-256"](), KEYS[kind]()
        root = certificate(name("Test root"), root_key, name("Test root"), root_key, True)
        leaf = certificate(name("Test signer"), key, name("Test root"), root_key, False)
        if self_signed:
            leaf = certificate(name("Test signer"), key, name("Test signer"), key, True)
        files = SigningFiles(folder / "chain.pem", folder / "key.pem", folder / "root.pem")
        files.certificate.write_bytes(certificate_pem(leaf) + certificate_pem(root))
        files.key.write_bytes(key_pem(key, passphrase))
        files.root.write_bytes(certificate_pem(root))
        return files

    return make


@pytest.fixture(scope="session")
def signing(issue) -> SigningFiles:
    return issue("P-256")


@pytest.fixture
def picture() -> np.ndarray:
    """Soft noise of all scales, RGB."""
    rng = np.random.default_rng(3)
    grey = np.zeros((192, 256))
    for side in (3, 6, 12, 24, 48, 96):
        rough = rng.normal(size=(side, side))
        rows = np.linspace(0, side - 1, 192)
        columns = np.linspace(0, side - 1, 256)
        partly = np.array([np.interp(columns, range(side), line) for line in rough])
        grey += np.array([np.interp(rows, range(side), line) for line in partly.T]).T * 60 / side
    return np.clip(128 + grey[..., None] * [1.0, 0.9, 0.8], 0, 255).astype(np.uint8)
