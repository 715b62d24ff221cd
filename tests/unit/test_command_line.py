"""Commands end with a result, a line, or without traces."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from xpress.command_line import one_line_errors
from xpress.errors import InputError

WRITING = """
import sys, time
from xpress.command_line import one_line_errors
from xpress.whole_files import written_beside

@one_line_errors()
def main():
    with written_beside(sys.argv[1]) as partial:
        partial.write_text("half")
        print("begun", flush=True)
        time.sleep(60)

main()
"""


def test_what_the_user_can_mend_is_one_line(capsys):
    @one_line_errors()
    def main(value: int) -> int:
        if value < 0:
            raise InputError(f"value={value}: choose 0 or more")
        return value + 1

    assert main(1) == 2
    with pytest.raises(SystemExit) as ended:
        main(-1)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: value=-1: choose 0 or more\n"


def test_defects_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        _ = 1 // 0


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_signals_leave_no_traces(tmp_path, number, status):
    output = tmp_path / "out.txt"
    output.write_text("old")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (status, "interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert output.read_text() == "old"
