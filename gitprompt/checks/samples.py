# SPDX-License-Identifier: Apache-2.0
"""The tests of a prompt: what its rendered text must and must not contain. No model is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import texts
from gitprompt.core.model import Severity
from gitprompt.core.template import Budget
from gitprompt.core.variables import render
from gitprompt.errors import GitpromptError

CODES: dict[str, Severity] = {"test": "error"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    tests = subject.document.get("tests") if subject.kind == "prompt" else None
    budget = Budget()  # for all of them: a thousand tests of a large prompt are no small matter
    for index, test in enumerate(tests if isinstance(tests, list) else ()):
        if isinstance(test, Mapping):
            yield from _failures(subject.document, test, index, budget)


def _failures(
    document: Mapping[str, Any], test: Mapping[str, Any], index: int, budget: Budget
) -> Iterator[Problem]:
    title = f"test {test.get('name') or index + 1}"
    try:
        messages = render(
            document, _mapping(test, "variables"), _mapping(test, "placeholders"), budget=budget
        )
    except GitpromptError as error:
        yield Problem(
            "test", f"{title}: {error.message}", "Give the test what it needs.", ("tests", index)
        )
        return
    text = "\n".join(text for _, text in texts(messages))
    for key, wanted in (("contains", True), ("not_contains", False)):
        for at, words in enumerate(_list(test, key)):
            if isinstance(words, str) and (words in text) is not wanted:
                has = "does not contain" if wanted else "contains"
                yield Problem(
                    "test",
                    f"{title}: the rendered text {has} '{words[:200]}'",
                    "`gitprompt render` shows the text.",
                    ("tests", index, key, at),
                )


def _mapping(test: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = test.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(test: Mapping[str, Any], key: str) -> list[Any]:
    value = test.get(key)
    return value if isinstance(value, list) else []
