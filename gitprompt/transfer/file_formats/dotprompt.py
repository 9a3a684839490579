# SPDX-License-Identifier: Apache-2.0
"""Files `.prompt` in two dialects: Google's (https://google.github.io/dotprompt), which is Handlebars with `{{role}}`,
`{{history}}` and `{{media}}`, and LiteLLM's, which is Jinja with `User:` at the beginning of a line."""

from __future__ import annotations

import re
from typing import Any

from gitprompt.transfer.foreign import handlebars
from gitprompt.transfer.foreign.handlebars import HandlebarsTag
from gitprompt.transfer.foreign.jinja import Uses
from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    as_said,
    by_roles,
    from_jinja,
    front_matter,
    tell_conditions,
    variables_of,
)

_ROLE = re.compile(r"""role\s+["'](\w+)["']\Z""")
_MEDIA = re.compile(r"media\s+url=([\w.]+)(?:\s+contentType=\S+)?\Z")
_ROLES = {"model": "assistant", "system": "system", "user": "user", "tool": "tool"}
_LITELLM = ("temperature", "max_tokens", "top_p", "frequency_penalty", "presence_penalty", "stop")
_GOOGLE = re.compile(r"\{\{\s*(?:role\s|history|media\s|#if|#each|#unless|else|json\s|>)")


class Dotprompt:
    name = "dotprompt"

    def is_one(self, path: str, text: str) -> bool:
        return path.lower().endswith(".prompt")

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        found = front_matter(text)
        settings, body, line = found if found is not None else ({}, text, 1)
        document: dict[str, Any] = {}
        if settings.get("description"):
            document["description"] = str(settings["description"])
        is_google = _is_google(settings, body)
        given = settings.get("input")
        given = given if isinstance(given, dict) else {}
        values = given.get("default")
        values = values if isinstance(values, dict) else {}
        declared = _variables(given.get("schema"), values, notes)
        uses = Uses({name: one["type"] for name, one in declared.items() if "type" in one})
        if is_google:
            document["messages"] = _google(body, line, notes, uses)
        else:
            document["messages"] = [
                {
                    "role": role,
                    "content": as_said(content, at, notes)
                    if role == "assistant"
                    else from_jinja(content, at, notes, uses),
                }
                for role, content, at in by_roles(body, line, alone=False)
            ]
        if not document["messages"]:
            raise NotSuch("it has no messages")
        variables = (
            _variables(given.get("schema"), {**uses.defaults, **values}, Notes(path))
            if uses.defaults
            else declared
        )
        if variables:
            document["variables"] = variables
        config = settings.get("config")
        model = {"model": settings.get("model"), **(config if isinstance(config, dict) else {})}
        model |= {key: settings[key] for key in _LITELLM if key in settings}
        model = {key: value for key, value in model.items() if value is not None}
        if model:
            document["model_config"] = model
        _output(document, settings.get("output"), notes)
        known = ("name", "description", "input", "output", "config", "model", *_LITELLM)
        other = {key: value for key, value in settings.items() if key not in known}
        if other:
            document["metadata"] = other
        return PromptFile([(str(settings.get("name") or ""), document)])


def _is_google(settings: dict[str, Any], body: str) -> bool:
    if _GOOGLE.search(body):
        return True
    has_markers = re.search(r"^(system|user|assistant):", body, re.I | re.M) is not None
    return not has_markers and (
        "config" in settings or not any(key in settings for key in _LITELLM)
    )


def _google(body: str, line: int, notes: Notes, uses: Uses) -> list[dict[str, Any]]:
    """The messages; what comes before the first role is the user's."""
    messages: list[dict[str, Any]] = []
    pieces: list[HandlebarsTag] = []
    parts: list[dict[str, Any]] = []
    role = "user"

    def text() -> str:
        before = set(uses.conditions)
        if role == "assistant":
            written = "".join(piece.text for piece in pieces)
            if any(piece.inner is not None for piece in pieces):
                as_said(written, line + pieces[0].line - 1, notes)
        else:
            written = handlebars.to_mustache(
                pieces, lambda at, why: notes.lost(line + at - 1, why), uses
            )
        if pieces:
            tell_conditions(uses, before, line + pieces[0].line - 1, notes)
        pieces.clear()
        return written

    def close() -> None:
        content = text()
        if parts:
            rest = [{"type": "text", "text": content.strip("\n")}] if content.strip() else []
            messages.append({"role": role, "content": [*parts, *rest]})
            parts.clear()
        elif content.strip():
            messages.append({"role": role, "content": content.strip("\n")})

    for piece in handlebars.tags(body):
        said = piece.inner or ""
        if match := _ROLE.match(said):
            close()
            role = _ROLES.get(match[1], match[1])
        elif said == "history":
            close()
            messages.append({"type": "placeholder", "name": "history"})
        elif match := _MEDIA.match(said):
            before = text().strip("\n")
            if before.strip():
                parts.append({"type": "text", "text": before})
            parts.append({"type": "image_url", "image_url": {"url": f"{{{{{match[1]}}}}}"}})
        else:
            pieces.append(piece)
    close()
    return messages


def _variables(schema: Any, values: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """Variables of a JSON Schema, or of Picoschema: `name: string, what it is`, `name?` for what may be left out."""
    if isinstance(schema, str):
        notes.lost(
            1, f"input.schema is {schema[:40]}, which is elsewhere: no variables are declared"
        )
    if not isinstance(schema, dict):
        return variables_of({}, values) if values else {}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        needed = schema.get("required") or []
        declared = {
            name: {**one, "required": name in needed} if isinstance(one, dict) else one
            for name, one in schema["properties"].items()
        }
        return variables_of(declared, values)
    declared = {}
    for key, said in schema.items():
        name, optional, kind = str(key).partition("?")
        name, _, about = name.partition("(")
        if not re.match(r"[^\W\d]", name):
            notes.lost(1, f"input.schema {key}: any other field has no words here")
            continue
        facts: dict[str, Any] = {"required": not optional}
        shape = f"{about}{kind}"
        if "(array" in shape or about.startswith("array"):
            facts["type"] = "array"
        elif isinstance(said, str):
            facts["type"], _, description = said.partition(",")
            if description.strip():
                facts["description"] = description.strip()
        else:
            is_one_of = about.startswith("enum")
            facts["type"] = (
                "string" if is_one_of else "array" if isinstance(said, list) else "object"
            )
        declared[name.strip()] = facts
    return variables_of(declared, values)


def _output(document: dict[str, Any], said: Any, notes: Notes) -> None:
    if not isinstance(said, dict):
        return
    schema = said.get("schema")
    if isinstance(schema, dict) and schema.get("type") == "object":
        shape = {"name": "answer", "schema": schema}
        document["response_format"] = {"type": "json_schema", "json_schema": shape}
    elif said.get("format") == "json":
        document["response_format"] = {"type": "json_object"}
        if schema:
            notes.lost(1, "output.schema in Picoschema: the answer is JSON, of no schema")
