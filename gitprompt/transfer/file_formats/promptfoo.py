# SPDX-License-Identifier: Apache-2.0
"""promptfoo's configurations (https://www.promptfoo.dev): prompts, and their tests and asserts as suites."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    from_jinja,
    in_yaml,
    json_of,
    mapping_of,
)

_ENDINGS = (".yaml", ".yml", ".json")
_MOST = 1 << 20  # bytes of a file that is named
_TEMPLATES = ("system", "developer", "user")


class Promptfoo:
    name = "promptfoo"

    def is_one(self, path: str, text: str) -> bool:
        stem = os.path.basename(path).lower()
        if not stem.endswith(_ENDINGS):
            return False
        if stem.startswith("promptfooconfig."):
            return True
        return "providers:" in text and "prompts:" in text

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        config = mapping_of(text)
        given = config.get("prompts")
        prompts: list[tuple[str, dict[str, Any]]] = []
        for number, (name, content) in enumerate(_prompts(given, path, notes), 1):
            messages = list(_messages(content, notes))
            document: dict[str, Any] = {"messages": messages}
            if (
                len(messages) == 1
                and messages[0]["role"] == "user"
                and isinstance(json_of(content), type(None))
            ):
                document = {"type": "text", **document}
            if config.get("description"):
                document["description"] = str(config["description"])
            prompts.append((name or f"-{number}", document))
        if not prompts:
            raise NotSuch("it has no prompts that can be read")
        suites = []
        tests = config.get("tests")
        if isinstance(tests, str):
            notes.lost(1, f"tests in {tests[:60]}: not imported; write them into the configuration")
        cases = [one for one in tests if isinstance(one, dict)] if isinstance(tests, list) else []
        shared = config.get("defaultTest")
        if cases or isinstance(shared, dict):
            for name, _ in prompts:
                suites.append(
                    (name, _suite(name, cases, shared if isinstance(shared, dict) else {}))
                )
        return PromptFile(prompts, suites)


def _prompts(given: Any, path: str, notes: Notes) -> Iterator[tuple[str, str]]:
    """Name and text of each; what is in a file beside is read, what would be run is not."""
    for one in given if isinstance(given, list) else [given]:
        name = ""
        if isinstance(one, dict):
            name = str(one.get("label") or "")
            one = one.get("raw") or one.get("id")
        if not isinstance(one, str):
            continue
        if (
            not one.startswith("file://")
            and "\n" not in one
            and one.lower().endswith((".txt", ".json", ".md", ".j2"))
        ):
            one = f"file://{one}"
        if one.startswith("file://"):
            beside = one.removeprefix("file://")
            text = _beside(path, beside, notes)
            if text is not None:
                yield name or os.path.splitext(os.path.basename(beside))[0], text
        else:
            yield name, one


def _beside(path: str, name: str, notes: Notes) -> str | None:
    """The text of a file that is named, in the folder of the configuration or below it."""
    folder = os.path.realpath(os.path.dirname(path) or ".")
    there = os.path.realpath(os.path.join(folder, name))
    if not there.startswith(folder + os.sep):
        notes.lost(1, f"{name} is outside of the folder: not read")
        return None
    if not there.lower().endswith((".txt", ".json", ".md", ".j2", ".yaml", ".yml")):
        notes.lost(1, f"{name} would be run, or holds several: not imported")
        return None
    try:
        with open(there, encoding="utf-8-sig") as file:
            return file.read(_MOST)
    except (OSError, UnicodeDecodeError) as error:
        notes.lost(1, f"{name} cannot be read: {error}")
        return None


def _messages(content: str, notes: Notes) -> Iterator[dict[str, Any]]:
    """Nunjucks is Jinja, as far as prompts go."""
    value = json_of(content)
    if isinstance(value, list) and all(isinstance(one, dict) and "role" in one for one in value):
        for one in value:
            text = one.get("content")
            is_template = isinstance(text, str) and one["role"] in _TEMPLATES
            yield {**one, "content": from_jinja(text, 1, notes, {}) if is_template else text}
    else:
        yield {"role": "user", "content": from_jinja(content.strip("\n"), 1, notes, {})}


def _suite(name: str, cases: list[Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """All tests of a prompt: what judges them is whoever posts results."""
    tests = [_case(one) for one in cases]
    criteria: dict[str, Any] = {"tests": tests}
    if shared:
        criteria["default_test"] = _case(shared)
    threshold = shared.get("threshold")
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and threshold >= 0:
        criteria["min_score"] = threshold
    return {"description": "As promptfoo had it", "prompt_name": name, "criteria": criteria}


def _case(one: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("description", "vars", "assert", "threshold", "options", "metadata")
    return {key: one[key] for key in kept if one.get(key) is not None}


def written(name: str, document: Mapping[str, Any]) -> str:
    """A configuration with this prompt; its provider is the document's model."""
    model = document.get("model_config", {})
    content = json.dumps(document["messages"], ensure_ascii=False)
    provider = {
        "id": str(model.get("model", "echo")),
        "config": {key: value for key, value in model.items() if key != "model"},
    }
    tests = [
        {"description": one.get("name", f"test {at}"), "vars": one.get("variables", {})}
        for at, one in enumerate(document.get("tests", ()), 1)
    ]
    config = {
        "description": document.get("description", name),
        "prompts": [{"label": name, "raw": content}],
        "providers": [provider],
        "tests": tests or [{}],
    }
    return in_yaml(config)


def lost(document: Mapping[str, Any]) -> list[str]:
    """What of a document a configuration has no words for."""
    found = [
        key
        for key in (
            "variables",
            "tools",
            "tool_choice",
            "response_format",
            "tags",
            "metadata",
            "deprecated",
            "ollama",
        )
        if key in document
    ]
    if any("contains" in one or "not_contains" in one for one in document.get("tests", ())):
        found.append("what tests look for in the prompt: asserts are about answers")
    if any(_is_more(message.get("content")) for message in document["messages"]):
        found.append("sections, which Nunjucks writes otherwise")
    return found


def _is_more(content: Any) -> bool:
    return isinstance(content, str) and any(
        mark in content for mark in ("{{#", "{{^", "{{>", "{{=")
    )
