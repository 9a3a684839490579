# SPDX-License-Identifier: Apache-2.0
"""Records that come twice: what says the same is one, what says something else under the same id is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from gitprompt.store.tables.trace_ids import key_of
from gitprompt.transfer.foreign.records import ForeignTrace, Losses


class Doubles:
    """What has come in this run, by digests: some hundred bytes each."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._seen: dict[bytes, bytes] = {}
        self._said: dict[
            bytes, bytes
        ] = {}  # of each trace: a mark of each field, and of what it says

    def is_new(self, kind: str, identity: str, value: Any) -> bool:
        """Whether it is the first of its id. One that says something else under the same id is a loss."""
        key = hashlib.blake2b(
            f"{kind} {identity}".encode("utf-8", "replace"), digest_size=12
        ).digest()
        content = hashlib.blake2b(repr(value).encode("utf-8", "replace"), digest_size=8).digest()
        before = self._seen.setdefault(key, content)
        if before is content:
            return True
        if before != content:
            self._losses.add(
                f"{kind}.id", "another one has the same id: the first is kept", identity
            )
            self._losses.keep(f"{kind} {identity}: another one has the same id", _plain(value))
        return False

    def what_is_new(self, trace: ForeignTrace) -> ForeignTrace:
        """The trace with what was not said of it before. Lists and details of an API say more and less of one trace;
        what two say differently is a loss, of the second."""
        key = hashlib.blake2b(f"trace {key_of(trace.trace_id)}".encode(), digest_size=12).digest()
        said = {
            **trace.fields,
            **{f"metadata.{key}": item for key, item in trace.metadata.items()},
            "timestamp": trace.start_ms,
        }
        marks = {
            field: hashlib.blake2b(
                repr((field, item)).encode("utf-8", "replace"), digest_size=6
            ).digest()
            for field, item in said.items()
        }
        before = self._said.get(key)
        if before is None:
            self._said[key] = _packed(marks)
            return trace
        known = _unpacked(before)
        other = [field for field, mark in marks.items() if known.get(_short(field), mark) != mark]
        for field in other:
            self._losses.add(
                f"trace.{field}",
                "another record of the same trace says otherwise: the first is kept",
                trace.trace_id,
            )
        if other:
            self._losses.keep(
                f"trace {trace.trace_id}: another one has the same id",
                trace._replace(spans=())._asdict(),
            )
        more = {field: mark for field, mark in marks.items() if _short(field) not in known}
        self._said[key] = before + _packed(more)
        fields = {field: item for field, item in trace.fields.items() if field in more}
        metadata = {
            name: item for name, item in trace.metadata.items() if f"metadata.{name}" in more
        }
        return trace._replace(start_ms=None, fields=fields, metadata=metadata)


def _short(field: str) -> bytes:
    return hashlib.blake2b(field.encode("utf-8", "replace"), digest_size=4).digest()


def _packed(marks: Mapping[str, bytes]) -> bytes:
    return b"".join(_short(field) + mark for field, mark in marks.items())


def _unpacked(data: bytes) -> dict[bytes, bytes]:
    return {data[at : at + 4]: data[at + 4 : at + 10] for at in range(0, len(data), 10)}


def _plain(value: Any) -> Mapping[str, Any]:
    if hasattr(value, "_asdict"):
        fields: Mapping[str, Any] = value._asdict()
        return fields
    return dict(value) if isinstance(value, Mapping) else {"value": value}
