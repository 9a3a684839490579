# SPDX-License-Identifier: Apache-2.0
"""Variables, rendering, diff and bump: the pure rules about one or two documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from gitprompt import checks, formats
from gitprompt.core.document import place, served
from tests.world import SEED


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
