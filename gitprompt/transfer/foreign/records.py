# SPDX-License-Identifier: Apache-2.0
"""What an importer makes of another system's records, and what is lost on the way."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gitprompt.core.telemetry.numbers import number_of
from gitprompt.core.versions import reads_as_version

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


Keep = Callable[[str, Mapping[str, Any]], None]


def _forget(_why: str, _record: Mapping[str, Any]) -> None:
    """Where nobody keeps what is refused."""


class Losses:
    """The loss report: one line for each field and reason. `keep` is given every record that is not taken as it is,
    with the reason."""

    def __init__(self, keep: Keep = _forget) -> None:
        self._found: dict[tuple[str, str], list[Any]] = {}
        self.keep = keep

    def refuse(self, field: str, why: str, record: Mapping[str, Any], example: object) -> None:
        """A record that does not come over at all."""
        self.add(field, f"{why}: not imported", example)
        self.keep(why, record)

    def each(
        self,
        field: str,
        records: Iterable[Record],
        read: Callable[[Record], Iterator[Item]],
        example: str = "",
    ) -> Iterator[Item]:
        """What the records are in our words, each for itself: one that cannot be read ends nothing."""
        for record in records:
            try:
                yield from read(record)
            except Unreadable as error:
                self.refuse(
                    field, str(error), record, record.get("id") or record.get("name") or example
                )
            except (TypeError, ValueError, AttributeError, KeyError, RecursionError, OverflowError):
                # A shape that nobody has seen yet must not end the import of the rest.
                self.refuse(
                    field, "of another shape than is known", record, record.get("id") or example
                )

    def add(self, field: str, reason: str, example: object) -> None:
        found = self._found.setdefault((field, reason), [0, str(example)[:128]])
        found[0] += 1

    def __iter__(self) -> Iterator[Loss]:
        return (Loss(*key, *found) for key, found in sorted(self._found.items()))

    def __bool__(self) -> bool:
        return bool(self._found)


class LivePage(NamedTuple):
    """Records of one page; once they are stored, `mark` is noted for `stage`, so that another run goes on there. None:
    another run asks for them again, as for prompts, which are written last. `lost`: what the system would not give."""

    stage: str
    mark: Any
    records: Sequence[Any]
    lost: Sequence[tuple[str, str]] = ()


class ForeignApi(Protocol):
    """Another system's API, whose answers are JSON. Raises SourceFailed."""

    def get(self, path: str, **params: str | int) -> Any:
        """The answer to a question."""

    def post(self, path: str, body: Any) -> Any:
        """The answer to a question that has a body."""


class Importer(Protocol):
    """What knows another system's records."""

    house: str
    unasked: Sequence[tuple[str, str]]
    """What `pages` does not ask for, and how it comes: field and reason."""

    def kind_of(self, record: Record) -> str | None:
        """What a record is, told from its shape; None for none of this system's."""

    def read(self, kind: str, record: Record, losses: Losses) -> Iterator[Item]:
        """What it is in our words. Raises Unreadable for a record that cannot be kept."""

    def pages(self, api: ForeignApi, done: Mapping[str, Any]) -> Iterator[LivePage]:
        """The records of the system itself, page by page, after those that `done` names: for each stage the mark of
        its last page."""

    def finish(self, losses: Losses, *, is_whole: bool) -> Iterator[Item]:
        """What can only be said once all records were read; of an input that was cut, only what cannot change any
        more."""

    def began(self, kind: str, record: Record) -> tuple[str, int, bool] | None:
        """Of which trace a record is, when it began in Unix milliseconds, and whether it is the trace itself;
        None for a record that begins nothing."""


class Unreadable(ValueError):
    """A record that cannot be kept; the message says why."""


# What importers share


def is_deep(value: Any, most: int = 100) -> bool:
    """Whether there is more nesting in it than anybody sends on."""
    level = [value]
    for _ in range(most):
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def objects_in(
    record: Record, key: str, field: str, losses: Losses, example: object
) -> list[dict[str, Any]]:
    """The objects of a list in a record; what else is there is told."""
    value = record.get(key)
    found = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    number = len(value) if isinstance(value, list) else 0 if value in (None, "", {}) else 1
    if number > len(found):
        losses.add(field, "of another shape than is known: not imported", example)
    return found


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


def structured(value: Any) -> Any:
    """The object or list that a text is in JSON, if it says just the same; else the value itself."""
    if (
        not isinstance(value, str)
        or value.lstrip()[:1] not in ("{", "[")
        or "\\ud" in value.lower()
    ):
        return value
    try:
        return json.loads(value, parse_constant=_no_number, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return value


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


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
            for inner, more in item.items():
                flat[_free(f"{key}.{inner}", flat, value)] = more
        else:
            flat[key] = item
    return flat


def _free(name: str, *taken: Mapping[str, Any]) -> str:
    """The name, or one like it that nobody has."""
    while any(name in one for one in taken):
        name += "_"
    return name


def beside(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata that says both: their keys that are words of ours go below `metadata.`, and what is more than a
    row takes below `more`."""
    said = {key: value for key, value in ours.items() if value is not None}
    other: dict[str, Any] = {}
    for key, value in theirs.items():
        is_ours = key in _WORDS or key in ours
        other[_free(f"metadata.{key}", theirs, other) if is_ours else key] = value
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
     "stage_type", "validator_type", "passed", "more", "timestamp_ms", "duration_ms", "spans_start_ms")
)  # fmt: skip


def label_problem(label: str) -> str:
    """What keeps a label of another system from being one of ours, or nothing."""
    if label == "latest":
        return "`latest` is what is newest: no label is needed"
    if reads_as_version(label):
        return f"reads as a version: rename it, for example to v-{label}"
    return ""
