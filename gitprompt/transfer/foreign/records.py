# SPDX-License-Identifier: Apache-2.0
"""What an importer makes of another system's records, and what is lost on the way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gitprompt.core.telemetry.numbers import number_of
from gitprompt.core.versions import reads_as_version
from gitprompt.transfer.importing.live import ForeignApi, LivePage

Record = Mapping[str, Any]


class ForeignSpan(NamedTuple):
    """A span; times are in Unix milliseconds."""

    span_id: str
    parent_id: str | None
    name: str
    status: str
    start_ms: int | None
    end_ms: int | None
    metadata: Mapping[str, Any]


class ForeignTrace(NamedTuple):
    """A trace, or some spans of one: then `start_ms` is None, and it says nothing of itself. `fields` are those
    of `POST /v1/traces`."""

    trace_id: str
    start_ms: int | None
    fields: Mapping[str, Any]
    metadata: Mapping[str, Any]
    spans: Sequence[ForeignSpan]


class ForeignScore(NamedTuple):
    """The body of a score."""

    body: Mapping[str, Any]


class ForeignRow(NamedTuple):
    """A body that one of our endpoints takes as it is, one by one."""

    path: str
    body: Mapping[str, Any]


class ForeignVersion(NamedTuple):
    """A version of a prompt as it was published elsewhere. `created_at` is in Unix seconds; `labels` are those
    that point at it now, and since when."""

    name: str
    version: str
    document: Mapping[str, Any]
    author: str
    created_at: int
    message: str
    labels: Sequence[tuple[str, int]]
    record: Record


Item = ForeignTrace | ForeignScore | ForeignRow | ForeignVersion


class Loss(NamedTuple):
    """What did not come over as it was, how often, and the first record that had it."""

    field: str
    reason: str
    number: int
    example: str


class Losses:
    """The loss report: one line for each field and reason."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[Any]] = {}

    def add(self, field: str, reason: str, example: object) -> None:
        found = self._found.setdefault((field, reason), [0, str(example)[:128]])
        found[0] += 1

    def __iter__(self) -> Iterator[Loss]:
        return (Loss(*key, *found) for key, found in sorted(self._found.items()))

    def __bool__(self) -> bool:
        return bool(self._found)


class Importer(Protocol):
    """What knows another system's records."""

    house: str

    def kind_of(self, record: Record) -> str | None:
        """What a record is, told from its shape; None for none of this system's."""

    def read(self, kind: str, record: Record, losses: Losses) -> Iterator[Item]:
        """What it is in our words. Raises Unreadable for a record that cannot be kept."""

    def pages(self, api: ForeignApi, done: Mapping[str, Any]) -> Iterator[LivePage]:
        """The records of the system itself, page by page, after those that `done` names: for each stage the mark of
        its last page."""

    def finish(self, losses: Losses) -> Iterator[Item]:
        """What can only be said once all records were read."""

    def began(self, kind: str, record: Record) -> tuple[str, int, bool] | None:
        """Of which trace a record is, when it began in Unix milliseconds, and whether it is the trace itself;
        None for a record that begins nothing."""


class Unreadable(ValueError):
    """A record that cannot be kept; the message says why."""


# What importers share


def text_of(value: Any) -> str | None:
    """A text that says something; numbers as text."""
    if isinstance(value, bool) or value is None:
        return None
    text = value if isinstance(value, str) else str(value) if number_of(value) is not None else None
    return text.strip() or None if text is not None else None


def trace_id_of(text: str, house: str, losses: Losses) -> str:
    """A trace's id as it was, or one that follows from it where it is neither a UUID nor 32 hexadecimal digits."""
    try:
        if len(text) in (32, 36) and uuid.UUID(text).hex == text.replace("-", "").lower():
            return text
    except ValueError:
        pass
    losses.add(
        "trace.id", "no UUID: replaced by one that follows from it; see metadata.trace_id", text
    )
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"gitprompt:{house}:trace:{text}"))


def key_of(trace_id: str) -> str:
    """What all spellings of an id have in common."""
    return trace_id.replace("-", "").lower()


def short(value: Any, most: int, field: str, losses: Losses, example: object) -> str | None:
    """A text of at most so many characters, without NUL; None for none."""
    text = text_of(value)
    if text is None:
        return None
    clean = text.replace("\0", "")
    if clean != text:
        losses.add(field, "had NUL characters: they are gone", example)
    if len(clean) > most:
        losses.add(field, f"longer than {most} characters: cut", example)
    return clean[:most] or None


def tags_of(value: Any, losses: Losses, example: object) -> list[str]:
    """Tags, each of a name's length, at most fifty."""
    tags = [tag[:256] for tag in map(text_of, value if isinstance(value, list) else ()) if tag]
    if len(tags) > _MOST_TAGS:
        losses.add("tags", f"more than {_MOST_TAGS}: the others are gone", example)
    return tags[:_MOST_TAGS]


_MOST_TAGS = 50
_MOST_KEYS = 47  # of 50, beside what we say ourselves


def flattened(value: Any) -> dict[str, Any]:
    """Metadata as a mapping: nested objects one level up, as `outer.inner`; what is no object is `value`."""
    if value is None or value == {}:
        return {}
    if not isinstance(value, dict):
        return {"value": value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and item:
            flat.update((f"{key}.{inner}", more) for inner, more in item.items())
        else:
            flat[key] = item
    return flat


def beside(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata that says both: their keys that are words of ours go below `metadata.`, and what is more than a
    row takes below `more`."""
    said = {key: value for key, value in ours.items() if value is not None}
    other = {
        f"metadata.{key}" if key in _WORDS or key in ours else key: v for key, v in theirs.items()
    }
    room = _MOST_KEYS - len(said)
    if len(other) > room:
        keys = list(other)
        other = {
            **{key: other[key] for key in keys[: room - 1]},
            "more": {key: other[key] for key in keys[room - 1 :]},
        }
    return {**other, **said}


_WORDS = frozenset(
    ("kind", "type", "model", "provider", "tokens_in", "tokens_out", "tokens_cached", "tokens_written",
     "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "cost_usd", "tool", "validator",
     "stage_type", "validator_type", "passed", "more")
)  # fmt: skip


def label_problem(label: str) -> str:
    """What keeps a label of another system from being one of ours, or nothing."""
    if label == "latest":
        return "`latest` is what is newest: no label is needed"
    if reads_as_version(label):
        return f"reads as a version: rename it, for example to v-{label}"
    return ""
