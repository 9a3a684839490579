# SPDX-License-Identifier: Apache-2.0
"""What a reconciliation has to do: a function of refs, what is known, pins and settings."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.publication import Pin, Version
from gitprompt.core.settings import NAMESPACES, Settings
from gitprompt.git.refs import Packed, Refs
from gitprompt.registry.sync.plan import Known, PinnedTag, Plan, plan

A, B = "a" * 40, "b" * 40
TAG, LABEL = "refs/tags/prompts/welcome/1.0.0", "refs/labels/welcome@production"
PIN = Pin(Version("welcome", "1.0.0", A, None, A, 0, "x", "prompts/welcome"), 0)


def planned(
    now: dict[str, str],
    before: dict[str, str],
    *,
    pins: dict[tuple[str, str], Pin] | None = None,
    settings: Settings | None = None,
    **known: Any,
) -> Plan:
    refs, was = Refs(now, Packed(), ""), Refs(before, Packed(), "")
    fields = {"rejected": frozenset(), "settings": Settings(), **known}
    pin_of = lambda name, version: (pins or {}).get((name, version))  # noqa: E731
    return plan(refs, Known(refs.changed_since(was), **fields), pin_of, settings or Settings())


def test_what_did_not_change_is_not_looked_at() -> None:
    refs = {TAG: A, LABEL: A, "refs/heads/main": A}
    assert planned(refs, refs) == Plan([], [], [], {}, [], None, False)


def test_a_new_tag_is_loaded_and_one_that_went_unpinned_is_forgotten() -> None:
    assert planned({TAG: A}, {"refs/heads/main": A}).fresh == [(TAG, A)]
    assert planned({}, {TAG: A}).gone == [TAG]


def test_a_pinned_tag_is_held_against_its_pin_whatever_became_of_it() -> None:
    pins = {("welcome", "1.0.0"): PIN}
    assert planned({TAG: B}, {TAG: A}, pins=pins).pinned == [PinnedTag(TAG, PIN, B)]
    steps = planned({}, {TAG: A}, pins=pins)
    assert (steps.pinned, steps.gone) == ([PinnedTag(TAG, PIN, None)], [])


def test_labels_are_looked_at_by_prompt_and_what_names_none_is_rejected() -> None:
    other = "refs/labels/welcome@staging"
    steps = planned({LABEL: A, "refs/labels/nothing": A}, {other: A, "refs/labels/x/y": A})
    assert steps.labels == {"welcome": {LABEL, other}}
    assert [item.ref for item in steps.misnamed] == ["refs/labels/nothing"]
    assert steps.gone == ["refs/labels/x/y"]


def test_an_empty_index_restores_what_is_pinned() -> None:
    refs = Refs({TAG: A}, Packed(), "")
    known = Known(refs.changed_since(Refs({}, Packed(), "")), frozenset(), None)
    assert plan(refs, known, lambda _name, _version: None, Settings()).restores


def test_other_checks_make_it_look_again_at_what_was_rejected() -> None:
    strict = Settings(checks={"size": "error"})
    steps = planned({TAG: A}, {TAG: A}, settings=strict, rejected=frozenset((TAG,)))
    assert steps.fresh == [(TAG, A)]


def test_another_namespace_makes_it_look_at_all_labels_there() -> None:
    moved = "refs/heads/labels/welcome@production"
    steps = planned({moved: A}, {moved: A}, settings=Settings(namespace=NAMESPACES[1]))
    assert (steps.left, steps.labels) == (NAMESPACES[0], {"welcome": {moved}})


REFS = st.dictionaries(
    st.sampled_from(
        [
            *(f"refs/tags/prompts/{name}/{version}" for name in "ab" for version in ("1", "2.0.0")),
            *(f"refs/labels/{name}@{label}" for name in "ab" for label in ("x", "latest")),
            "refs/labels/no-at", "refs/heads/main", "refs/tags/v1",
        ]
    ),
    st.sampled_from([A, B]),
)  # fmt: skip


@given(REFS, REFS, st.sets(st.sampled_from(["1", "2.0.0"])))
def test_each_changed_ref_of_ours_is_in_one_part_of_the_plan(
    now: dict[str, str], before: dict[str, str], pinned: set[str]
) -> None:
    steps = planned(now, before or {"refs/heads/other": A}, pins={("a", v): PIN for v in pinned})
    parts = [
        *(ref for ref, _ in steps.fresh), *(tag.ref for tag in steps.pinned), *steps.gone,
        *(item.ref for item in steps.misnamed), *(ref for refs in steps.labels.values() for ref in refs),
    ]  # fmt: skip
    changed = {ref for ref in now.keys() | before.keys() if now.get(ref) != before.get(ref)}
    ours = {ref for ref in changed if ref.startswith(("refs/tags/prompts/", "refs/labels/"))}
    assert sorted(parts) == sorted(ours)
