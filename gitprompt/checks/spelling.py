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
    """The key that this one is nearest to, if it is near to any."""
    from difflib import SequenceMatcher

    folded = key.lower().replace("-", "_")

    def nearness(other: str) -> float:  # which of the two comes first makes a difference
        pairs = ((folded, other), (other, folded))
        return max(SequenceMatcher(None, *pair).ratio() for pair in pairs)

    nearest = max(sorted(KEYS), key=nearness)
    return nearest if nearness(nearest) >= _CLOSE else None
