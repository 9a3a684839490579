# SPDX-License-Identifier: Apache-2.0
"""Prompty (https://prompty.ai): settings at the head, then messages, each after a line with its role; Jinja or Mustache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitprompt.transfer.foreign.jinja import Uses
from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    as_said,
    by_roles,
    from_jinja,
    front_matter,
    in_mustache,
    mapping_in,
    variables_of,
)
from gitprompt.transfer.foreign.texts import literal

_BESIDE = ("tools", "tool_choice", "response_format")
_READ = frozenset(
    (
        "name",
        "description",
        "version",
        "authors",
        "tags",
        "model",
        "inputs",
        "sample",
        "template",
        "outputs",
        "tools",
    )
)


class Prompty:
    name = "prompty"

    def is_one(self, path: str, text: str) -> bool:
        return path.lower().endswith(".prompty")

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        found = front_matter(text)
        if found is None:
            raise NotSuch("it has no settings between lines of ---")
        settings, body, line = found
        template = settings.get("template")
        engine = str(
            template.get("format", "jinja2") if isinstance(template, dict) else template or "jinja2"
        ).lower()
        inputs = _inputs(settings.get("inputs"))
        sample = settings.get("sample")
        for name in sample if isinstance(sample, dict) else ():
            inputs.setdefault(str(name), {})
        uses = Uses(
            {
                name: one["type"]
                for name, one in variables_of(inputs, {}).items()
                if "type" in one and inputs[name]
            }
        )
        messages: list[dict[str, Any]] = []
        for role, content, at in _messages(body, line):
            if role == "placeholder":
                messages.append({"type": "placeholder", "name": content})
                continue
            if role == "assistant":
                written = as_said(content, at, notes)
            elif engine.startswith("jinja"):
                written = from_jinja(content, at, notes, uses)
            elif engine == "mustache":
                written = in_mustache(content, at, notes)
            else:
                notes.lost(at, f"the engine {engine[:40]}: kept as text")
                written = literal(content)
            for mark in _OTHERS.finditer(content):
                notes.lost(
                    at + content.count("\n", 0, mark.start()),
                    f"{mark[0].strip()[:40]}: kept as text",
                )
            messages.append({"role": role, "content": written})
        if not messages:
            raise NotSuch("it has no messages")
        document: dict[str, Any] = {}
        if settings.get("description"):
            document["description"] = str(settings["description"])
        document["messages"] = messages
        if inputs or uses.defaults:
            document["variables"] = variables_of(inputs, uses.defaults)
        document.update(_model(settings.get("model"), notes))
        if isinstance(settings.get("tools"), list):
            document.setdefault("tools", settings["tools"])
        if isinstance(settings.get("tags"), list):
            document["tags"] = [str(tag) for tag in settings["tags"]]
        about = {
            key: settings[key]
            for key in ("authors", "version", "sample", "outputs")
            if settings.get(key)
        }
        about |= {key: value for key, value in settings.items() if key not in _READ}
        if about:
            document["metadata"] = about
        return PromptFile([(str(settings.get("name") or ""), document)])


# A chat so far, as every example of Prompty has it.
_HISTORY = re.compile(
    r"\{%-?\s*for\s+(\w+)\s+in\s+(\w+)\s*-?%\}\s*#?\s*\{\{\s*\1\.role\s*\}\}\s*:\s*\{\{\s*\1\.content\s*\}\}\s*\{%-?\s*endfor\s*-?%\}"
)
_OTHERS = re.compile(r"^[ \t]*(?:tool|function)[ \t]*:[ \t]*$|!\[[^\]]*\]\([^)]*\)", re.M)


def _messages(body: str, line: int) -> Iterator[tuple[str, str, int]]:
    """Role, text and line of each; a loop over messages is a placeholder of their name."""
    at = 0
    for match in _HISTORY.finditer(body):
        yield from by_roles(body[at : match.start()], line + body.count("\n", 0, at), alone=True)
        yield "placeholder", match[2], line
        at = match.end()
    yield from by_roles(body[at:], line + body.count("\n", 0, at), alone=True)


def _inputs(said: Any) -> dict[str, Any]:
    """What is declared; a value that is no declaration is a sample, which Prompty takes where none is given."""
    if isinstance(said, list):  # as later versions have it
        return {
            str(one["name"]): {**one, "type": one.get("type", one.get("kind"))}
            for one in said
            if isinstance(one, dict) and "name" in one
        }
    declared = {}
    for name, one in said.items() if isinstance(said, dict) else ():
        is_declared = isinstance(one, dict) and ("type" in one or "kind" in one)
        declared[str(name)] = (
            {**one, "type": one.get("type", one.get("kind"))} if is_declared else {"default": one}
        )
    return declared


def _model(said: Any, notes: Notes) -> dict[str, Any]:
    model: dict[str, Any] = (
        said if isinstance(said, dict) else {"id": said} if isinstance(said, str) else {}
    )
    configuration = mapping_in(model.get("configuration") or model.get("connection"))
    parameters = mapping_in(model.get("parameters") or model.get("options"))
    named = (
        model.get("id")
        or configuration.get("azure_deployment")
        or configuration.get("name")
        or configuration.get("model")
    )
    settings = {
        "model": named,
        **{key: item for key, item in parameters.items() if key not in _BESIDE},
    }
    if any(key in configuration for key in ("api_key", "azure_endpoint", "endpoint", "apiKey")):
        notes.told(
            1, "model.configuration: where the model is, and its key, are not part of a prompt"
        )
    kept = {key: item for key, item in settings.items() if item is not None}
    found = {key: parameters[key] for key in _BESIDE if parameters.get(key) is not None}
    return {**({"model_config": kept} if kept else {}), **found}
