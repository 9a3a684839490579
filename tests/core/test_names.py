# SPDX-License-Identifier: Apache-2.0
"""None"""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given

from gitprompt.core import names, versions
from gitprompt.errors import Invalid
from tests.core.strategies import NAME, SEMVER


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
