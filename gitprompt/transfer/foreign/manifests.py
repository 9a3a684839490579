# SPDX-License-Identifier: Apache-2.0
"""LangChain's serialized prompts, which LangSmith keeps as manifests: data, of which nothing is ever constructed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitprompt.core.telemetry.packed import decoded
from gitprompt.transfer.foreign.records import Losses, Unreadable
from gitprompt.transfer.foreign.texts import from_fstring, from_jinja, from_mustache, literal

_ROLES = {
    "SystemMessagePromptTemplate": "system", "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant", "SystemMessage": "system", "HumanMessage": "user",
    "AIMessage": "assistant", "ToolMessage": "tool",
}  # fmt: skip
_SECRET = re.compile(r"key|token\Z|secret|password|authorization|header|credential", re.I)
_ENGINES = {"f-string": from_fstring, "mustache": from_mustache, "jinja2": from_jinja}


def document_of(manifest: Any, losses: Losses, example: str) -> dict[str, Any]:
    """A document with the manifest's messages, and the settings of its model. Raises Unreadable."""
    manifest = decoded(manifest)
    kind, inside = _constructed(manifest)
    document: dict[str, Any] = {}
    if kind == "RunnableSequence":
        first = _constructed(inside.get("first"))
        document = document_of(inside.get("first"), losses, example) if first[0] else {}
        last = inside.get("last") or next(iter(inside.get("middle") or ()), None)
        settings = _settings(last, losses, example)
        return {**document, **({"model_config": settings} if settings else {})}
    if kind == "PromptTemplate":
        text = _text(inside, losses, example)
        return {"type": "text", "messages": [{"role": "user", "content": text}]}
    if kind in ("ChatPromptTemplate", "StructuredPrompt"):
        document = {"messages": list(_messages(inside.get("messages"), losses, example))}
        schema = inside.get("schema_") or inside.get("schema")
        if kind == "StructuredPrompt" and isinstance(schema, dict):
            name = str(schema.get("title") or schema.get("name") or "answer")
            shape = {"name": name, "schema": schema}
            document["response_format"] = {"type": "json_schema", "json_schema": shape}
        return document
    raise Unreadable(f"a manifest of the kind {kind or 'unknown'}")


def _constructed(value: Any) -> tuple[str, Mapping[str, Any]]:
    """The class that a serialized object is of, and its arguments."""
    if not isinstance(value, dict):
        return "", {}
    names, inside = value.get("id"), value.get("kwargs")
    kind = str(names[-1]) if isinstance(names, list) and names else ""
    return kind, inside if isinstance(inside, dict) else {}


def _messages(value: Any, losses: Losses, example: str) -> Iterator[dict[str, Any]]:
    for message in value if isinstance(value, list) else ():
        kind, inside = _constructed(message)
        if kind == "MessagesPlaceholder":
            is_needed = not inside.get("optional")
            yield {
                "type": "placeholder",
                "name": inside.get("variable_name"),
                **({"required": True} if is_needed else {}),
            }
            continue
        role = _ROLES.get(kind) or str(inside.get("role") or "")
        if not role:
            losses.add(
                "prompt commit.message",
                f"a message of the kind {kind or 'unknown'}: not imported",
                example,
            )
            continue
        if "prompt" not in inside:
            content = inside.get("content", "")
            is_template = role in ("system", "user") and isinstance(content, str)
            yield {"role": role, "content": literal(content) if is_template else content}
            continue
        parts = inside["prompt"]
        if not isinstance(parts, list):
            text = _text(_constructed(parts)[1], losses, example)
            if role == "assistant" and "{{" in text:
                losses.add(
                    "prompt commit.message",
                    "a variable in a message of the assistant, which is no template here",
                    example,
                )
            yield {"role": role, "content": text}
            continue
        yield {
            "role": role,
            "content": [part for one in parts for part in _parts(one, losses, example)],
        }


def _parts(value: Any, losses: Losses, example: str) -> Iterator[dict[str, Any]]:
    kind, inside = _constructed(value)
    if kind == "ImagePromptTemplate":
        template = inside.get("template")
        url = template.get("url") if isinstance(template, dict) else None
        text = _text({**inside, "template": url or ""}, losses, example)
        yield {"type": "image_url", "image_url": {"url": text}}
    else:
        yield {"type": "text", "text": _text(inside, losses, example)}


def _text(inside: Mapping[str, Any], losses: Losses, example: str) -> str:
    template = inside.get("template")
    if not isinstance(template, str):
        raise Unreadable("a template that is no text")
    engine = str(inside.get("template_format") or "f-string")
    translate = _ENGINES.get(engine)
    if translate is None:
        losses.add("prompt commit.template", f"the engine {engine[:40]}: kept as text", example)
        return literal(template)
    return translate(template, lambda why: losses.add("prompt commit.template", why, example))


def _settings(value: Any, losses: Losses, example: str) -> dict[str, Any]:
    """The settings of a model, without what is secret or empty."""
    kind, inside = _constructed(value)
    if kind == "RunnableBinding":
        kind, bound = _constructed(inside.get("bound"))
        inside = {**bound, **(inside.get("kwargs") or {})}
    if "model" not in inside and "model_name" not in inside:
        return {}
    kept = {}
    for key, item in inside.items():
        if _SECRET.search(key):
            losses.add("prompt commit.model", f"{key}: may be a secret, not kept", example)
        elif isinstance(item, dict) and item.get("type") in (
            "secret",
            "constructor",
            "not_implemented",
        ):
            losses.add(
                "prompt commit.model",
                f"{key}: a secret or an object of LangChain, not kept",
                example,
            )
        elif item not in (None, "", [], {}):
            kept["model" if key == "model_name" else key] = item
    return kept
