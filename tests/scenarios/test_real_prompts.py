# SPDX-License-Identifier: Apache-2.0
"""Twelve prompts such as people send to models: stored by git and over REST, rendered, compared, and
read back equal."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.world import Clone, Refused, Server

FRAGMENTS = {
    "tone": "Be kind, {{customer}}.\nNever guess.\n",
    "legal/eu": "{{#eu}}Mention the GDPR.{{/eu}}\n",
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}  # fmt: skip
PIXEL = base64.b64encode(b"\x89PNG\r\n" + bytes(range(256)) * 8).decode()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


PROMPTS: Mapping[str, Mapping[str, Any]] = {
    "image": {
        "messages": [user([{"type": "text", "text": "What is on {{what}}?"},
                           {"type": "image_url", "image_url": {"url": "https://x.test/{{what}}.png", "detail": "low"}},
                           {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}])],
        "variables": {"what": {"type": "string", "required": True}},
    },
    "tools": {
        "messages": [
            {"role": "developer", "content": "Call tools."},
            user("Weather in {{place}}?"),
            {"role": "assistant", "content": None,
             "tool_calls": [{"id": "c1", "type": "function",
                             "function": {"name": "weather", "arguments": '{"place": "{{place}}"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "{{clear}}"}'},
            user("And tomorrow?"),
        ],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    },
    "schema": {
        "messages": [user("Read the invoice:\n{{invoice}}")],
        "response_format": {"type": "json_schema", "json_schema": {"name": "invoice", "strict": True, "schema": {
            "type": "object", "properties": {"total": {"type": "number"}}, "additionalProperties": False}}},
        "model_config": {"model": "gpt-4o", "temperature": 0, "seed": 7},
    },
    "few-shot": {
        "messages": [system("Classify."), user("great!"), {"role": "assistant", "content": "positive {{x}}"},
                     user("awful"), {"role": "assistant", "content": "negative"}, user("{{text}}")],
        "variables": {"text": {"type": "string", "required": True}},
    },
    "long": {"messages": [system("\n".join(f"{n}. Rule number {n} of many." for n in range(2_000)))]},
    "windows": {"messages": [system("One.\r\nTwo.\r\n\r\nThree {{x}}.\r\n")]},
    "emoji": {"messages": [user("👩🏽‍🚀 {{name}} 🇺🇳 \u200d \U0001f469\u200d\U0001f469\u200d\U0001f467 ﷽ \u202eabc")]},
    "chat": {
        "messages": [system("Help."), {"type": "placeholder", "name": "history", "required": True}, user("{{question}}")],
        "tests": [{"variables": {"question": "why"}, "placeholders": {"history": []}, "contains": ["why"]}],
    },
    "shared": {
        "messages": [system("Rules:\n  {{> tone}}\n{{> legal/eu}}\nEnd."), user("{{question}}")],
        "variables": {"customer": {"type": "string", "required": True}, "eu": {"type": "boolean", "default": True},
                      "question": {"type": "string"}},
    },
    "german": {"messages": [user("Übersetze „{{größe}}“ ins Englische – ohne Erklärung.")],
               "variables": {"größe": {"type": "string"}}},
    "japanese": {"messages": [user("{{名前}}さん、こんにちは。")], "variables": {"名前": {"type": "string"}}},
    "arabic": {"type": "text", "messages": [user("مرحبا {{الاسم}}!")], "variables": {"الاسم": {"type": "string"}}},
}  # fmt: skip
VALUES = {
    "what": "cat", "place": "Rome", "invoice": "{{total}}: 3", "text": "{{x}}", "x": "4", "name": "Ada",
    "question": "why?", "customer": "Bo", "größe": "groß", "名前": "花子", "الاسم": "سلمى",
}  # fmt: skip
HISTORY = [user("{{literal}}"), {"role": "assistant", "content": "Yes."}]
SHARED = "Rules:\n  Be kind, {{customer}}.\n  Never guess.\n{{#eu}}Mention the GDPR.{{/eu}}\nEnd."


def whole(name: str) -> dict[str, Any]:
    """A prompt as it has to come back: with its fragments."""
    document: dict[str, Any] = json.loads(json.dumps(PROMPTS[name]))
    if name == "shared":
        document["messages"][0]["content"] = SHARED
    return document


def ask(server: Server, space: str, path: str, *, method: str = "GET", body: Any = None) -> Any:
    return server.request(
        path, method=method, key=server.key(workspace=space),
        headers={"X-Workspace-Id": space, "Content-Type": "application/json"},
        content=None if body is None else json.dumps(body).encode(),
    )  # fmt: skip


def changed(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "description": "The second version"}


@pytest.fixture(scope="module", params=["git as YAML", "git as JSON", "REST"])
def space(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:  # fmt: skip
    """A workspace with all of them in two versions, by one way in."""
    way: str = request.param
    folder = tmp_path_factory.mktemp("real")
    workspace = f"{way.replace(' ', '-').lower()}-{folder.name}"  # may be made more than once
    clone = Clone.init(folder / "clone")
    for name, text in FRAGMENTS.items():
        clone.write(f"prompts/_fragments/{name}.md", text)
    clone.commit("Share")
    clone.git("remote", "add", "origin", server.remote(workspace=workspace))
    clone.git("push", "-q", "origin", "main")
    for version, edit in (("1.0.0", dict[str, Any]), ("1.1.0", changed)):
        if way == "REST":
            for name, document in PROMPTS.items():
                body = {"name": name, "version": version, **edit(document)}
                answer = ask(server, workspace, "/v1/prompts", method="POST", body=body)
                assert answer.status_code == 201, answer.text
            continue
        for name, document in PROMPTS.items():
            suffix, text = _file(edit(document), way)
            clone.write(f"prompts/{name}{suffix}", text)
        clone.commit(version)
        clone.gitprompt("publish", *PROMPTS, "--bump", "minor")
    if way != "REST":
        clone.push_all("origin")
    return workspace


def _file(document: Mapping[str, Any], way: str) -> tuple[str, str]:
    if way.endswith("JSON"):
        return ".json", json.dumps(document)
    import yaml

    return ".yaml", yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def test_they_are_twelve() -> None:
    assert len(PROMPTS) == 12


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_comes_back_equal_renders_and_is_compared(
    server: Server, space: str, name: str
) -> None:
    answer = ask(server, space, f"/v1/prompts/{name}?version=1.0.0&render=false")
    assert answer.status_code == 200, answer.text
    content = answer.json()["content"]
    content.pop("name"), content.pop("version")
    assert content == whole(name)
    answer = ask(server, space, f"/v1/prompts/{name}/diff?from=1.0.0&to=1.1.0")
    assert answer.status_code == 200, answer.text
    assert "The second version" in answer.text
    body = {"variables": VALUES, "placeholders": {"history": HISTORY}, "version": "1.0.0"}
    answer = ask(server, space, f"/v1/prompts/{name}/render", method="POST", body=body)
    assert answer.status_code == 200, answer.text
    CHECKS.get(name, lambda messages: None)(answer.json()["content"]["messages"])


def _image(messages: Any) -> None:
    text, first, second = messages[0]["content"]
    assert text["text"] == "What is on cat?"
    assert first["image_url"] == {"url": "https://x.test/cat.png", "detail": "low"}
    assert second["image_url"]["url"].endswith(PIXEL)


def _tools(messages: Any) -> None:
    assert messages[1]["content"] == "Weather in Rome?"
    assert messages[2]["tool_calls"][0]["function"]["arguments"] == '{"place": "{{place}}"}'
    assert messages[3]["content"] == '{"sky": "{{clear}}"}'


def _few_shot(messages: Any) -> None:
    assert messages[2]["content"] == "positive {{x}}"
    assert messages[-1]["content"] == "{{x}}"


def _chat(messages: Any) -> None:
    assert messages == [system("Help."), *HISTORY, user("why?")]


def _shared(messages: Any) -> None:
    assert messages[0]["content"] == SHARED.replace("{{customer}}", "Bo").replace("{{#eu}}", "").replace("{{/eu}}", "")  # fmt: skip


def _text(expected: str) -> Any:
    def check(messages: Any) -> None:
        assert messages[-1]["content"] == expected

    return check


CHECKS = {
    "image": _image, "tools": _tools, "few-shot": _few_shot, "chat": _chat, "shared": _shared,
    "schema": _text("Read the invoice:\n{{total}}: 3"), "windows": _text("One.\r\nTwo.\r\n\r\nThree 4.\r\n"),
    "german": _text("Übersetze „groß“ ins Englische – ohne Erklärung."), "japanese": _text("花子さん、こんにちは。"),
    "arabic": _text("مرحبا سلمى!"),
}  # fmt: skip


# What is refused


def test_an_image_of_20_mb_is_refused_with_the_limit(server: Server, published: Clone) -> None:
    picture = "data:image/png;base64," + base64.b64encode(bytes(20_000_000)).decode()
    document = {"messages": [user([{"type": "image_url", "image_url": {"url": picture}}])]}
    published.commit("Picture", big=json.dumps(document))
    published.tag("big", "1.0.0")
    said = published.refusal(
        "push", server.remote(workspace="pictures"), "main", "refs/tags/*:refs/tags/*"
    )
    assert "the file has too many bytes: at most 1048576 are read" in said
    body = {"name": "big", "version": "1.0.0", **document}
    answer = ask(server, "pictures", "/v1/prompts", method="POST", body=body)
    assert answer.status_code == 413
    with pytest.raises(Refused, match="at most 1048576"):
        published.gitprompt("validate")


def test_a_thousand_messages_are_stored(server: Server) -> None:
    document = {
        "name": "many",
        "version": "1.0.0",
        "messages": [user(f"{n}") for n in range(1_000)],
    }
    answer = ask(server, "thousand", "/v1/prompts", method="POST", body=document)
    assert answer.status_code == 201, answer.text
    content = ask(server, "thousand", "/v1/prompts/many").json()["content"]
    assert content["messages"] == document["messages"]
