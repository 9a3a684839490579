# SPDX-License-Identifier: Apache-2.0
"""Rendering in a form: empty, absent and default are three things."""

from __future__ import annotations

import uuid

import pytest

from tests.server.client import Client
from tests.server.ui.browsing import Browser, words
from tests.world import Server

DOCUMENT = {
    "name": "form",
    "version": "1.0.0",
    "messages": [
        {
            "role": "user",
            "content": "Hi {{name}}, {{locale}}: {{#items}}{{.}};{{/items}}{{n}}{{on}}",
        },
        {"type": "placeholder", "name": "history"},
    ],
    "variables": {
        "name": {"type": "string", "required": True, "description": "Whom to greet"},
        "locale": {"type": "string", "default": "en"},
        "items": {"type": "array"},
        "n": {"type": "number"},
        "on": {"type": "boolean"},
    },
}


@pytest.fixture(scope="module")
def browser(server: Server) -> Browser:
    client = Client(server, **{"X-Workspace-Id": "rendered"})
    client.post("/v1/prompts", DOCUMENT)
    changed = {
        **DOCUMENT,
        "version": "1.1.0",
        "messages": [{"role": "user", "content": "Hello {{name}}"}],
    }
    client.post("/v1/prompts", changed)
    client.post("/v1/prompts/form/labels", {"name": "production", "version_tag": "1.0.0"})
    return Browser(server, workspace="rendered")


PATH = "render?prompt=form&version=1.0.0"


def test_the_form_has_a_field_for_each_variable(browser: Browser) -> None:
    page = browser.page(PATH)
    for part in ("name string, required", "Whom to greet", "the default “en”", "nothing is filled in",
                 "Messages for history", "1.0.0 · production"):  # fmt: skip
        assert part in page


def test_absent_is_the_default_and_empty_is_empty(browser: Browser) -> None:
    absent = browser.post(PATH, **{"v.name": "Ada", "v.locale": "", "v.items": "", "v.n": ""})
    assert "Hi Ada, en:" in words(absent)
    empty = browser.post(PATH, **{"v.name": "", "give.locale": "1", "v.locale": ""})
    assert "user 7 characters Hi , :" in words(empty)
    given = browser.post(PATH, **{
        "v.name": "{{locale}}", "give.items": "1", "v.items": '["a", "b"]', "give.n": "1", "v.n": "1.50",
        "give.on": "1", "v.on": "true", "p.history": '[{"role": "user", "content": "Before"}]',
    })  # fmt: skip
    page = words(given)
    assert "Hi {{locale}}, en: a;b;1.5true" in page  # a value is never a template
    assert "user 6 characters Before" in page
    assert "about" in page
    assert "/v1/prompts/form/render" in page
    assert "?v." not in given.text  # values are in no address


def test_two_versions_with_the_same_values(browser: Browser) -> None:
    page = words(browser.post(PATH, **{"v.name": "Ada", "also": "1.1.0"}))
    assert "Hi Ada, en:" in page
    assert "Hello Ada" in page


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "Missing required variables: name"),
        ({"v.name": "a", "give.n": "1", "v.n": "many"}, "expected number"),
        ({"v.name": "a", "give.items": "1", "v.items": "[1"}, "expected JSON"),
        ({"v.name": "a", "p.history": "[1"}, "a list of messages is JSON"),
        ({"v.name": "a", "p.history": "3"}, "expected a list of messages"),
    ],
)
def test_what_cannot_be_rendered_is_said(browser: Browser, form: dict[str, str], said: str) -> None:
    page = words(browser.post(PATH, **form))
    assert "It cannot be rendered with these values." in page
    assert said in page


def test_the_values_of_a_span_are_taken_over(server: Server, browser: Browser) -> None:
    client = Client(server, **{"X-Workspace-Id": "rendered"})
    trace = str(uuid.uuid4())
    client.post("/v1/traces", {"trace_id": trace, "prompt_name": "form", "version_tag": "1.0.0"})
    span = {
        "span_id": "s",
        "name": "n",
        "metadata": {"kind": "llm", "variables": {"name": "Grace", "items": [1]}},
    }
    client.post(f"/v1/traces/{trace}/spans", span)
    page = browser.get(f"{PATH}&trace={trace}&span=s")
    assert "Grace</textarea>" in page.text
    assert "[1]</textarea>" in page.text
    assert "those that the span s was rendered with" in words(page)
    assert browser.get(f"{PATH}&trace={trace}&span=other").status_code == 200


def test_what_is_not_there(browser: Browser) -> None:
    for path in (
        "render",
        "render?prompt=nothing",
        "render?prompt=form&version=9.9.9",
        "render?prompt=form&version=x",
    ):
        assert browser.get(path).status_code == 404


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '{"\\ud800": 1}', '[{"role": "user", "content": "\\ud800"}]', "[" * 100_000]
)  # fmt: skip
def test_what_no_text_can_have_is_said(browser: Browser, text: str) -> None:
    answer = browser.post(
        "render?prompt=form&version=1.0.0", **{"v.name": "Ada", "p.history": text}
    )
    assert answer.status_code == 200
    assert "a list of messages is JSON" in words(answer)


def test_a_span_may_have_half_a_character(server: Server, browser: Browser) -> None:
    client = Client(server, **{"X-Workspace-Id": "rendered"})
    trace_id = str(uuid.uuid4())
    client.post("/v1/traces", {"trace_id": trace_id})
    client.post(f"/v1/traces/{trace_id}/spans", {"span_id": "s1", "name": "chat", "metadata": {
        "gitprompt.prompt.variables": '{"name": "\\ud800"}'}})  # fmt: skip
    assert "form" in browser.page("render", prompt="form", trace=trace_id, span="s1")
