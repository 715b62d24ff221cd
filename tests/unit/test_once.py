"""Values that threads share."""

import threading
import time

import pytest

from xpress.once import once


def test_one_value_for_all_threads_made_when_it_is_asked_for():
    made: list[object] = []

    def slow() -> object:
        time.sleep(0.02)
        made.append(object())
        return made[-1]

    value = once(slow)
    assert not made
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(value())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(item is made[0] for item in found)


def test_a_failure_is_tried_again():
    answers = iter([ValueError("once"), 7])

    def make() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    value = once(make)
    with pytest.raises(ValueError, match="once"):
        value()
    assert value() == 7
