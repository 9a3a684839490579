# SPDX-License-Identifier: Apache-2.0
"""Sends telemetry that another system has kept: in arrays, each id once, with times that are relative to the start
of their trace. Sent again, it changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gitprompt.store.tables.trace_ids import key_of
from gitprompt.transfer.foreign.records import (
    ForeignRow,
    ForeignScore,
    ForeignTrace,
    Losses,
)
from gitprompt.transfer.importing.cuts import Cuts
from gitprompt.transfer.importing.doubles import Doubles

_ROWS = 1_000  # spans, or scores, that wait for each other
_BYTES = 4_000_000  # of a request
_WAITING = 16_000_000  # characters that wait for each other
_SAMPLED = 100  # traces that are read back at the end
_FUTURE = "in the future: it counts as of the import; see metadata.timestamp_ms"
_FIRST = "spans_start_ms"  # of a trace whose spans came before it


class Api(Protocol):
    """A server that takes JSON. Raises Refused for an answer of 400 and above, but for 429 and 5xx, which end all."""

    def post(self, path: str, body: Any) -> Any: ...


class Refused(Exception):
    """The server takes a request as little as ever; the message is its own."""


class Sent(NamedTuple):
    """How many records of a kind are new, and how many were there."""

    new: int = 0
    there: int = 0


class Telemetry:
    """Where an importer's traces, scores and rows go. `api` None: nowhere, for a dry run."""

    def __init__(
        self,
        api: Api | None,
        losses: Losses,
        starts: dict[str, int],
        *,
        now_ms: int,
        oldest_ms: int | None = None,
    ) -> None:
        """`starts`: when each trace of the input began, by the key of its id, in Unix milliseconds. `oldest_ms`: what
        is older the server will delete."""
        self._oldest_ms = oldest_ms
        self._latest_ms = now_ms
        self._sample: dict[str, dict[str, bytes]] = {}
        self._api = api
        self._losses = losses
        self._starts = starts
        self._traces: list[ForeignTrace] = []
        self._scores: list[Mapping[str, Any]] = []
        self._waiting = self._bytes = 0  # traces and spans, and about how large they are
        self._doubles, self._cuts = Doubles(losses), Cuts(losses)
        self._counted: set[bytes] = set()
        self.counts: dict[str, list[int]] = {}

    def add(self, item: ForeignTrace | ForeignScore | ForeignRow) -> None:
        if isinstance(item, ForeignTrace):
            spans = [
                self._cuts.span(span)
                for span in item.spans
                if self._doubles.is_new("span", f"{key_of(item.trace_id)} {span.span_id}", span)
            ]
            item = item._replace(fields=self._cuts.texts("trace", item.fields, item.trace_id))
            if item.start_ms is not None:
                item = self._doubles.what_is_new(item)
            self._tell_times(item)
            if spans or item.start_ms is not None or item.fields or item.metadata:
                trace = self._cuts.trace(item._replace(spans=spans))
                self._traces.append(trace)
                self._waiting += 1 + len(spans)
                self._bytes += len(repr(trace))
        elif isinstance(item, ForeignScore):
            if self._doubles.is_new("score", str(item.body["score_id"]), item.body):
                self._scores.append(
                    self._dated(self._cuts.texts("score", item.body, item.body["score_id"]))
                )
        elif self._doubles.is_new(item.path, json.dumps(item.body, sort_keys=True), ""):
            self._post_row(item)
        if self._waiting >= _ROWS or self._bytes >= _WAITING:
            self._flush_traces()
        if len(self._scores) >= _ROWS:
            self._flush_scores()

    def flush(self) -> None:
        """Send what waits. Returns when the server has it on disk."""
        self._flush_traces()
        self._flush_scores()

    def _dated(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if body.get("timestamp", 0) * 1000 <= self._latest_ms:
            return body
        self._losses.add("score.timestamp", _FUTURE, body["score_id"])
        return {key: value for key, value in body.items() if key != "timestamp"}

    def _tell_times(self, trace: ForeignTrace) -> None:
        """What will not stay, and what has not happened yet."""
        late = [span for span in trace.spans if (span.start_ms or 0) > self._latest_ms]
        if late or (trace.start_ms or 0) > self._latest_ms:
            self._losses.add("trace.timestamp", _FUTURE, trace.trace_id)
        if (
            self._oldest_ms is not None
            and trace.start_ms is not None
            and trace.start_ms < self._oldest_ms
        ):
            self._losses.add(
                "trace.timestamp",
                "older than the server keeps telemetry (GITPROMPT_KEEP_DAYS): it will delete it",
                trace.trace_id,
            )

    def verify(self, get: Callable[[str], Any | None]) -> dict[str, int]:
        """Read some of the traces back, and compare the digests of their texts: how many, how many say something
        else, and how many are gone, as retention lets them. `get` answers None for what is not there."""
        other = gone = 0
        for trace_id, digests in self._sample.items():
            stored = get(f"/v1/traces/{trace_id}")
            if stored is None:
                gone += 1
            else:
                other += any(
                    _digest(stored.get(field)) != digest for field, digest in digests.items()
                )
        return {"read": len(self._sample) - gone, "other": other, "gone": gone}

    def _remember(self, trace: ForeignTrace, answer: Mapping[str, Any]) -> None:
        """Some of the traces with what they said, for `verify`."""
        if trace.trace_id not in self._sample and (
            trace.start_ms is None or len(self._sample) >= _SAMPLED
        ):
            return
        kept = answer.get("kept", ())
        digests = self._sample.setdefault(trace.trace_id, {})
        for field in ("name", "input", "output"):
            if trace.fields.get(field) is not None and field not in kept:
                digests.setdefault(field, _digest(trace.fields[field]))

    # traces

    def _flush_traces(self) -> None:
        traces, self._traces = list(_merged(self._traces)), []
        self._waiting = self._bytes = 0
        if not traces:
            return
        stubs = [self._stub(trace) for trace in traces]
        if self._api is None:
            for trace in traces:
                self._spans(trace, self._start(trace))
            self._count("traces", new=sum(map(self._is_uncounted, traces)))
            self._count("spans", new=sum(len(trace.spans) for trace in traces))
            return
        answers = dict(self._posted("/v1/traces", stubs))
        whole: list[tuple[ForeignTrace, list[Mapping[str, Any]], dict[str, Any]]] = []
        for at, trace in enumerate(traces):
            answer = answers.get(at)
            if answer is None:
                self._refuse_spans(trace)
                continue
            new = answer["status"] == 201
            if self._is_uncounted(trace):
                self._count("traces", new=int(new), there=int(not new))
            self._tell_kept(trace, answer)
            self._remember(trace, answer)
            there = answer.get("metadata") or {}
            start = there.get(_FIRST, there.get("timestamp_ms"))
            is_known = isinstance(start, int) or trace.start_ms is not None
            start = start if isinstance(start, int) else self._start(trace)
            about = {} if is_known else {"metadata": {_FIRST: start}}
            whole += [(trace, part, about) for part in _parts(self._spans(trace, start))]
        bodies: list[dict[str, Any]] = [
            {"trace_id": trace.trace_id, "spans": part, **about} for trace, part, about in whole
        ]
        for at, answer in self._posted("/v1/traces", bodies):
            refused, number = answer["refused"], answer["sent"]
            self._count("spans", new=answer["spans"], there=number - answer["spans"] - len(refused))
            for one in refused:
                self._losses.add(
                    "span", f"refused by the server: {_general(one['error'])}", one["span_id"]
                )
                span = next(s for s in bodies[at]["spans"] if s["span_id"] == one["span_id"])
                self._losses.keep(one["error"], {"trace_id": whole[at][0].trace_id, **span})

    def _refuse_spans(self, trace: ForeignTrace) -> None:
        """The server does not take the trace, and so none of its spans."""
        for span in trace.spans:
            self._losses.add("span", "its trace was refused", span.span_id)
            self._losses.keep(
                "its trace was refused", {"trace_id": trace.trace_id, **span._asdict()}
            )

    def _is_uncounted(self, trace: ForeignTrace) -> bool:
        """Whether it is the first record that says something of this trace."""
        key = bytes.fromhex(key_of(trace.trace_id))
        if trace.start_ms is None or key in self._counted:
            return False
        self._counted.add(key)
        return True

    def _start(self, trace: ForeignTrace) -> int:
        if trace.start_ms is not None:
            return trace.start_ms
        began = [span.start_ms for span in trace.spans if span.start_ms is not None]
        return self._starts.get(key_of(trace.trace_id), min(began, default=0))

    def _stub(self, trace: ForeignTrace) -> dict[str, Any]:
        """The trace without its spans."""
        start = self._start(trace)
        body: dict[str, Any] = {
            "trace_id": trace.trace_id,
            "timestamp": min(start, self._latest_ms) // 1000,
            **trace.fields,
        }
        metadata = dict(trace.metadata)
        if trace.start_ms is not None:
            metadata["timestamp_ms"] = start
        return {**body, "metadata": metadata} if metadata else body

    def _spans(self, trace: ForeignTrace, start: int) -> list[dict[str, Any]]:
        bodies = []
        for span in trace.spans:
            began, ended = span.start_ms, span.end_ms
            if began is not None and began < start:
                self._losses.add(
                    "span.start_time",
                    "before its trace: it is 0; see metadata.timestamp_ms",
                    span.span_id,
                )
            if began is not None and ended is not None and ended < began:
                self._losses.add(
                    "span.end_time", "before its start: it is as the start", span.span_id
                )
                ended = began
            body: dict[str, Any] = {
                "span_id": span.span_id, "parent_id": span.parent_id, "name": span.name, "status": span.status,
                "metadata": dict(span.metadata),
            }  # fmt: skip
            if began is not None:
                body["start_time"] = max(began - start, 0)
                body["timestamp"] = min(began, self._latest_ms) // 1000
                body["metadata"]["timestamp_ms"] = began
            if ended is not None:
                body["end_time"] = max(ended - start, 0)
            if began is not None and ended is not None:
                body["metadata"]["duration_ms"] = ended - began
            bodies.append({key: value for key, value in body.items() if value is not None})
        return bodies

    def _tell_kept(self, trace: ForeignTrace, answer: Mapping[str, Any]) -> None:
        for field in answer.get("kept", ()):
            self._losses.add(
                f"trace.{field}", "the server has another value, which stays", trace.trace_id
            )

    # the rest

    def _flush_scores(self) -> None:
        scores, self._scores = self._scores, []
        if not scores:
            return
        if self._api is None:
            self._count("scores", new=len(scores))
            return
        for _, answer in self._posted("/v1/scores", scores):
            self._count("scores", new=int(answer["is_new"]), there=int(not answer["is_new"]))

    def _post_row(self, row: ForeignRow) -> None:
        kind = row.path.rpartition("/")[2]
        if self._api is None:
            self._count(kind, new=1)
            return
        try:
            self._api.post(row.path, row.body)
        except Refused as error:
            self._losses.add(
                kind, f"refused by the server: {_general(str(error))}", _name_of(row.body)
            )
            self._losses.keep(str(error), row.body)
        else:
            self._count(kind, new=1)

    def _posted(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Any]]:
        """(place, answer) of what the server has taken, in arrays that are not too large; what it refuses is halved
        until it is alone, told, and kept."""
        assert self._api is not None
        for start, end in _batches(bodies):
            yield from self._array(path, bodies, start, end)

    def _array(
        self, path: str, bodies: Sequence[Mapping[str, Any]], start: int, end: int
    ) -> Iterator[tuple[int, Any]]:
        assert self._api is not None
        try:
            answer = self._api.post(path, list(bodies[start:end]))
        except Refused as error:
            if end - start > 1:
                middle = (start + end) // 2
                yield from self._array(path, bodies, start, middle)
                yield from self._array(path, bodies, middle, end)
                return
            yield from self._smaller(path, bodies, start, str(error))
            return
        for at, item in enumerate(answer["items"] if isinstance(answer, dict) else answer, start):
            if isinstance(answer, dict) and item["status"] >= 400:
                fields = (item.get("details") or {}).get("fields") or [item["error"]]
                yield from self._smaller(path, bodies, at, "; ".join(map(str, fields)))
            else:
                yield at, {**item, "sent": len(bodies[at].get("spans") or ())}

    def _smaller(
        self, path: str, bodies: Sequence[Mapping[str, Any]], at: int, why: str
    ) -> Iterator[tuple[int, Any]]:
        """A body that was refused in two halves of its spans; one that has no more than one is told and kept."""
        spans = bodies[at].get("spans") or ()
        if len(spans) < 2:
            self._refuse(path, bodies[at], why)
            return
        middle = len(spans) // 2
        for half in (spans[:middle], spans[middle:]):
            for _, answer in self._array(path, [{**bodies[at], "spans": half}], 0, 1):
                yield at, answer

    def _refuse(self, path: str, body: Mapping[str, Any], why: str) -> None:
        kind = "span" if body.get("spans") else path.rpartition("/")[2].removesuffix("s")
        self._losses.add(
            kind,
            f"refused by the server: {_general(why)}",
            _name_of(body),
        )
        self._losses.keep(why, body)

    def _count(self, kind: str, *, new: int = 0, there: int = 0) -> None:
        counts = self.counts.setdefault(kind, [0, 0])
        counts[0] += new
        counts[1] += there


def _parts(spans: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The spans of a trace in parts that a request takes."""
    for start, end in _batches(spans):
        yield list(spans[start:end])


def _batches(bodies: Sequence[Any]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for at, body in enumerate(bodies):
        length = len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
        if at > start and (size + length > _BYTES or at - start >= _ROWS):
            yield start, at
            start, size = at, 0
        size += length
    if len(bodies) > start:
        yield start, len(bodies)


def _general(why: str) -> str:
    """A reason without the ids in it, so that alike ones are counted together."""
    words = (word if not any(char.isdigit() for char in word) else "…" for word in why.split(" "))
    return " ".join(words)[:200]


def _name_of(body: Mapping[str, Any]) -> str:
    found = (body.get(key) for key in ("trace_id", "score_id", "log_id", "run_id", "name"))
    return str(next((one for one in found if one), "?"))


def _digest(text: Any) -> bytes:
    return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).digest()


def _merged(traces: Sequence[ForeignTrace]) -> Iterator[ForeignTrace]:
    """Each trace once, with all its spans that wait; a second one that says something of itself stays by itself."""
    merged: dict[str, ForeignTrace] = {}
    for trace in traces:
        key = key_of(trace.trace_id)
        other = merged.get(key)
        if other is None:
            merged[key] = trace
        elif trace.start_ms is None or other.start_ms is None:
            said, more = (trace, other) if trace.start_ms is not None else (other, trace)
            merged[key] = said._replace(
                fields={**more.fields, **said.fields},
                metadata={**more.metadata, **said.metadata},
                spans=[*other.spans, *trace.spans],
            )
        else:
            yield other
            merged[key] = trace
    yield from merged.values()
