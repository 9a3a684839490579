# SPDX-License-Identifier: Apache-2.0
"""Markdown and plain text."""

from __future__ import annotations

from tests.transfer.file_formats.reading import document, read


def test_settings_at_the_head_and_roles_in_headings() -> None:
    text = "---\nname: mine\ndescription: D\nmodel: gpt-4o\ntemperature: 0\ntags: [a]\nvariables: [x]\nowner: ada\n---\n# System\nBe {{x}}.\n\n## User:\nGo\n"
    _, ((name, found),), _ = read("x.md", text)
    assert name == "mine"
    assert found == {
        "description": "D", "tags": ["a"], "variables": {"x": {"type": "string"}}, "metadata": {"owner": "ada"},
        "messages": [{"role": "system", "content": "Be {{x}}."}, {"role": "user", "content": "Go"}],
        "model_config": {"temperature": 0, "model": "gpt-4o"},
    }  # fmt: skip


def test_text_without_more_is_one_message() -> None:
    assert document("x.md", "# Title\n\nHello {{x}}\n") == {
        "type": "text",
        "messages": [{"role": "user", "content": "# Title\n\nHello {{x}}"}],
    }
    assert document("x.txt", "Hello\n{{x}}\n") == {
        "type": "text",
        "messages": [{"role": "user", "content": "Hello\n{{x}}"}],
    }
    assert read("x.txt", "a\nb {{")[2][0][0] == 2
