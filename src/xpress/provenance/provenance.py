"""How outputs are marked: what a user asks for becomes labels and watermarks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xpress.errors import InputError
from xpress.media.label import Label
from xpress.provenance.c2pa_manifest import SUFFIXES, Credentials
from xpress.provenance.metadata import TAG
from xpress.provenance.statement import CHANGED_FACE, SOFTWARE, Statement, software_version
from xpress.provenance.watermark import FaceMarker, Marker, unmarked
from xpress.provenance.xmp import xmp_packet
from xpress.whole_files import local_path

UNMARKED = "mark=false: the output does not say that it is synthetic; keep it to research"
"""What is printed where the marks are left out."""


@dataclass(frozen=True)
class Provenance:
    """The marks that a user wants.

    Attributes:
        mark: whether outputs say in their metadata that they are synthetic.
        watermark: whether the changed region carries the invisible mark as well.
        certificate: PEM chain of the user, the signer's first, for a C2PA manifest.
        signing_key: PEM key of the certificate.
    """

    mark: bool = True
    watermark: bool = False
    certificate: str | os.PathLike | None = None
    signing_key: str | os.PathLike | None = None

    def check(self, *outputs: Path) -> None:
        """Tell before the work what would stop it at the end, and what is left out.

        Raises:
            InputError: half of certificate and key, one of them unusable, marks that contradict
                each other, or an output in which C2PA has no place.
        """
        if not self.mark:
            if self.certificate or self.signing_key:
                raise InputError("certificate=… signs the marks that mark=false leaves out")
            print(UNMARKED)
        if self.credentials is None:
            return
        for output in outputs:
            if output.suffix.lower() not in SUFFIXES:
                raise InputError(
                    f"{output}: C2PA has no place for a manifest in {output.suffix}; "
                    "leave certificate= out or name an output that ends in .mp4 or .mov"
                )

    @cached_property
    def credentials(self) -> Credentials | None:
        """What manifests are signed with; None where no certificate is given.

        Raises:
            InputError: see `Credentials.load`.
        """
        if self.certificate is None and self.signing_key is None:
            return None
        if self.certificate is None or self.signing_key is None:
            raise InputError("a C2PA manifest needs both certificate=… and signing_key=…")
        return Credentials.load(local_path(self.certificate), local_path(self.signing_key))

    def marker(self) -> Marker:
        """Marks the changed region of one picture, or of a video's frames, if that is wanted."""
        return FaceMarker() if self.watermark else unmarked

    def label(
        self, statement: Statement = CHANGED_FACE, parent: str | os.PathLike | None = None
    ) -> Label | None:
        """What an output says of itself; None leaves it silent.

        Args:
            statement: how it was made.
            parent: the picture or video it was made from.
        """
        if not self.mark:
            return None
        tags = {
            "comment": statement.description,
            TAG: statement.digital_source_type,
            "SOFTWARE": f"{SOFTWARE} {software_version()}",
        }
        credentials = self.credentials
        origin = None if parent is None else Path(parent)

        def sign(path: Path) -> None:
            assert credentials is not None
            credentials.sign(path, statement, origin)

        return Label(xmp_packet(statement), tags, None if credentials is None else sign)


MARKED = Provenance()
"""By default outputs say that they are synthetic, unsigned."""
