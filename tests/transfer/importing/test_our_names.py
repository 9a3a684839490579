# SPDX-License-Identifier: Apache-2.0
"""Names that cannot be ours, and those that can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.names import is_name
from gitprompt.transfer.foreign.records import Losses
from gitprompt.transfer.importing.our_names import OurNames, nearest_name, signature_of
from tests.transfer.moving_in import House, prompt


@given(st.text())
def test_the_nearest_name_is_one_and_a_name_stays(text: str) -> None:
    found = nearest_name(text)
    assert is_name(found), found
    assert nearest_name(found) == found


@given(st.sets(st.text("ab/-. !A", min_size=1, max_size=5), max_size=6))
def test_no_two_have_one_name_and_the_next_run_finds_the_same(names: set[str]) -> None:
    first = OurNames({}, Losses())
    first.take(sorted(names))
    ours = {name: first.ours(name) for name in names}
    assert len({name.lower() for name in ours.values()}) == len(names)
    there = {found: "" if found == name else name for name, found in ours.items()}
    second = OurNames(there, Losses())
    second.take(sorted(names))
    assert {name: second.ours(name) for name in names} == ours


@given(st.text())
def test_whoever_it_was_can_sign(name: str) -> None:
    signed = str(signature_of(name, "langfuse", 1))
    assert signed.count("<") == signed.count(">") == 1
    assert "\n" not in signed


def test_a_name_that_can_be_ours_is_never_given_to_another(house: House) -> None:
    house.migrate(house.write("x.jsonl", prompt("a-b", 1, "Own")))
    both = house.write(
        "y.jsonl", prompt("a b", 1, "Changed"), prompt("a-b", 1, "Own"), prompt("a!b", 1, "Third")
    )
    for new in (2, 0):
        assert house.migrate(both)["counts"]["prompt versions"]["new"] == new
    assert house.client.get("/v1/prompts/a-b?render=false")["text"] == "Own"
    assert house.client.get("/v1/prompts")["total"] == 3
