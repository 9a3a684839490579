# SPDX-License-Identifier: Apache-2.0
"""promptfoo's configurations (https://www.promptfoo.dev): prompts, and their tests and asserts as suites."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitprompt import formats
from gitprompt.core.messages import TEMPLATED
from gitprompt.errors import GitpromptError
from gitprompt.transfer.foreign.jinja import Uses
from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    as_said,
    from_jinja,
    in_yaml,
    json_of,
    mapping_of,
    stripped,
)

_ENDINGS = (".yaml", ".yml", ".json")
_MOST = 1 << 20  # bytes of a file that is named


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
        prompts: list[tuple[str, dict[str, Any]]] = []
        uses = Uses()
        found = list(_prompts(config.get("prompts"), path, notes))
        for number, (name, content, file) in enumerate(found, 1):
            line = _line_of(content, text) if file == path else 1
            inner = notes if file == path else Notes(file)
            messages = list(_messages(content, line, inner, uses))
            notes.notes += inner.notes if inner is not notes else []
            document: dict[str, Any] = {"messages": messages}
            if not isinstance(json_of(content), list):
                document = {"type": "text", **document}
            if config.get("description"):
                document["description"] = str(config["description"])
            prompts.append((name or f"-{number}", document))
        if not prompts:
            raise NotSuch("it has no prompts that can be read")
        if config.get("providers"):
            notes.told(
                1,
                "providers: which model is asked is not part of these prompts; write it into model_config",
            )
        if config.get("scenarios"):
            notes.lost(1, "scenarios: not imported")
        shared = config.get("defaultTest")
        shared = shared if isinstance(shared, dict) else {}
        cases = list(_cases(config.get("tests"), notes))
        suites = [(name, _suite(cases, shared)) for name, _ in prompts] if cases or shared else []
        return PromptFile(prompts, suites)


def _line_of(content: str, text: str) -> int:
    """The line of a configuration on which a prompt begins, as far as its first words tell."""
    first = next((line.strip() for line in content.split("\n") if line.strip()), "")
    at = text.find(first) if first else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _cases(tests: Any, notes: Notes) -> Iterator[Mapping[str, Any]]:
    for one in tests if isinstance(tests, list) else [] if tests is None else [tests]:
        if not isinstance(one, dict) or (
            "path" in one and "vars" not in one and "assert" not in one
        ):
            notes.lost(
                1, f"tests in {str(one)[:60]}: not imported; write them into the configuration"
            )
            continue
        other = sorted(set(one) - set(_KEPT))
        if other:
            notes.lost(1, f"{', '.join(other)} of a test: not imported")
        yield one


def _prompts(given: Any, path: str, notes: Notes) -> Iterator[tuple[str, str, str]]:
    """Name and text of each, and the file that has it; what is in a file beside is read, what would be run is not."""
    for one in given if isinstance(given, list) else [given]:
        name, text = "", one
        if isinstance(one, dict):
            name = str(one.get("label") or "")
            text = one.get("raw") or one.get("file") or one.get("id")
        if not isinstance(text, str):
            if text is not None:
                notes.lost(1, f"a prompt that is {type(text).__name__}: not imported")
            continue
        if not text.startswith("file://") and "\n" not in text and _FILE.search(text):
            text = f"file://{text}"
        if not text.startswith("file://"):
            yield name, text, path
            continue
        beside = text.removeprefix("file://")
        whole = _beside(path, beside, notes)
        if whole is None:
            continue
        name = name or os.path.splitext(os.path.basename(beside))[0]
        file = os.path.join(os.path.dirname(path), beside)
        parts = (
            [whole]
            if beside.lower().endswith((".json", ".yaml", ".yml"))
            else _DIVIDER.split(whole)
        )
        for number, part in enumerate(parts, 1):
            yield (name if len(parts) == 1 else f"{name}-{number}"), part, file


_FILE = re.compile(r"^\S+\.(?:txt|json|md|j2|ya?ml|csv|jsonl|py|m?[jt]s|cjs)(?::\w+)?\Z", re.I)
_DIVIDER = re.compile(r"^---[ \t]*\r?\n", re.M)


def _beside(path: str, name: str, notes: Notes) -> str | None:
    """The text of a file that is named, in the folder of the configuration or below it."""
    folder = os.path.realpath(os.path.dirname(path) or ".")
    there = os.path.realpath(os.path.join(folder, name.replace("\0", "")))
    if not there.startswith(folder + os.sep):
        notes.lost(1, f"{name} is outside of the folder: not read")
        return None
    if not there.lower().endswith((".txt", ".json", ".md", ".j2", ".yaml", ".yml")):
        notes.lost(1, f"{name} would be run, or holds several: not imported")
        return None
    try:
        data = formats.read_file(there, _MOST + 1)
        if len(data) > _MOST:
            notes.lost(1, f"{name} is larger than {_MOST:,} bytes: not imported")
            return None
        text = data.decode("utf-8-sig")
    except (OSError, GitpromptError, UnicodeDecodeError) as error:
        notes.lost(1, f"{name} cannot be read: {error}")
        return None
    if not there.lower().endswith((".yaml", ".yml")):
        return text
    try:
        return json.dumps(formats.read(data, ".yaml"), ensure_ascii=False)
    except (formats.FormatError, ValueError) as error:
        notes.lost(1, f"{name} is no YAML: {error}")
        return None


def _messages(content: str, line: int, notes: Notes, uses: Uses) -> Iterator[dict[str, Any]]:
    """Nunjucks is Jinja, as far as prompts go."""
    value = json_of(content)
    if not isinstance(value, list) or not all(
        isinstance(one, dict) and ("role" in one or one.get("type") == "placeholder")
        for one in value
    ):
        text, at = stripped(content, line)
        yield {"role": "user", "content": from_jinja(text, at, notes, uses)}
        return
    for one in value:
        text = one.get("content")
        if one.get("role") == "assistant" and isinstance(text, str):
            as_said(text, line, notes)
        elif one.get("role") in TEMPLATED and isinstance(text, str):
            one = {**one, "content": from_jinja(text, line, notes, uses)}
        elif one.get("role") in TEMPLATED and isinstance(text, list):
            one = {**one, "content": [_part(part, line, notes, uses) for part in text]}
        yield one


def _part(part: Any, line: int, notes: Notes, uses: Uses) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {**part, "text": from_jinja(part["text"], line, notes, uses)}
    return part


_KEPT = ("description", "vars", "assert", "threshold", "options", "metadata")


def _suite(cases: Sequence[Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """All tests of a prompt: what judges them is whoever posts results."""
    tests = [_case(one) for one in cases]
    criteria: dict[str, Any] = {"tests": tests}
    if shared:
        criteria["default_test"] = _case(shared)
    threshold = shared.get("threshold")
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and threshold >= 0:
        criteria["min_score"] = threshold
    return {"description": "As promptfoo had it", "criteria": criteria}


def _case(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in _KEPT if one.get(key) is not None}


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
    if any(message.get("type") == "placeholder" for message in document["messages"]):
        found.append("a placeholder, which is written as it is")
    if any(
        _MORE.search(json.dumps(message.get("content"), ensure_ascii=False))
        for message in document["messages"]
    ):
        found.append("sections and other tags, which Nunjucks writes otherwise")
    if "{{" in "".join(
        str(one.get("content")) for one in document["messages"] if one.get("role") == "assistant"
    ):
        found.append("braces in what the assistant says, which Nunjucks takes for a variable")
    if ":" not in str(document.get("model_config", {}).get("model", ":")):
        found.append("the house of the model, which promptfoo wants before its name")
    return found


_MORE = re.compile(r"\{\{[#^>=&!{]|\{%|\{#")
