# SPDX-License-Identifier: Apache-2.0
"""Names of prompts and suites: what they may be, and why a name is refused.

A name becomes part of a ref (`refs/tags/prompts/<name>/<version>`), of a path
(`prompts/<name>.yaml`) and of a URL, so it obeys the strictest of the three.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

from gitprompt.core.versions import reads_as_version
from gitprompt.errors import Invalid

DEFAULT_WORKSPACE = "default"
WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
MAX_LENGTH = 128
MAX_SEGMENTS = 8

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:/[A-Za-z_][A-Za-z0-9_-]*){0,7}\Z")
# A URL such as /v1/prompts/a/versions must not be ambiguous, nor must /v1/prompts/count.
_RESERVED_SEGMENTS = frozenset({"versions", "labels", "diff"})
_RESERVED_NAMES = frozenset({"count", "search"})


@lru_cache(maxsize=4096)
def check_name(name: str) -> str:
    """Return `name`, a valid prompt name, or raise Invalid with the reason.

    >>> check_name("support/triage")
    'support/triage'
    """
    _check_segments(name, kind="prompt name")
    segments = name.split("/")
    for segment in segments[1:]:
        if reads_as_version(segment):
            raise Invalid(
                f"prompt name {name!r}: the segment {segment!r} reads as a version",
                hint=f"A tag prompts/{segments[0]}/{segment} would collide with it; rename it.",
            )
    reserved = _RESERVED_SEGMENTS.intersection(segments)
    if reserved or name in _RESERVED_NAMES:
        word = min(reserved) if reserved else name
        raise Invalid(
            f"prompt name {name!r}: {word!r} is reserved for the HTTP interface",
            hint="Choose another word, for example with a suffix.",
        )
    return name


def check_suite_name(name: str) -> str:
    """Return `name`, a valid suite name, or raise Invalid. A number would be read as an id."""
    _check_segments(name, kind="suite name")
    if "results" in name.split("/")[1:]:
        raise Invalid(
            f"suite name {name!r}: 'results' is reserved for the HTTP interface",
            hint="Choose another word.",
        )
    if name.isdigit():
        raise Invalid(f"suite name {name!r} is a number", hint="Numbers are ids; use a word.")
    return name


def check_fragment_name(name: str) -> str:
    """Return `name`, a valid name of a fragment, or raise Invalid with the reason."""
    _check_segments(name, kind="fragment name")
    return name


def is_kept_for_fragments(name: str) -> bool:
    """Whether a prompt of this name would lie among the fragments."""
    return name.startswith("_fragments/")


def is_name(name: str) -> bool:
    try:
        check_name(name)
    except Invalid:
        return False
    return True


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one of some words that somebody has probably meant, for a hint. It costs a few milliseconds,
    however many and long they are: long ones are not slips of each other, and the first are enough."""
    from difflib import get_close_matches

    some = (other for other in words if abs(len(other) - len(word)) <= _SLIP <= _LONG - len(other))
    close = get_close_matches(word[:_LONG], islice(some, 100), n=1, cutoff=cutoff)
    return close[0] if close else None


_SLIP = 8  # characters more or less: a folder that was left out
_LONG = 48


def fold(name: str) -> str:
    """The form under which two names that differ only in case are the same."""
    return name.lower()


def _check_segments(name: str, *, kind: str) -> None:
    if len(name) <= MAX_LENGTH and _PLAIN.match(name):
        return
    if not name:
        raise Invalid(f"{kind} is empty")
    if len(name) > MAX_LENGTH:
        raise Invalid(f"{kind} is {len(name)} characters long; at most {MAX_LENGTH} are allowed")
    segments = name.split("/")
    if len(segments) > MAX_SEGMENTS:
        raise Invalid(f"{kind} {name!r} has {len(segments)} segments; at most {MAX_SEGMENTS}")
    for segment in segments:
        reason = _segment_problem(segment)
        if reason:
            raise Invalid(
                f"{kind} {name!r}: {reason}",
                hint="Use letters, digits, '_', '-' and '.', in segments joined by '/'.",
            )


def _segment_problem(segment: str) -> str:
    if not segment:
        return "a segment is empty"
    if not _SEGMENT.match(segment):
        return f"the segment {segment!r} is not of the form [A-Za-z0-9_][A-Za-z0-9_.-]*"
    if ".." in segment:
        return "'..' is not allowed"
    if segment.endswith("."):
        return f"the segment {segment!r} ends with a dot, which Git refuses"
    if segment.lower().endswith(".lock"):
        return f"the segment {segment!r} ends with .lock, which Git refuses"
    return ""
