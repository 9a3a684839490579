# SPDX-License-Identifier: Apache-2.0
"""Labels, and the commits that move them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core import labels
from gitprompt.core.settings import NAMESPACES
from gitprompt.errors import Invalid
from tests.core.strategies import NAME, SEMVER


@given(NAME, st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,12}", fullmatch=True))
def test_label_refs_read_back(name: str, label: str) -> None:
    try:
        labels.check_label(label)
    except Invalid:
        return
    for namespace in NAMESPACES:
        ref = labels.label_ref(name, label, namespace=namespace)
        assert labels.split_label_ref(ref, namespace=namespace) == (name, label)
        assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


@pytest.mark.parametrize(
    "label",
    ["", "latest", "1.0.0", "1", "v2", "-a", "a/b", "a..b", "a.", "a.lock", "é", "a" * 129, "a\n"],
)
def test_a_bad_label_is_refused(label: str) -> None:
    with pytest.raises(Invalid):
        labels.check_label(label)


@given(NAME, SEMVER, st.none() | SEMVER, st.text())
def test_a_move_reads_back_whatever_its_reason(
    name: str, version: str, previous: str | None, reason: str
) -> None:
    move = labels.MoveRecord(name, "production", version, previous, reason)
    found = labels.parse_move(labels.move_message(move))
    assert found is not None
    assert found[:4] == move[:4]


def test_a_reason_cannot_change_what_a_move_says() -> None:
    reason = "Ok\n\nPrompt: other\nLabel: production\nVersion: 9.9.9\n\n"
    found = labels.parse_move(
        labels.move_message(labels.MoveRecord("a", "b", "1.0.0", None, reason))
    )
    assert found is not None
    assert (found.name, found.version) == ("a", "1.0.0")


def test_an_ordinary_commit_is_no_move() -> None:
    assert labels.parse_move("Fix a typo\n\nVersion: 1.0.0\n") is None
    assert labels.parse_move("") is None
