"""Values that are made when they are first asked for, whichever thread asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def once(make: Callable[[], Value]) -> Callable[[], Value]:
    """What `make` returns, made at the first call; threads that call meanwhile wait for it.

    `functools.cache` would let each of them make its own.
    """
    lock, made = threading.Lock(), list[Value]()

    def value() -> Value:
        with lock:
            if not made:
                made.append(make())
        return made[0]

    return value
