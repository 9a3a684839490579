# SPDX-License-Identifier: Apache-2.0
"""Documents, good and bad, as hypothesis makes them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from gitprompt import checks
from gitprompt.core.model import Kind

A = "a"


def found(
    text: str | bytes, *, kind: Kind = "prompt", name: str = "welcome", path: str = "", **more: Any
) -> list[tuple[str, str, int, int]]:
    """(code, severity, line, column) of each finding."""
    data = text.encode() if isinstance(text, str) else text
    _, findings = checks.examine(
        data, path=path or "prompts/welcome.yaml", kind=kind, name=name, **more
    )
    return [(f.code, f.severity, f.line, f.column) for f in findings]


def prompt(content: str, more: str = "") -> str:
    return f"messages:\n  - role: user\n    content: {json.dumps(content)}\n{more}"


ANY = st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3)


CONTENT = st.lists(
    st.sampled_from(["Hello ", "{{a}}", "{{ b }}", "{{#a}}", "{{/a}}", "{{", "}}", "{{>p}}", "\t", " \n", "sk-ant-api03-" + "A" * 30]),
    min_size=1, max_size=4,
).map("".join)  # fmt: skip


MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant"]), "content": CONTENT},
    optional={"name": st.text(max_size=3)},
)


VARIABLE = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "number", "boolean"])},
    optional={"default": ANY, "required": st.booleans()},
)


PROMPT = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE, min_size=1, max_size=3)},
    optional={
        "name": st.sampled_from(["welcome", "other"]),
        "version": st.sampled_from(["1.0.0", "2.0.0"]),
        "type": st.sampled_from(["chat", "text"]),
        "variables": st.dictionaries(st.sampled_from(["a", "b"]), VARIABLE, max_size=2),
        "tags": st.lists(st.text(max_size=2), max_size=2),
    },
)


BROKEN = st.tuples(
    PROMPT, st.sampled_from(["messages", "variables", "tags", "name", "version"]), ANY
).map(lambda t: {**t[0], t[1]: t[2]})
