"""Write a CycloneDX list of what a wheel contains and needs: `python tools/sbom.py WHEEL JSON`.

Weights stand beside libraries, since they are made from data of others (see NOTICE). Versions are
those of the environment it runs in, which `make setup` takes from constraints.txt.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from email.parser import BytesParser
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WEIGHTS = (".onnx", ".safetensors")


def bill_of_materials(wheel: Path) -> Bom:
    """The wheel, its embedded weights, and the libraries that it needs, each with what it needs.

    Args:
        wheel: file whose core dependencies are installed here.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (place,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        about = BytesParser().parsebytes(archive.read(place))
        weights = [
            Component(
                name=name,
                type=ComponentType.MACHINE_LEARNING_MODEL,
                bom_ref=name,
                hashes=[_sha256(archive.read(name))],
            )
            for name in sorted(names)
            if name.endswith(WEIGHTS)
        ]
    bom = Bom()
    root = _library(
        about["Name"], about["Version"], about.get("License-Expression") or about["License"]
    )
    root.hashes.add(_sha256(wheel.read_bytes()))
    bom.metadata.component = root
    bom.components.update(weights)
    known: dict[str, Component] = {}
    needed = _installed(about.get_all("Requires-Dist") or [], known)
    bom.components.update(known.values())
    bom.register_dependency(root, [*weights, *needed])
    for component in known.values():
        wanted = metadata.distribution(component.name).requires or []
        bom.register_dependency(component, _installed(wanted, known))
    return bom


def _installed(requirements: list[str], known: dict[str, Component]) -> list[Component]:
    """Components of the requirements that hold here, and, in `known`, of what they need in turn."""
    found = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in known:
            distribution = metadata.distribution(name)
            about = distribution.metadata
            terms = about.get("License-Expression") or about.get("License")
            known[name] = _library(name, distribution.version, terms)
            _installed(distribution.requires or [], known)
        found.append(known[name])
    return found


def _library(name: str, version: str, terms: str | None) -> Component:
    name, public = canonicalize_name(name), version.partition("+")[0]
    # some packages put the whole text there, whose first line names it
    lines = (terms or "").strip().splitlines()
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        purl=PackageURL("pypi", name=name, version=public),
        licenses=[LicenseFactory().make_from_string(lines[0])] if lines else [],
    )


def _sha256(content: bytes) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())


def main() -> None:
    """Read the two arguments."""
    wheel, output = map(Path, sys.argv[1:])
    bom = bill_of_materials(wheel)
    output.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")
    print(f"{output}: {len(bom.components)} components")


if __name__ == "__main__":
    main()
