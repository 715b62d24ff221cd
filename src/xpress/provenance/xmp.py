"""XMP packets (ISO 16684-1) with IPTC's properties of synthetic media."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from xpress.provenance.statement import SOFTWARE, Statement, software_version

IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
LONGEST = 1 << 20
"""Bytes; a longer packet is not read."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_DC = "http://purl.org/dc/elements/1.1/"
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about=""
 xmlns:xmp="{xmp}" xmlns:dc="{dc}" xmlns:Iptc4xmpExt="{iptc}"
 Iptc4xmpExt:DigitalSourceType={source_type}
 Iptc4xmpExt:AISystemUsed={software} Iptc4xmpExt:AISystemVersionUsed={version}
 xmp:CreatorTool={tool}><dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li>\
</rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def xmp_packet(statement: Statement) -> bytes:
    """The packet that says how an output was made, with what software of which version."""
    release = software_version()
    return _PACKET.format(
        rdf=_RDF,
        xmp=_XMP,
        dc=_DC,
        iptc=IPTC_EXTENSION,
        source_type=quoteattr(statement.digital_source_type),
        software=quoteattr(SOFTWARE),
        version=quoteattr(release),
        tool=quoteattr(f"{SOFTWARE} {release}"),
        text=escape(statement.description),
    ).encode()


def read_xmp_packet(packet: bytes) -> dict[str, str]:
    """`digital_source_type` and `software` of any program's packet, as far as they are there.

    A packet that is broken, longer than `LONGEST` or declares entities says nothing.
    """
    if len(packet) > LONGEST or b"<!" in packet:
        return {}
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    wanted = {
        "digital_source_type": f"{{{IPTC_EXTENSION}}}DigitalSourceType",
        "software": f"{{{_XMP}}}CreatorTool",
    }
    found: dict[str, str] = {}
    for element in root.iter():
        for name, key in wanted.items():
            # a simple property may be an attribute or an element, by choice of the writer
            value = element.get(key) or (element.text if element.tag == key else None)
            if value and value.strip():
                found.setdefault(name, value.strip())
    return found
