# SPDX-License-Identifier: Apache-2.0
"""The tree of errors: status and exit code follow from the class."""

from __future__ import annotations

import inspect

import pytest

from gitprompt import errors
from gitprompt.errors import GitpromptError, Invalid, Unavailable

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GitpromptError)
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_stable_code_and_a_status(kind: type[GitpromptError]) -> None:
    assert kind.code.isupper()
    assert 400 <= kind.status <= 503
    assert kind.exit_code in (1, 2, 3)


def test_codes_are_not_shared() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)


def test_an_error_carries_what_to_do_next() -> None:
    error = Invalid("wrong", fields=["a: b"], hint="Do this.")
    assert (str(error), error.hint, error.details) == ("wrong", "Do this.", {"fields": ["a: b"]})
    assert Unavailable("busy", retry_after=3).headers == {"Retry-After": "3"}
