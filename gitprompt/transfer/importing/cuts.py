# SPDX-License-Identifier: Apache-2.0
"""What is larger than a request takes: its beginning is sent, the whole of it is kept here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gitprompt.transfer.foreign.records import ForeignSpan, ForeignTrace, Losses

_LARGE = 1_000_000  # characters of one span or trace
_SAMPLE = 1_000  # that are left of a text


class Cuts:
    def __init__(self, losses: Losses, keep: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._losses, self._keep = losses, keep

    def span(self, span: ForeignSpan) -> ForeignSpan:
        size = len(repr(span.metadata))
        if size <= _LARGE:
            return span
        self._keep(f"span {span.span_id}: too large", span._asdict())
        return span._replace(metadata=self._cut(span.metadata, f"span {span.span_id}"))

    def trace(self, trace: ForeignTrace) -> ForeignTrace:
        if len(repr(trace.fields)) + len(repr(trace.metadata)) <= _LARGE:
            return trace
        self._keep(
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
                key, f"larger than {_LARGE:,} bytes: only its beginning is sent", whose
            )
        return cut
