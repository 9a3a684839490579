# SPDX-License-Identifier: Apache-2.0
"""PromptPack, and LangSmith's manifests in files."""

from __future__ import annotations

import json

import pytest

from gitprompt.transfer.file_formats.promptpack import PromptPack
from gitprompt.transfer.foreign.prompt_files import Notes, NotSuch
from tests.transfer.file_formats.reading import document, read
from tests.transfer.foreign.test_manifests import template

PACK = {
    "$schema": "https://promptpack.org/schema.json", "id": "support", "name": "Support", "version": "1.0.0",
    "template_engine": {"version": "v1", "syntax": "{{variable}}"},
    "prompts": {
        "triage": {
            "id": "triage", "name": "Triage", "version": "1.0.0", "description": "Sorts",
            "system_template": "You sort for {{company}}. {{tone}}",
            "variables": [{"name": "company", "type": "string", "required": True}, {"name": "limit", "type": "number", "default": 3}],
            "parameters": {"temperature": 0.1}, "tools": ["look", "gone"], "validators": [{"type": "length"}],
        },
        "other": {"system_template": "Hi"},
    },
    "fragments": {"tone": "Be brief."},
    "tools": {"look": {"name": "look", "description": "Looks", "parameters": {"type": "object", "properties": {}}}},
}  # fmt: skip


def test_every_prompt_of_a_pack() -> None:
    name, prompts, lost = read("pack.json", json.dumps(PACK))
    assert (name, [one for one, _ in prompts], lost) == (
        "promptpack",
        ["triage", "other"],
        [(1, "the tool gone is not in the pack")],
    )
    found = dict(prompts)["triage"]
    assert found["messages"] == [
        {"role": "system", "content": "You sort for {{company}}. Be brief."}
    ]
    assert found["variables"] == {
        "company": {"type": "string", "required": True},
        "limit": {"type": "number", "default": 3},
    }
    assert found["tools"][0]["function"]["name"] == "look"
    assert found["metadata"] == {"title": "Triage", "validators": [{"type": "length"}]}
    with pytest.raises(NotSuch, match="not known"):
        PromptPack().read(
            "x.json", json.dumps({**PACK, "template_engine": {"syntax": "<%x%>"}}), Notes("x")
        )


def test_a_manifest() -> None:
    found = document("m.json", json.dumps({"manifest": template("Hi {name}"), "commit_hash": "a"}))
    assert found == {"type": "text", "messages": [{"role": "user", "content": "Hi {{name}}"}]}
