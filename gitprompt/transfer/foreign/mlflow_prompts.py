# SPDX-License-Identifier: Apache-2.0
"""Prompts of MLflow's registry: their texts are Mustache's variables, and JSON where they are messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gitprompt.core.messages import TEMPLATED
from gitprompt.core.telemetry.packed import decoded
from gitprompt.transfer.foreign.moments import milliseconds
from gitprompt.transfer.foreign.records import (
    ForeignVersion,
    Losses,
    Record,
    Unreadable,
    structured,
    tags_of,
    text_of,
)
from gitprompt.transfer.foreign.texts import from_mustache

TEXT = "mlflow.prompt.text"  # the tag that has the text, where no template does


def pairs_of(value: Any) -> dict[str, Any]:
    """Tags, which are a mapping or a list of keys and values."""
    if isinstance(value, dict):
        return value
    pairs = value if isinstance(value, list) else ()
    return {str(one.get("key")): one.get("value") for one in pairs if isinstance(one, dict)}


def _message(message: Mapping[str, Any], ours: Callable[[str], str]) -> dict[str, Any]:
    content = message.get("content")
    is_template = isinstance(content, str) and message.get("role") in TEMPLATED
    return {**message, "content": ours(str(content)) if is_template else content}


def version_of(record: Record, losses: Losses) -> ForeignVersion:
    name, number = text_of(record.get("name")), text_of(record.get("version"))
    if name is None or number is None:
        raise Unreadable("a prompt without a name or a version")
    example = f"{name} {number}"
    tags = pairs_of(record.get("tags"))
    template = record.get("template") if record.get("template") is not None else tags.get(TEXT)

    if template is None:
        raise Unreadable("a prompt without a template")
    said = structured(template)
    if (
        isinstance(said, list)
        and said
        and all(isinstance(one, dict) and "role" in one for one in said)
    ):
        template = said

    def ours(text: str) -> str:
        return from_mustache(text, lambda why: losses.add("prompt.template", why, example))

    document: dict[str, Any]
    if isinstance(template, list):
        document = {"messages": [_message(one, ours) for one in template]}
    else:
        document = {"type": "text", "messages": [{"role": "user", "content": ours(str(template))}]}
    shape = decoded(record.get("response_format"))
    if isinstance(shape, dict):
        wrapped = {"name": "answer", "schema": shape}
        document["response_format"] = (
            shape
            if "type" in shape and "json_schema" in shape
            else {"type": "json_schema", "json_schema": wrapped}
        )
    config: Mapping[str, Any] = decoded(record.get("model_config")) or {}
    if isinstance(config, dict) and config:
        document["model_config"] = config
    own = tags_of(
        [f"{key}={value}" for key, value in tags.items() if not str(key).startswith("mlflow.")],
        losses,
        example,
    )
    if own:
        document["tags"] = own
    at = milliseconds(record.get("creation_timestamp"))
    if at is None:
        losses.add("prompt.creation_timestamp", "no time: it is the time of the import", example)
    moved = milliseconds(record.get("last_updated_timestamp")) or at or 0
    aliases = [label for label in map(text_of, record.get("aliases") or ()) if label]
    return ForeignVersion(
        name, number, document, text_of(record.get("user_id")) or "mlflow", (at or 0) // 1000,
        text_of(record.get("commit_message")) or text_of(record.get("description")) or "",
        [(label, moved // 1000) for label in aliases], record,
    )  # fmt: skip
