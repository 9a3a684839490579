# SPDX-License-Identifier: Apache-2.0
"""A key that is nearly one of ours is probably meant to be it. Other unknown keys are their team's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.document import KEYS
from gitprompt.core.model import Severity
from gitprompt.core.names import nearest

CODES: dict[str, Severity] = {"misspelt-key": "warning"}
NEEDS_SHAPE = False
_MOST = 100  # keys that are looked at: nobody has as many of their own
_CLOSE = 0.8  # several slips in a long key


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt" or type(subject.document) is not dict:
        return
    for key in islice(subject.document.keys() - KEYS, _MOST):
        if type(key) is str and not key.startswith("x-"):
            meant = _meant(key[:64])
            if meant is not None and meant not in subject.document:
                yield Problem(
                    "misspelt-key",
                    f"'{key}' is no key of a prompt; did you mean '{meant}'?",
                    "Keys of your own go below 'metadata', or begin with 'x-'.",
                    (key,),
                )


def _meant(key: str) -> str | None:
    """The key that this one probably is meant to be."""
    folded = key.lower().replace("-", "_")
    if folded in KEYS:
        return folded
    for other in sorted(KEYS):
        if _is_one_slip(folded, other):
            return other
    return nearest(folded, KEYS, cutoff=_CLOSE)


def _is_one_slip(written: str, meant: str) -> bool:
    """Whether one letter is wrong, missing or too many, or two neighbours are swapped."""
    if len(written) == len(meant):
        at = [place for place, (a, b) in enumerate(zip(written, meant, strict=True)) if a != b]
        return len(at) == 1 or (
            len(at) == 2
            and at[1] == at[0] + 1
            and written[at[0]] == meant[at[1]]
            and written[at[1]] == meant[at[0]]
        )
    short, long = sorted((written, meant), key=len)
    return len(long) == len(short) + 1 and any(
        long[:at] + long[at + 1 :] == short for at in range(len(long))
    )
