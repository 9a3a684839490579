# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core import labels, names, versions
from gitprompt.core.settings import NAMESPACES
from gitprompt.errors import Invalid

SEGMENT = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
NAME = st.lists(SEGMENT, min_size=1, max_size=8).map("/".join).filter(names.is_name)
NUMBER = st.integers(0, 10**6).map(str)
IDENTIFIER = st.from_regex(r"0|[1-9][0-9]{0,5}|[0-9]{0,3}[a-z-][0-9a-z-]{0,5}", fullmatch=True)
RELEASE = st.tuples(NUMBER, NUMBER, NUMBER).map(".".join)
SEMVER = st.one_of(
    RELEASE,
    st.tuples(RELEASE, st.lists(IDENTIFIER, min_size=1, max_size=4)).map(
        lambda pair: f"{pair[0]}-{'.'.join(pair[1])}"
    ),
).filter(versions.is_version)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("a" * 129, "129 characters"),
        ("a/b/c/d/e/f/g/h/i", "9 segments"),
        ("a//b", "a segment is empty"),
        ("/a", "a segment is empty"),
        ("a/", "a segment is empty"),
        ("a b", "not of the form"),
        ("-a", "not of the form"),
        ("a/-b", "not of the form"),
        (".a", "not of the form"),
        ("a..b", "'..'"),
        ("a/../b", "not of the form"),
        ("a.", "ends with a dot"),
        ("a.lock", ".lock"),
        ("a.LOCK/b", ".lock"),
        ("wеlcome", "not of the form"),  # a Cyrillic е
        ("a%2Fb", "not of the form"),
        ("a\nb", "not of the form"),
        ("a\n", "not of the form"),
        ("a@b", "not of the form"),
        ("a/1.0.0", "reads as a version"),
        ("a/1", "reads as a version"),
        ("a/v2", "reads as a version"),
        ("a/1.0.0-rc.1", "reads as a version"),
        ("a/versions", "reserved"),
        ("labels/a", "reserved"),
        ("a/diff/b", "reserved"),
        ("count", "reserved"),
        ("search", "reserved"),
    ],
)
def test_a_bad_name_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason.replace(".", r"\.")):
        names.check_name(name)


@pytest.mark.parametrize("name", ["welcome", "support/triage", "_a", "9lives", "1.0.0", "a-b.c_d"])
def test_a_good_name_is_returned(name: str) -> None:
    assert names.check_name(name) == name


@given(NAME, SEMVER)
def test_every_valid_name_and_version_is_a_ref_that_git_accepts(name: str, version: str) -> None:
    ref = versions.tag_ref(name, version)
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0
    assert versions.split_tag_ref(ref) == (name, version)


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


@given(SEMVER, SEMVER)
def test_precedence_is_that_of_the_semver_library(left: str, right: str) -> None:
    ours = (versions.precedence(left) > versions.precedence(right)) - (
        versions.precedence(left) < versions.precedence(right)
    )
    assert ours == semver.Version.parse(left).compare(right)


def test_short_versions_have_the_precedence_of_their_long_forms() -> None:
    assert versions.precedence("1") == versions.precedence("1.0") == versions.precedence("1.0.0")
    assert versions.newest(["1.9.0", "1.10.0", "2.0.0-rc.1"]) == "1.10.0"
    assert versions.newest(["2.0.0-rc.1", "2.0.0-rc.2"]) == "2.0.0-rc.2"
    assert versions.newest([]) is None


@pytest.mark.parametrize(
    "version", ["", "1.0.0+build", "v1.0.0", "01.0.0", "1.0.0.0", "1.0-rc", "1.0.0-", "1.0.0-a.lock",
                "1.0.0-01", "١.0.0", "1.0.0\n", "a", "1" * 65]
)  # fmt: skip
def test_what_is_not_a_version_is_refused(version: str) -> None:
    with pytest.raises(Invalid):
        versions.check_version(version)


@pytest.mark.parametrize(
    ("version", "bump", "expected"),
    [
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("7", "minor", "7.1.0"),
        ("2.0.0-rc.1", "patch", "2.0.0"),
    ],
)
def test_bumps(version: str, bump: versions.Bump, expected: str) -> None:
    assert versions.bumped(version, bump) == expected


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
    move = labels.Move(name, "production", version, previous, reason)
    found = labels.parse_move(labels.move_message(move))
    assert found is not None
    assert found[:4] == move[:4]


def test_a_reason_cannot_change_what_a_move_says() -> None:
    reason = "Ok\n\nPrompt: other\nLabel: production\nVersion: 9.9.9\n\n"
    found = labels.parse_move(labels.move_message(labels.Move("a", "b", "1.0.0", None, reason)))
    assert found is not None
    assert (found.name, found.version) == ("a", "1.0.0")


def test_an_ordinary_commit_is_no_move() -> None:
    assert labels.parse_move("Fix a typo\n\nVersion: 1.0.0\n") is None
    assert labels.parse_move("") is None


def test_ids_are_exact_in_javascript() -> None:
    assert 0 <= versions.version_id("welcome", "1.0.0") < 2**53
    assert versions.version_id("a", "1.0.0") != versions.version_id("a", "1.0.1")
