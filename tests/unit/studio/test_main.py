"""The command: where it listens, and what it says of that."""

import sys

import pytest

from xpress.studio import __main__ as command


@pytest.fixture
def started(monkeypatch):
    """Run the command without serving; gives what the server was asked for."""
    served = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **given: served.update(given, app=app))

    def started(*arguments):
        monkeypatch.setattr(sys, "argv", ["xpress-studio", "--no-browser", *arguments])
        command.main()
        return served

    return started


def test_it_listens_to_this_computer_alone_unless_told(started, capsys):
    served = started("--port", "7999")
    assert (served["host"], served["port"]) == ("127.0.0.1", 7999)
    assert served["access_log"] is False
    told = capsys.readouterr()
    assert "http://127.0.0.1:7999/" in told.out
    assert told.err == ""
    hosts = served["app"].user_middleware[-1].kwargs["allowed_hosts"]
    assert set(hosts) == {"localhost", "127.0.0.1", "[::1]"}


def test_another_address_is_warned_of(started, capsys):
    served = started("--host", "0.0.0.0")
    assert served["host"] == "0.0.0.0"
    assert "no password" in capsys.readouterr().err


def test_a_missing_extra_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.setattr(sys, "argv", ["xpress-studio"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert "pip install 'xpress[studio]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("my.pc", False)],
)
def test_loopback_is_recognised(host, local):
    assert command.is_local(host) is local
