# SPDX-License-Identifier: Apache-2.0
"""Variables, rendering, diff and bump: the pure rules about one or two documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from gitprompt import checks, formats
from gitprompt.checks import schema
from gitprompt.core.document import ROOT_PATTERN, check_root, place, served
from gitprompt.errors import Invalid
from tests.world import SEED


def test_the_settings_and_the_options_know_one_root() -> None:
    assert schema.load("settings")["properties"]["root"]["pattern"] == ROOT_PATTERN


@pytest.mark.parametrize(
    "text", ["/x", "../x", "a/../b", "a//b", "a\n", 'a"b', " a", ".git", "a" * 201]
)
def test_what_is_no_folder_below_the_top_is_no_root(text: str) -> None:
    with pytest.raises(Invalid, match="no folder below the top"):
        check_root(text)


@pytest.mark.parametrize(
    ("text", "root"),
    [("", ""), (".", ""), ("./", ""), ("services/chat/", "services/chat"), (".\\a\\b c", "a/b c")],
)
def test_a_root_is_written_in_the_ways_of_people(text: str, root: str) -> None:
    assert check_root(text) == root


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_document_of_the_seed_is_valid_as_it_stands(suffix: str) -> None:
    data = (json.dumps(SEED) if suffix == "json" else yaml.safe_dump(SEED)).encode()
    document, findings = checks.examine(
        data, path=f"prompts/welcome.{suffix}", kind="prompt", name="welcome", version="1.0.0"
    )
    assert findings == []
    assert document == SEED


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("prompts/welcome.yaml", ("prompt", "welcome", None)),
        ("prompts/support/triage.json", ("prompt", "support/triage", None)),
        ("prompts/welcome/1.2.0.json", ("prompt", "welcome", "1.2.0")),
        ("prompts/1.2.0.json", ("prompt", "1.2.0", None)),
        ("evals/a/b.yml", ("suite", "a/b", None)),
        ("gitprompt.yaml", ("settings", "", None)),
        ("README.md", (None, "", None)),
        ("prompts/readme.md", (None, "", None)),
    ],
)
def test_a_path_says_what_a_file_is(path: str, expected: Any) -> None:
    assert place(path) == expected


def test_what_is_served_carries_name_and_version_first() -> None:
    assert list(served({"messages": [], "version": "0"}, name="a", version="1"))[:2] == [
        "name",
        "version",
    ]
    assert formats.as_json(b"a: 1\n", "x.yaml", {"a": 1}) == b'{"a":1}'
