"""Packets over the loopback, taken apart by hand as the protocols say."""

import socket
import struct
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("pythonosc")

from xpress.errors import InputError
from xpress.live.face_streams import PACKET_SHAPES, LiveLinkStream, VmcStream, open_stream
from xpress.media.live_link import ARKIT_SHAPES, BlendshapeRecording


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        yield server


@pytest.fixture
def recording() -> BlendshapeRecording:
    scores = np.linspace(0, 1, 52)[None]
    head, eyes = np.array([[0.4, 0.0, 0.0]]), np.arange(6.0)[None] / 10
    return BlendshapeRecording(scores, head, eyes, Fraction(30000, 1001))


def _sent(receiver, scheme: str, recording) -> bytes:
    stream = open_stream(f"{scheme}://127.0.0.1:{receiver.getsockname()[1]}")
    stream.send(recording, 60)
    stream.close()
    return receiver.recv(65536)


def test_live_link_packets(receiver, recording):
    packet = _sent(receiver, "livelink", recording)
    assert packet[0] == 6
    length = struct.unpack_from(">i", packet, 1)[0]
    assert length == 36
    name_length = struct.unpack_from(">i", packet, 5 + length)[0]
    place = 9 + length
    assert packet[place : place + name_length] == b"xpress"
    place += name_length
    frame, part, above, below, count = struct.unpack_from(">ifiiB", packet, place)
    assert (frame, part, above, below, count) == (60, 0.0, 30000, 1001, 61)
    values = struct.unpack_from(">61f", packet, place + 17)
    assert len(packet) == place + 17 + 61 * 4
    # Unreal's enumeration has the left before the right here, the app's CSV after it
    assert PACKET_SHAPES[15:17] == ("jawLeft", "jawRight")
    assert PACKET_SHAPES[21:23] == ("mouthLeft", "mouthRight")
    for name, value in zip(PACKET_SHAPES, values, strict=False):
        assert value == pytest.approx(recording.scores[0, ARKIT_SHAPES.index(name)])
    assert values[52] == pytest.approx(0.4)
    assert values[55:] == pytest.approx(recording.eyes[0])


def _messages(bundle: bytes) -> list[tuple[str, list]]:
    """OSC 1.0: texts end in zeros up to a multiple of four, numbers are big-endian."""

    def text(content: bytes, at: int) -> tuple[str, int]:
        end = content.index(b"\0", at)
        return content[at:end].decode(), at + (end - at) // 4 * 4 + 4

    assert bundle[:8] == b"#bundle\0"
    found, place = [], 16
    while place < len(bundle):
        size = struct.unpack_from(">i", bundle, place)[0]
        content, place = bundle[place + 4 : place + 4 + size], place + 4 + size
        address, at = text(content, 0)
        kinds, at = text(content, at)
        values = []
        for kind in kinds[1:]:
            if kind == "s":
                value, at = text(content, at)
            else:
                value, at = struct.unpack_from(f">{kind}", content, at)[0], at + 4
            values.append(value)
        found.append((address, values))
    return found


def test_vmc_messages(receiver, recording):
    messages = _messages(_sent(receiver, "osc", recording))
    shapes = dict(values for address, values in messages if address == "/VMC/Ext/Blend/Val")
    assert len(shapes) == 52
    assert shapes["JawOpen"] == pytest.approx(recording.scores[0, ARKIT_SHAPES.index("jawOpen")])
    assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])
    assert ("/VMC/Ext/OK", [1]) in messages
    head = dict(messages)["/VMC/Ext/Bone/Pos"]
    assert head[:4] == ["Head", 0, 0, 0]
    # to the owner's left is a positive turn about y for us, a negative one in Unity's axes
    assert head[4:] == pytest.approx([0, -np.sin(0.2), 0, np.cos(0.2)], abs=1e-6)
    assert dict(messages)["/VMC/Ext/T"] == pytest.approx([60 * 1001 / 30000])


def test_addresses():
    for address, kind, port in (
        ("osc://127.0.0.1", VmcStream, 39539),
        ("livelink://127.0.0.1:11112", LiveLinkStream, 11112),
    ):
        stream = open_stream(address)
        assert isinstance(stream, kind)
        assert stream._address[1] == port
        stream.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:1", "osc://HOST:PORT"),
        ("osc://127.0.0.1:99999999", "osc://HOST:PORT"),
        ("osc://", "osc://HOST:PORT"),
        ("osc://127.0.0.1/path", "osc://HOST:PORT"),
        ("osc://no such host.invalid:1", "no such host"),
    ],
)
def test_wrong_addresses(address, words):
    with pytest.raises(InputError, match=words):
        open_stream(address)


def test_nobody_listening_is_no_error(recording):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stream = open_stream(f"osc://127.0.0.1:{port}")
    for frame in range(5):
        stream.send(recording, frame)
    stream.close()
