# SPDX-License-Identifier: Apache-2.0
"""PromptPack (https://promptpack.org): one file of JSON with several prompts, which share fragments and tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    in_mustache,
    json_of,
    variables_of,
)


class PromptPack:
    name = "promptpack"

    def is_one(self, path: str, text: str) -> bool:
        value = json_of(text) if path.lower().endswith(".json") else None
        prompts = value.get("prompts") if isinstance(value, dict) else None
        return isinstance(prompts, dict) and any(
            isinstance(one, dict) and "system_template" in one for one in prompts.values()
        )

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        pack = json_of(text)
        if not isinstance(pack, dict) or not isinstance(pack.get("prompts"), dict):
            raise NotSuch("it is no PromptPack")
        engine = pack.get("template_engine")
        syntax = engine.get("syntax") if isinstance(engine, dict) else None
        if syntax not in (None, "{{variable}}"):
            raise NotSuch(f"its templates are written as {syntax!s:.40}, which is not known")
        fragments = pack.get("fragments")
        shared = fragments if isinstance(fragments, dict) else {}
        tools = pack.get("tools")
        known = tools if isinstance(tools, dict) else {}
        prompts = [
            (str(one.get("id") or key), _document(one, shared, known, notes))
            for key, one in pack["prompts"].items()
            if isinstance(one, dict) and isinstance(one.get("system_template"), str)
        ]
        return PromptFile(prompts)


def _document(
    one: Mapping[str, Any], fragments: Mapping[str, Any], tools: Mapping[str, Any], notes: Notes
) -> dict[str, Any]:
    text = str(one["system_template"])
    for name, said in fragments.items():
        text = text.replace(f"{{{{{name}}}}}", str(said)).replace(
            f"{{{{fragment:{name}}}}}", str(said)
        )
    document: dict[str, Any] = {}
    if one.get("description"):
        document["description"] = str(one["description"])
    document["messages"] = [{"role": "system", "content": in_mustache(text, 1, notes)}]
    declared = {
        str(item["name"]): item
        for item in _list(one.get("variables"))
        if isinstance(item, dict) and item.get("name")
    }
    if declared:
        document["variables"] = variables_of(declared, {})
    parameters = one.get("parameters")
    if isinstance(parameters, dict) and parameters:
        document["model_config"] = parameters
    used = []
    for name in _list(one.get("tools")):
        tool = tools.get(str(name))
        if isinstance(tool, dict):
            facts = {
                "name": str(tool.get("name") or name),
                "parameters": tool.get("parameters") or {"type": "object", "properties": {}},
            }
            if tool.get("description"):
                facts["description"] = str(tool["description"])
            used.append({"type": "function", "function": facts})
        else:
            notes.lost(1, f"the tool {name} is not in the pack")
    if used:
        document["tools"] = used
    read = (
        "id",
        "name",
        "description",
        "version",
        "system_template",
        "variables",
        "parameters",
        "tools",
    )
    other = {
        key: value for key, value in one.items() if key not in read and value not in (None, [], {})
    }
    about = {**({"title": one["name"]} if one.get("name") else {}), **other}
    if about:
        document["metadata"] = about
    return document


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
