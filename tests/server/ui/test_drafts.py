# SPDX-License-Identifier: Apache-2.0
"""A draft is judged as its publish will be; see the page's own tests for the rest."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gitprompt.core.settings import Settings
from gitprompt.server.context import Context
from gitprompt.server.ui.drafts import MAX_TEXT, ExaminedDraft, examined

TEXT = 'messages:\n  - {role: user, content: "Hi {{name}}"}\nvariables:\n  name: {type: string}\n'


class Nothing:
    """A workspace that nothing was pushed to."""

    def __init__(self, checks: dict[str, str]) -> None:
        self.index = self.workspaces = self
        self.checks: Any = checks

    def latest(self, _workspace: str, _name: str) -> None:
        return None

    def settings(self, _workspace: str) -> Settings:
        return Settings(checks=self.checks)

    def source(self, _workspace: str) -> None:
        return None


def draft(text: str, name: str = "greet", **checks: str) -> ExaminedDraft:
    context = cast(Context, Nothing(checks))
    return asyncio.run(examined(context, "default", name, text))


def test_a_first_version_is_the_first() -> None:
    found = draft(TEXT)
    assert (found.newest, found.bump, found.next, found.findings) == (None, None, "1.0.0", [])
    assert found.document is not None
    assert found.document["messages"][0]["content"] == "Hi {{name}}"


def test_json_is_read_as_json_and_the_settings_of_the_repository_count() -> None:
    assert draft('{"messages": [{"role": "user", "content": "Hi"}]}').document is not None
    unused = TEXT.replace("{{name}}", "you")
    assert draft(unused).document is not None
    assert draft(unused, **{"unused-variable": "error"}).document is None


@pytest.mark.parametrize(
    "text", ["", "[", "messages: 3", "x" * (MAX_TEXT + 1), TEXT.replace("{{name}}", "{{> none}}")]
)
def test_what_cannot_be_published_has_findings(text: str) -> None:
    found = draft(text)
    assert found.document is None
    assert found.findings
    assert found.next is None


def test_a_name_that_is_none_is_a_finding_elsewhere() -> None:
    assert draft(TEXT, name="").findings is not None
