# SPDX-License-Identifier: Apache-2.0
"""Versions and their precedence, against the semver library."""

from __future__ import annotations

import pytest
import semver
from hypothesis import given

from gitprompt.core import versions
from gitprompt.errors import Invalid
from tests.core.strategies import SEMVER


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


def test_ids_are_exact_in_javascript() -> None:
    assert 0 <= versions.version_id("welcome", "1.0.0") < 2**53
    assert versions.version_id("a", "1.0.0") != versions.version_id("a", "1.0.1")
