"""Files of users: apart from each other, and gone when they go."""

import pytest

from xpress.studio import sessions
from xpress.studio.bodies import Refusal
from xpress.studio.sessions import Sessions


@pytest.fixture
def pages(tmp_path):
    return Sessions(tmp_path, {})


def kept(session, content=b"x"):
    path = session.place(".jpg")
    path.write_bytes(content)
    return session.keep(path, "me.jpg", "photo")


def test_files_belong_to_one_session(pages):
    one, other = pages.create(), pages.create()
    file = kept(one)
    assert one.file(file.id).path.read_bytes() == b"x"
    with pytest.raises(Refusal, match="not here any more"):
        other.file(file.id)
    assert one.token not in str(file.path)
    assert oct(one.folder.stat().st_mode)[-3:] == "700"


def test_closing_removes_everything(pages, tmp_path):
    session = pages.create()
    file = kept(session)
    file.path.with_suffix(".poster.jpg").write_bytes(b"y")
    session.drop(file.id)
    assert list(session.folder.iterdir()) == []
    kept(session)
    pages.close(session.token)
    pages.close("unknown")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Refusal, match="reload"):
        pages.get(session.token)


def test_pages_that_nobody_uses_are_closed(pages, monkeypatch, tmp_path):
    told = []
    pages = Sessions(tmp_path, {}, told.append)
    session, used = pages.create(), pages.create()
    session.seen -= sessions.IDLE + 1
    pages.expire()
    assert told == [session]
    assert pages.get(used.token) is used
    assert len(pages) == 1


def test_pages_and_disk_are_bounded(pages, monkeypatch):
    monkeypatch.setattr(sessions, "SESSIONS", 2)
    monkeypatch.setattr(sessions, "DISK", 10)
    session = pages.create()
    pages.create()
    with pytest.raises(Refusal, match="Too many pages"):
        pages.create()
    kept(session, b"x" * 11)
    with pytest.raises(Refusal, match="too many files"):
        session.place(".jpg")


def test_messages_name_files_as_the_user_does(pages):
    session = pages.create()
    file = kept(session)
    assert session.named(f"{file.path}: no face found") == "me.jpg: no face found"
