"""Face parameters over UDP, frame by frame, for programs that animate their own characters.

Two protocols carry ARKit's blendshapes: packets of Epic's Live Link Face app (Unreal's plugin
receives them on port 11111), and the VMC protocol, OSC messages that VTuber programs and Blender
add-ons receive (port 39539).
"""

from __future__ import annotations

import socket
import struct
import uuid
from abc import ABC, abstractmethod
from fractions import Fraction
from urllib.parse import urlsplit

import numpy as np
from jaxtyping import Float
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from scipy.spatial.transform import Rotation

from xpress.errors import InputError
from xpress.media.live_link import ARKIT_SHAPES, BlendshapeRecording
from xpress.morphable.io.arkit import EULER

_SWAPPED = {"jawRight": "jawLeft", "jawLeft": "jawRight"} | {
    "mouthRight": "mouthLeft",
    "mouthLeft": "mouthRight",
}
PACKET_SHAPES = tuple(_SWAPPED.get(name, name) for name in ARKIT_SHAPES)
"""Order in a packet, which differs from the app's CSV in two places."""
_ORDER = [ARKIT_SHAPES.index(name) for name in PACKET_SHAPES]
_VERSION = 6


class FaceStream(ABC):
    """Sends frames to a host by UDP; what nobody receives is lost.

    Args:
        host: name or address.
        port: of the receiver.
    """

    def __init__(self, host: str, port: int) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise InputError(f"{host}: no such host; give an address as 127.0.0.1") from error
        self._address: tuple = found[4]
        self._socket = socket.socket(found[0], found[1])

    def send(self, recording: BlendshapeRecording, frame: int) -> None:
        """Send the only frame of a recording; `frame` counts them."""
        try:
            self._socket.sendto(self.packet(recording, frame), self._address)
        except ConnectionRefusedError:  # of an earlier packet: nobody listens yet
            pass
        except OSError as error:
            where = f"{self._address[0]}:{self._address[1]}"
            raise InputError(f"{where}: cannot be sent to ({error.strerror})") from error

    @abstractmethod
    def packet(self, recording: BlendshapeRecording, frame: int) -> bytes:
        """What is sent for the only frame of a recording."""

    def close(self) -> None:
        """Free the socket."""
        self._socket.close()


class LiveLinkStream(FaceStream):
    """Packets of Live Link Face, version 6.

    Args:
        host: name or address.
        port: of the receiver.
        subject: name that Unreal shows.
    """

    def __init__(self, host: str, port: int = 11111, subject: str = "xpress") -> None:
        super().__init__(host, port)
        self._names = _text(str(uuid.uuid4()).upper()) + _text(subject)

    def packet(self, recording: BlendshapeRecording, frame: int) -> bytes:
        """Version, device, subject, frame time and rate, then 61 numbers, all big-endian."""
        rate = Fraction(recording.fps).limit_denominator(1001)
        values = np.concatenate([recording.scores[0, _ORDER], recording.head[0], recording.eyes[0]])
        time = struct.pack(">ifii", frame, 0.0, rate.numerator, rate.denominator)
        numbers = struct.pack(f">B{len(values)}f", len(values), *values)
        return struct.pack(">B", _VERSION) + self._names + time + numbers


class VmcStream(FaceStream):
    """Bundles of the VMC protocol: blendshapes with ARKit's names ("perfect sync"), and the head.

    Args:
        host: name or address.
        port: of the receiver.
    """

    def __init__(self, host: str, port: int = 39539) -> None:
        super().__init__(host, port)

    def packet(self, recording: BlendshapeRecording, frame: int) -> bytes:
        """One OSC bundle."""
        bundle = OscBundleBuilder(IMMEDIATELY)
        seconds = float(frame / recording.fps)
        _add(bundle, "/VMC/Ext/OK", 1)
        _add(bundle, "/VMC/Ext/T", seconds)
        _add(bundle, "/VMC/Ext/Bone/Pos", "Head", 0.0, 0.0, 0.0, *_unity(recording.head[0]))
        for name, score in zip(ARKIT_SHAPES, recording.scores[0], strict=True):
            _add(bundle, "/VMC/Ext/Blend/Val", name[0].upper() + name[1:], float(score))
        _add(bundle, "/VMC/Ext/Blend/Apply")
        return bundle.build().dgram


PROTOCOLS = {"livelink": LiveLinkStream, "osc": VmcStream}


def open_stream(address: str) -> FaceStream:
    """A stream to an address as `osc://127.0.0.1:39539` or `livelink://127.0.0.1:11111`.

    Raises:
        InputError: the address is of another form, or there is no such host.
    """
    try:
        parts = urlsplit(address)
        protocol, host, port = PROTOCOLS.get(parts.scheme), parts.hostname, parts.port
    except ValueError:
        protocol = host = port = None
    if protocol is None or not host or parts.path.strip("/"):
        raise InputError(f"{address}: write osc://HOST:PORT or livelink://HOST:PORT")
    return protocol(host) if port is None else protocol(host, port)


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack(">i", len(content)) + content


def _add(bundle: OscBundleBuilder, address: str, *values: str | float | int) -> None:
    message = OscMessageBuilder(address)
    for value in values:
        message.add_arg(value)
    bundle.add_content(message.build())


def _unity(angles: Float[np.ndarray, "3"]) -> list[float]:
    """The quaternion (x, y, z, w) in Unity's left-handed axes, whose x is mirrored."""
    x, y, z, w = Rotation.from_euler(EULER, angles).as_quat()
    return [float(x), float(-y), float(-z), float(w)]
