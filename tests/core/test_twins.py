# SPDX-License-Identifier: Apache-2.0
"""What cannot both exist."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.names import fold
from gitprompt.core.twins import Spellings, Taken
from gitprompt.core.versions import precedence


def test_a_spelling_is_no_twin_of_itself() -> None:
    taken = Spellings(["welcome"])
    assert taken.twin("welcome") is None
    assert taken.twin("Welcome") == "welcome"
    assert taken.twin("other") is None


def test_an_existing_twin_is_named_even_to_one_that_exists_too() -> None:
    assert Spellings(["a", "A"]).twin("a") == "A"


def test_a_version_is_held_against_its_own_prompt_alone() -> None:
    taken = Taken()
    taken.add("a", "1.0.0")
    taken.add("b", "2.0")
    assert taken.objection("a", "1.0.0") is None
    assert taken.objection("a", "2") is None
    equal = taken.objection("a", "1")
    assert equal is not None
    assert (equal.code, equal.message) == (
        "version", "1 has the same precedence as 1.0.0, which is published",
    )  # fmt: skip


def test_a_name_of_another_case_is_refused_before_its_version_is_looked_at() -> None:
    taken = Taken()
    taken.add_name("a")
    objection = taken.objection("A", "1.0.0")
    assert objection is not None
    assert (objection.code, objection.message) == ("name", "'A' differs only in case from 'a'")


NAMES = st.sampled_from(["a", "A", "b", "B/x", "b/X"])
VERSIONS = st.sampled_from(["1", "1.0", "1.0.0", "2.0.0", "2.0.0-rc.1"])


@given(st.lists(st.tuples(NAMES, VERSIONS)))
def test_whatever_is_let_in_has_no_twin(offered: list[tuple[str, str]]) -> None:
    taken, inside = Taken(), set[tuple[str, str]]()
    for name, version in offered:
        if taken.objection(name, version) is None:
            taken.add(name, version)
            inside.add((name, version))
    assert len({fold(name) for name, _ in inside}) == len({name for name, _ in inside})
    assert len({(name, precedence(version)) for name, version in inside}) == len(inside)
