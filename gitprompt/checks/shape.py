# SPDX-License-Identifier: Apache-2.0
"""A verdict on the shape of most prompts without jsonschema-rs, whose import takes 13 ms: a sixth
of the time that one file takes in a hook.

It decides in one direction only: what it accepts is valid under the schema (a property test holds
it to that); what it does not accept is judged by the schema.
"""

from __future__ import annotations

from typing import Any

from gitprompt.core.names import is_name
from gitprompt.core.versions import is_version

_ROLES = frozenset({"system", "user", "assistant"})
_TYPES = frozenset({"string", "number", "boolean", "array", "object"})
_MESSAGE_KEYS = frozenset({"role", "content"})
_VARIABLE_KEYS = frozenset({"type", "required", "default", "description"})
RARE = frozenset({"type", "tools", "tool_choice", "response_format", "deprecated", "tests"})
_MAPPINGS = ("model_config", "ollama", "metadata")


def is_surely_shaped(document: Any) -> bool:
    """Whether a prompt surely is valid under its schema; takes any JSON value."""
    if type(document) is not dict or not RARE.isdisjoint(document):
        return False
    name, version = document.get("name", "name"), document.get("version", "1")
    return (
        (type(name) is str and is_name(name))
        and (type(version) is str and is_version(version))
        and _text(document.get("description", "")) is not None
        and all(type(document.get(key, {})) is dict for key in _MAPPINGS)
        and _are_messages(document.get("messages"))
        and _are_variables(document.get("variables", {}))
        and _are_tags(document.get("tags", []))
    )


def _text(value: Any, limit: int = 10_000) -> str | None:
    return value if type(value) is str and len(value) <= limit else None


def _are_messages(messages: Any) -> bool:
    return (
        type(messages) is list
        and 1 <= len(messages) <= 1_000
        and all(
            type(message) is dict
            and message.keys() == _MESSAGE_KEYS
            and type(message["role"]) is str
            and message["role"] in _ROLES
            and bool(_text(message["content"], 100_000))
            for message in messages
        )
    )


def _are_variables(variables: Any) -> bool:
    return (
        type(variables) is dict
        and len(variables) <= 1_000
        and all(
            name.isascii()
            and name.isidentifier()
            and len(name) <= 128
            and type(spec) is dict
            and spec.keys() <= _VARIABLE_KEYS
            and type(spec.get("type")) is str
            and spec["type"] in _TYPES
            and type(spec.get("required", False)) is bool
            and _text(spec.get("description", "")) is not None
            for name, spec in variables.items()
        )
    )


def _are_tags(tags: Any) -> bool:
    return type(tags) is list and len(tags) <= 20 and all(bool(_text(tag, 64)) for tag in tags)
