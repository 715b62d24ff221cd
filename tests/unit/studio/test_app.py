"""The server over HTTP, as the page uses it, with its processes."""

import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from xpress.editing.presets import EMOTION_PRESETS
from xpress.models.expression_editing.emotions import EMOTIONS
from xpress.provenance.inspection import inspect
from xpress.studio import jobs

EXAMPLE = {"file": "example-portrait"}
MOVE = {"source": "example-performance", "target": "example-portrait"}


def picture_of(response):
    assert response.status_code == 200, response.text
    return np.array(Image.open(BytesIO(response.content)).convert("RGB")).astype(int)


def finished(client, page, answer):
    """A job's end."""
    assert answer.status_code == 200, answer.text
    state = answer.json()
    end = time.monotonic() + 120
    while state["state"] in ("waiting", "working") and time.monotonic() < end:
        time.sleep(0.05)
        state = client.get(f"{page}/jobs/{state['id']}").json()
    return state


def test_the_page_brings_all_it_needs_and_allows_nothing_else(client):
    page = client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in ("main.js", "studio.css", "reenact.js", "icon.svg"):
        assert client.get(f"/{name}").status_code == 200
    tables = client.post("/api/open").json()
    assert [unit["number"] for unit in tables["units"]][::16] == [1, 45]
    client.post(f"/api/{tables['token']}/close")


def test_presets_are_the_units_of_their_emotions():
    assert set(EMOTION_PRESETS) == set(EMOTIONS)
    for name, units in EMOTION_PRESETS.items():
        numbers = {int(unit[2:]) for unit in units}
        assert len(numbers & set(EMOTIONS[name])) >= 2
        assert all(0 < value <= 1 for value in units.values())


def test_a_slider_changes_the_picture_where_the_face_is(client, page):
    own = client.post(f"{page}/units", json=EXAMPLE).json()
    assert 0.5 < own["AU12"] <= 1  # the portrait smiles
    assert {"AU12_L", "AU45_R", "gaze_x", "gaze_y"} <= own.keys()
    before = picture_of(client.post(f"{page}/preview", json=EXAMPLE))
    asked = EXAMPLE | {"units": {"AU12": 0.0, "AU45_L": 1.0}, "gaze": [0.6, 0.0]}
    after = picture_of(client.post(f"{page}/preview", json=asked))
    changed = np.abs(before - after).max(-1) > 40
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 500
    assert rows.min() > 120
    assert rows.max() < 450
    assert columns.min() > 100
    assert columns.max() < 420


@pytest.mark.parametrize("editor", ["dft_net", "ganimation"])
def test_networks_edit_too_and_refuse_one_side(client, page, editor):
    asked = EXAMPLE | {"editor": editor, "units": {"AU12": 0.0}}
    before = picture_of(client.post(f"{page}/preview", json=EXAMPLE | {"editor": editor}))
    after = picture_of(client.post(f"{page}/preview", json=asked))
    assert (np.abs(before - after).max(-1) > 25).sum() > 100
    refused = client.post(f"{page}/preview", json=asked | {"units": {"AU12_L": 1.0}})
    assert refused.status_code == 422
    assert "one side" in refused.json()["error"]


def test_exports_are_whole_and_marked(client, page, tmp_path):
    asked = EXAMPLE | {"units": {"AU12": 0.0}, "watermark": True}
    saved = {}
    for what in ("picture", "strip", "mesh"):
        file = client.post(f"{page}/exports", json=asked | {"what": what}).json()
        saved[what] = client.get(f"{page}/files/{file['id']}", params={"save": True})
        assert "attachment" in saved[what].headers["content-disposition"]
    assert picture_of(saved["picture"]).shape == (512, 512, 3)
    place = tmp_path / "edited.png"
    place.write_bytes(saved["picture"].content)
    found = inspect(place)
    assert "AlgorithmicMedia" in found.metadata["digital_source_type"]
    assert found.watermark.found
    height, width, _ = picture_of(saved["strip"]).shape
    assert width == 5 * height
    lines = saved["mesh"].text.splitlines()
    assert sum(line.startswith("v ") for line in lines) > 20_000


def test_a_photograph_is_moved_by_a_recording(client, page):
    asked = MOVE | {"head": "target"}
    end = finished(client, page, client.post(f"{page}/reenactments", json=asked))
    assert end["state"] == "done", end
    (file,) = end["files"]
    assert file["kind"] == "video"
    assert "280 frames" in file["words"]
    assert "/" not in file["words"].split("frames")[0]
    part = client.get(f"{page}/files/{file['id']}", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")


def test_files_of_ones_own(client, page, give, portrait, clip):
    photo, video = give(portrait, "../../me.jpg").json(), give(clip, "clip.mp4").json()
    assert photo["name"] == "me.jpg"
    ((left, top, width, height),) = photo["faces"]
    assert 0.2 < left + width / 2 < 0.8
    assert 0.2 < top + height / 2 < 0.8
    assert (video["kind"], video["frames"], len(video["faces"])) == ("video", 8, 1)
    assert picture_of(client.get(f"{page}/files/{video['id']}/poster")).shape == (512, 512, 3)
    recorded = client.post(f"{page}/recordings", json={"source": video["id"]})
    (recording,) = finished(client, page, recorded)["files"]
    again = client.get(f"{page}/files/{recording['id']}")
    assert give(again.content, "params.npz").json()["frames"] == 8
    asked = {"source": video["id"], "target": photo["id"], "face": 0}
    end = finished(client, page, client.post(f"{page}/reenactments", json=asked))
    assert end["state"] == "done", end
    assert end["done"] >= 1
    assert client.get(f"{page}/jobs/{end['id']}/frame").content[:2] == b"\xff\xd8"
    assert client.delete(f"{page}/files/{photo['id']}").status_code == 204
    assert client.get(f"{page}/files/{photo['id']}").status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "status", "told"),
    [
        (b"this is a text", "video.mp4", 422, "neither a photo nor a video"),
        (b"this is a text", "notes.txt", 415, "choose a photo"),
        (b"", "empty.jpg", 422, "empty"),
        (b"x" * (1 << 20) + b"x", "large.mp4", 413, "larger than 1 MB"),
        (b"PK\x03\x04 broken", "params.npz", 422, "not a recorded performance"),
        (b"\xff\xd8\xff\xe0 broken", "photo.jpg", 422, "photo.jpg"),
        (b"1,2,3\n", "table.csv", 422, "table.csv"),
    ],
)
def test_bad_files_are_told_and_leave_nothing(
    client, page, give, studio, content, name, status, told
):
    answer = give(content, name)
    assert answer.status_code == status
    assert told in answer.json()["error"]
    assert str(studio.root) not in answer.json()["error"]
    folder = studio.sessions.get(page.rpartition("/")[2]).folder
    assert list(folder.iterdir()) == []


def test_a_body_that_states_no_length_is_bounded_too(client, page):
    def parts():
        for _ in range(40):
            yield bytes(1 << 16)

    answer = client.post(f"{page}/files", params={"name": "a.mp4"}, content=parts())
    assert answer.status_code == 413


def test_what_is_asked_for_is_short(client, page):
    body = b'{"file": "example-portrait"' + b" " * (80 << 10) + b"}"
    assert client.post(f"{page}/units", content=body).status_code == 413
    assert client.post(f"{page}/units", content=iter([body])).status_code == 413


@pytest.mark.parametrize(
    "id",
    ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "file:///etc/passwd"],
)
def test_no_path_or_address_is_a_file(client, page, id):
    assert client.get(f"{page}/files/{id}").status_code in (404, 405)
    for path, body in (
        ("units", {"file": id}),
        ("reenactments", {"source": id, "target": "example-portrait"}),
        ("recordings", {"source": id}),
    ):
        answer = client.post(f"{page}/{path}", json=body)
        assert (answer.status_code, "not here" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "path", ["/..%2f..%2f__main__.py", "/%2e%2e/app.py", "//etc/passwd", "/../app.py"]
)
def test_the_page_s_folder_is_not_left(client, path):
    assert client.get(path).status_code == 404


def test_users_do_not_see_each_other(client, page, give, portrait):
    mine = give(portrait, "me.jpg").json()["id"]
    other = f"/api/{client.post('/api/open').json()['token']}"
    assert client.get(f"{other}/files/{mine}").status_code == 404
    asked = {"source": "example-performance", "target": mine}
    assert client.post(f"{other}/reenactments", json=asked).status_code == 404
    job = client.post(f"{page}/reenactments", json=asked).json()["id"]
    assert client.get(f"{other}/jobs/{job}").status_code == 404
    assert client.delete(f"{other}/jobs/{job}").status_code == 404
    assert client.delete(f"{page}/jobs/{job}").status_code == 204
    client.post(f"{other}/close")
    assert client.get(f"{other}/examples").status_code == 410


def test_other_pages_may_not_ask(client):
    stranger = {"origin": "http://evil.example"}
    assert client.post("/api/open", headers=stranger).status_code == 403
    assert client.post("/api/open", headers={"origin": "http://127.0.0.1:7860"}).status_code == 200


def test_jobs_wait_in_a_bounded_queue_and_can_be_cancelled(client, page):
    asked = {"source": "example-performance", "target": "example-portrait"}
    started = [
        client.post(f"{page}/reenactments", json=asked) for _ in range(jobs.WAITING_EACH + 2)
    ]
    assert started[-1].status_code == 429
    ids = [answer.json()["id"] for answer in started if answer.status_code == 200]
    places = [client.get(f"{page}/jobs/{id}").json()["place"] for id in ids]
    assert places == sorted(places)
    assert places[-1] >= 2
    for id in reversed(ids):
        assert client.delete(f"{page}/jobs/{id}").status_code == 204
    for id in ids:
        state = finished(client, page, client.get(f"{page}/jobs/{id}"))
        assert state["state"] == "cancelled"


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("preview", EXAMPLE | {"units": {"AU99": 1.0}}, "no such action unit"),
        ("preview", EXAMPLE | {"units": {"AU12": 7.0}}, "from 0 to 1"),
        ("preview", EXAMPLE | {"face": 9}, "1 face"),
        ("preview", EXAMPLE | {"editor": "other"}, "editor"),
        ("preview", {"file": "example-performance"}, "Example performance"),
        (
            "reenactments",
            {"source": "example-performance", "target": "example-performance"},
            "no pictures",
        ),
        (
            "reenactments",
            {"source": "example-performance", "target": "example-portrait", "strength": 9},
            "strength",
        ),
        (
            "reenactments",
            {"source": "example-performance", "target": "example-portrait", "output": "/x"},
            "output",
        ),
    ],
)
def test_wrong_wishes_are_told(client, page, path, body, told):
    answer = client.post(f"{page}/{path}", json=body)
    assert answer.status_code == 422
    assert told in answer.json()["error"]


def test_a_crash_is_told_and_the_page_goes_on(client, page, studio):
    studio.desk._process.kill()
    studio.desk._process.join()
    picture_of(client.post(f"{page}/preview", json=EXAMPLE))


def test_closing_a_page_ends_its_work_and_removes_its_files(client, studio, portrait, give):
    page = f"/api/{client.post('/api/open').json()['token']}"
    folder = studio.sessions.get(page.rpartition("/")[2]).folder
    mine = give(portrait, "me.jpg", page).json()["id"]
    asked = {"source": "example-performance", "target": mine}
    client.post(f"{page}/reenactments", json=asked)
    assert list(folder.iterdir())
    assert client.post(f"{page}/close").status_code == 204
    end = time.monotonic() + 30
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not folder.exists()
