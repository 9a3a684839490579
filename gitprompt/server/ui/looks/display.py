# SPDX-License-Identifier: Apache-2.0
"""Text and numbers as a page shows them.

What is shown was written by strangers: a character that shows nothing, or shows other text than is there
(controls, bidirectional marks, zero-width and tag characters), is shown by its number, so that a reviewer
sees what a model reads. Numbers have separators and units; a dash is what nobody knows, never a zero.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

NOTHING = "–"
FEW = 30  # a mean or a rate of fewer says little

# Controls but line end and tab, soft hyphen, combining grapheme joiner, Arabic letter mark, Hangul fillers,
# Mongolian vowel separator and selectors, zero-width and bidirectional characters, variation selectors, byte
# order mark, interlinear annotations, tags, and halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_JOINERS = "\u200c\u200d"  # scripts and emoji need them between two of theirs
_PRESENTATION = "\ufe0e\ufe0f"  # as text or as emoji: after one character that can be both
_DEPENDS = re.compile(f"[{_JOINERS}{_PRESENTATION}]")


class Exact(str):
    """Text that is sent as it is, still escaped: what stands in a field to be edited, or in a URL."""

    __slots__ = ()


def shown(value: Any) -> Any:
    """What a template writes, with every character that hides something shown as `[U+200B]`."""
    if type(value) is str:
        if _HIDDEN.search(value) is None:
            return value
        return _DEPENDS.sub(_number, value).translate(_numbers())
    return NOTHING if value is None else value


@cache
def _numbers() -> Mapping[int, str]:
    """What each character is shown as that hides something whatever is around it."""
    candidates = map(chr, (*range(0x10000), *range(0xE0000, 0xE1000)))
    hidden = (char for char in candidates if _HIDDEN.match(char) and not _DEPENDS.match(char))
    return {ord(char): f"[U+{ord(char):04X}]" for char in hidden}


def _is_odd(text: str) -> bool:
    return _HIDDEN.search(text) is not None


def _number(match: re.Match[str]) -> str:
    """A character that hides something or not, by what is around it."""
    char = match[0]
    if char in _JOINERS:
        text, at = match.string, match.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if before in _PRESENTATION and before:
            before = text[at - 2 : at - 1]
        if all(side and not side.isascii() and not _is_odd(side) for side in (before, after)):
            return char
    if char in _PRESENTATION:
        before = match.string[match.start() - 1 : match.start()]
        if before and not _is_odd(before) and (not before.isascii() or before in "#*0123456789"):
            return char
    return f"[U+{ord(char):04X}]"


def hidden_in(text: str) -> int:
    """How many characters of a text are shown by their number."""
    kept = sum(1 for match in _DEPENDS.finditer(text) if _number(match) == match[0])
    return len(_HIDDEN.findall(text)) - kept


def pretty(value: Any) -> str:
    """JSON for people. `value` may be JSON already: then it is laid out anew, or shown as it is."""
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return str(value)


def compact(value: Any) -> str:
    """JSON on one line; text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def number(value: float | None) -> str:
    """With separators; one that is no integer with at most three digits after the point."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def percent(share: float | None) -> str:
    """A share of 1, with two digits where it is below a tenth."""
    if share is None:
        return NOTHING
    hundredths = share * 100
    return f"{hundredths:.0f} %" if hundredths == 0 or hundredths >= 10 else f"{hundredths:.2f} %"


def rate(errors: int, calls: int) -> str:
    return percent(errors / calls) if calls else NOTHING


def milliseconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    if abs(value) < 10_000:
        return f"{value:,.0f} ms"
    seconds = value / 1_000
    return f"{seconds:,.1f} s" if abs(seconds) < 600 else f"{seconds / 60:,.1f} min"


def dollars(value: float | None) -> str:
    """USD: cents from a dollar on, else two digits that mean something."""
    if value is None:
        return NOTHING
    if value == 0 or abs(value) >= 1:
        return f"${value:,.2f}"
    text = f"{float(f'{value:.2g}'):.9f}".rstrip("0")
    return f"${text}".ljust(text.index(".") + 4, "0")


def person(text: str) -> str:
    """The name of `Ada <ada@example.com>`."""
    return text.partition(" <")[0] or text


def iso(seconds: float) -> str:
    """For machines: what `<time datetime>` has."""
    return _moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(seconds: float) -> str:
    return _moment(seconds).strftime("%Y-%m-%d %H:%M UTC")


def utc_seconds(seconds: float) -> str:
    return _moment(seconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def _moment(seconds: float) -> datetime:
    """Any number that was stored: what no calendar has is its last day."""
    return datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_799), UTC)


_UNITS = ((86_400 * 365, "y"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def ago(seconds: float, now: float) -> str:
    """How long before `now`: `5 d`, `2 min`; in the future it has a plus."""
    apart = int(now - seconds)
    sign = "+" if apart < 0 else ""
    for unit, name in _UNITS:
        if abs(apart) >= unit:
            return f"{sign}{abs(apart) // unit} {name}"
    return "now"


def change(before: float | None, after: float | None) -> str:
    """By what share a value has changed, with its sign."""
    if before is None or after is None or not before:
        return ""
    return f"{signed((after - before) / before * 100, 0)} %"


def signed(value: float, digits: int) -> str:
    """With its sign, and so many digits after the point."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):.{digits}f}"
