"""Arrays out of pickles, without running them."""

from __future__ import annotations

import codecs
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xpress.errors import InputError

Known = Mapping[tuple[str, str], Any]


def read_pickled_arrays(path: Path, known: Known | None = None) -> Any:
    """What a pickle of containers, strings, numbers and numpy arrays holds.

    A pickle is a program. The reader here knows those alone; whatever else it names is refused
    before it is made.

    Args:
        path: the file.
        known: what to make instead of further classes, by module and name; they get a state as
            `__setstate__` and must not do anything with it but keep it.

    Raises:
        InputError: missing, no pickle, or it asks for anything else.
    """
    try:
        with Path(path).open("rb") as file:
            return _Restricted(file, known or {}).load()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except _Refused as error:
        raise InputError(
            f"{path}: refused, because it asks for {error}; give plain arrays"
        ) from error
    except Exception as error:  # broken pickles raise whatever their bytes lead to
        raise InputError(f"{path}: not a readable pickle of arrays ({error})") from error


class _Refused(Exception):
    """A pickle asks for something that no table of numbers needs."""


class _Restricted(pickle.Unpickler):
    """Makes containers, strings, numbers, numpy arrays and what is known, and nothing else."""

    def __init__(self, file: Any, known: Known) -> None:
        super().__init__(file, encoding="latin1")
        self._known = {**_KNOWN, **known}

    def find_class(self, module: str, name: str) -> Any:
        known = self._known.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise _Refused(f"{module}.{name}")
        return known

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("an object outside of it")


def _plain(dtype: np.dtype) -> np.dtype:
    if dtype.kind not in "fiub":
        raise _Refused(f"numbers of type {dtype}")
    return dtype


def _dtype(*arguments: Any) -> np.dtype:
    """A type of plain numbers; arrays of objects could hold anything."""
    if not arguments or not isinstance(arguments[0], str):
        raise _Refused("an unusual numpy type")
    return _plain(np.dtype(arguments[0]))


def _empty(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """What arrays are made of; their numbers follow."""
    del kind, code
    return np.ndarray.__new__(_Array, (0,) if shape in ((0,), 0) else tuple(shape), np.int8)


class _Array(np.ndarray):
    """An array that takes plain numbers only."""

    def __setstate__(self, state: Any) -> None:
        _plain(state[2])
        super().__setstate__(state)


def _from_buffer(buffer: Any, dtype: np.dtype, shape: Any, order: Any) -> np.ndarray:
    return np.frombuffer(buffer, _plain(dtype)).reshape(shape, order=order)


def _scalar(dtype: np.dtype, encoded: Any) -> Any:
    data = encoded.encode("latin1") if isinstance(encoded, str) else encoded
    return np.frombuffer(data, _plain(dtype))[0]


def _latin(text: str, encoding: str) -> bytes:
    """How pickles of the second protocol write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"the encoding {encoding}")
    return codecs.latin_1_encode(text)[0]


_KNOWN: dict[tuple[str, str], Callable[..., Any] | str] = {
    ("numpy", "ndarray"): "ndarray",  # never called, only handed to `_reconstruct`
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _latin,
}
