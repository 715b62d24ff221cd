"""A running studio, and files to give it."""

from importlib.resources import files
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from xpress.studio.app import create_app
from xpress.studio.limits import Limits

DEMO = files("xpress") / "assets" / "demo"


@pytest.fixture(scope="session")
def portrait() -> bytes:
    return (DEMO / "target.jpg").read_bytes()


@pytest.fixture(scope="session")
def clip(tmp_path_factory, portrait) -> bytes:
    """Eight frames in which the demo's portrait slides to the right."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    picture = np.array(Image.open(BytesIO(portrait)))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for shift in range(8):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * shift, 1), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="session")
def client():
    """Talks to a studio with small limits; its processes run."""
    app = create_app(Limits(megabytes=1, seconds=20, frame_pixels=1024 * 1024))
    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        yield client


@pytest.fixture
def studio(client):
    return client.app.state.studio


@pytest.fixture
def page(client):
    """The address of a page's own things."""
    token = client.post("/api/open").json()["token"]
    yield f"/api/{token}"
    client.post(f"/api/{token}/close")


@pytest.fixture
def give(client, page):
    """Upload a file; gives the answer."""

    def give(content, name, page=page):
        return client.post(f"{page}/files", params={"name": name}, content=content)

    return give
