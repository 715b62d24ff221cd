"""The live socket and what is read of a face, without a browser."""

import struct
import time

import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from xpress.studio.live_socket import ANSWER, TIME
from xpress.studio.reading import HEAD

from .test_app import EXAMPLE, finished, picture_of


def send(socket, moment, jpeg):
    socket.send_bytes(TIME.pack(moment) + jpeg)


def test_pictures_come_back_moved(client, page, portrait):
    with client.websocket_connect(f"{page}/live") as socket:
        socket.send_json({"target": "example-portrait"})
        assert socket.receive_json()["state"].startswith("Strength 1.0")
        for number in range(3):
            send(socket, 10 + number / 25, portrait)
            answer = socket.receive_bytes()
            moment, dropped, seen = ANSWER.unpack_from(answer)
            assert (moment, dropped, seen) == (10 + number / 25, 0, 1)
            assert answer[ANSWER.size :][:2] == b"\xff\xd8"
        socket.send_text("up")
        assert "Strength 1.1" in socket.receive_json()["state"]
        send(socket, 11.0, b"no picture")
        assert "cannot be read" in socket.receive_json()["error"]


def test_strangers_and_wrong_wishes_get_no_live_picture(client, page):
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"{page}/live", headers={"origin": "http://evil.example"}),
    ):
        pass
    for wish in ({"target": "/etc/passwd"}, {"target": "example-portrait", "path": "/x"}):
        with client.websocket_connect(f"{page}/live") as socket:
            socket.send_json(wish)
            assert "error" in socket.receive_json()
    with client.websocket_connect("/api/unknown/live") as socket:
        assert "reload" in socket.receive_json()["error"]


def test_live_sessions_are_bounded_and_end(client, page, portrait):
    from xpress.studio.desk import LIVE

    wish = {"target": "example-portrait"}
    for _ in range(LIVE + 2):  # one after the other there are as many as you like
        with client.websocket_connect(f"{page}/live") as socket:
            socket.send_json(wish)
            assert "state" in socket.receive_json()
    time.sleep(0.2)
    sockets = [client.websocket_connect(f"{page}/live") for _ in range(LIVE + 1)]
    told = []
    for socket in sockets:
        socket.__enter__().send_json(wish)
        told.append(socket.receive_json())
    for socket in sockets:
        socket.__exit__(None, None, None)
    assert ["error" in answer for answer in told] == [False] * LIVE + [True]


def test_what_was_read_is_given_to_be_drawn(client, page):
    end = finished(client, page, client.post(f"{page}/looks", json=EXAMPLE))
    assert end["state"] == "done", end
    files = {file["name"]: file["id"] for file in end["files"]}
    assert set(files) == {"params.npz", "mesh.obj", "overlay.png"}
    assert picture_of(client.get(f"{page}/files/{files['overlay.png']}")).shape == (512, 512, 3)
    place = f"{page}/looks/{files['params.npz']}"
    values = client.get(f"{place}/values").json()
    assert np.shape(values["units"]) == (1, 17)
    content = client.get(f"{place}/mesh", params={"whole": True, "frame": 9}).content
    vertices, triangles, frames = HEAD.unpack_from(content)
    assert frames == 1
    assert len(content) == HEAD.size + 4 * (9 + 27 + 3 * vertices + vertices + 3 * triangles)
    turned = np.frombuffer(content, "<f4", 9, HEAD.size).reshape(3, 3)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-5)
    corners = np.frombuffer(content, "<u4", 3 * triangles, len(content) - 12 * triangles)
    assert corners.max() == vertices - 1
    light = struct.unpack_from("<f", content, HEAD.size + 36)[0]
    assert light > 0
    few = client.get(f"{place}/mesh").content
    assert len(few) == HEAD.size + 4 * (9 + 27 + 3 * vertices)
