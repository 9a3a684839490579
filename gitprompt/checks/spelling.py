# SPDX-License-Identifier: Apache-2.0
"""A key that is nearly one of ours is probably meant to be it. Other unknown keys are their team's own."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.document import KEYS
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"misspelt-key": "warning"}
NEEDS_SHAPE = False
_CLOSE = 0.7  # one letter of four that is wrong or swapped


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt" or type(subject.document) is not dict:
        return
    for key in subject.document.keys() - KEYS:
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
    from difflib import get_close_matches

    folded = key.lower().replace("-", "_")
    if folded in KEYS:
        return folded
    return next(iter(get_close_matches(folded, KEYS, n=1, cutoff=_CLOSE)), None)
