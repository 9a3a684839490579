# SPDX-License-Identifier: Apache-2.0
"""`formats.read` at three times its speed for JSON, with the same outcome: for whoever reads 100,000
documents at once. docs/adr/0004 has the profile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from gitprompt import formats

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read(data: bytes, path: str) -> Any:
    """Raises what `formats.read` raises."""
    if path.endswith(".json") and len(data) < 50_000:
        try:
            value = _decode(data)
            encoded = _encode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return formats.read(data, path)
        flat = data.count(b"[") + data.count(b"{") <= formats.MAX_DEPTH
        if flat and b"\0" not in data and not formats.may_repeat_a_key(data, encoded):
            return value
    return formats.read(data, path)


_MANY = 500  # documents; a few are not worth a pause of the collector


@contextmanager
def undisturbed(count: int) -> Iterator[None]:
    """Without the garbage collector, while so many are read: nothing that is loaded makes cycles, and
    looking for them would take a third of the time."""
    pauses = count >= _MANY and gc.isenabled()
    if pauses:
        gc.disable()
    try:
        yield
    finally:
        if pauses:
            gc.enable()
