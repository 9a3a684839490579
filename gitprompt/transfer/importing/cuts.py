# SPDX-License-Identifier: Apache-2.0
"""What is larger than a request takes: its beginning is sent, the whole of it is kept here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gitprompt.transfer.foreign.records import ForeignSpan, ForeignTrace, Losses, short

_LARGE = 1_000_000  # characters of one span or trace
_SAMPLE = 1_000  # that are left of a text


_TEXTS = {
    "name": 256, "prompt_name": 256, "version_tag": 256, "session_id": 256, "user_id": 256, "environment": 256,
    "release": 256, "source": 256, "score_id": 128, "span_id": 128, "parent_id": 128, "comment": 10_000,
}  # fmt: skip


class Cuts:
    """Makes spans and traces as small as a request takes, and keeps the whole of them."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses

    def texts(self, kind: str, fields: Mapping[str, Any], example: object) -> dict[str, Any]:
        """The fields, those that are texts of a bounded length without NUL: the server's bounds (docs/api.md)."""
        clean = dict(fields)
        for field, most in _TEXTS.items():
            if isinstance(clean.get(field), str):
                clean[field] = short(clean[field], most, f"{kind}.{field}", self._losses, example)
        if isinstance(clean.get("tags"), list):
            clean["tags"] = [
                tag.replace("\0", "") or "-" for tag in clean["tags"] if isinstance(tag, str)
            ]
        return {field: value for field, value in clean.items() if value is not None}

    def span(self, span: ForeignSpan) -> ForeignSpan:
        size = len(repr(span.metadata))
        if size <= _LARGE:
            return span
        self._losses.keep(f"span {span.span_id}: too large", span._asdict())
        return span._replace(metadata=self._cut(span.metadata, f"span {span.span_id}"))

    def trace(self, trace: ForeignTrace) -> ForeignTrace:
        if len(repr(trace.fields)) + len(repr(trace.metadata)) <= _LARGE:
            return trace
        self._losses.keep(
            f"trace {trace.trace_id}: too large", {**trace.fields, "metadata": trace.metadata}
        )
        fields = self._cut(trace.fields, f"trace {trace.trace_id}")
        return trace._replace(
            fields=fields, metadata=self._cut(trace.metadata, f"trace {trace.trace_id}")
        )

    def _cut(self, values: Mapping[str, Any], whose: str) -> dict[str, Any]:
        """The values, the largest of them only to their beginning."""
        sizes = {key: len(repr(value)) for key, value in values.items()}
        cut = dict(values)
        for key in sorted(sizes, key=lambda key: -sizes[key]):
            if sum(len(repr(value)) for value in cut.values()) <= _LARGE // 2:
                break
            text = (
                cut[key] if isinstance(cut[key], str) else json.dumps(cut[key], ensure_ascii=False)
            )
            cut[key] = {"cut": len(text), "begins": text[:_SAMPLE]}
            self._losses.add(
                key, f"larger than {_LARGE:,} characters: only its beginning is sent", whose
            )
        return cut
