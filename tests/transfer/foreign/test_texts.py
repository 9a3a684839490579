# SPDX-License-Identifier: Apache-2.0
"""Templates of other systems: what they render to there, they render to here."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.template import compile_template
from gitprompt.transfer.foreign.texts import (
    from_fstring,
    from_jinja,
    from_langfuse,
    from_mustache,
    literal,
)

PIECES = st.lists(
    st.sampled_from(["{", "}", "{{", "}}", "{{{", "name", " name ", "{{name}}", "{{ other }}", "<%", "%>", "\n", " ", "#", "=", "é", "{{!x}}", "{{>p}}"])
    | st.text(max_size=3),
    max_size=8,
).map("".join)  # fmt: skip
VALUES = {"name": "Ada", "other": "B<b>", "x": "7"}
_NAME = re.compile(r"[^\W\d][\w.-]*\Z")


def rendered(text: str) -> str:
    return compile_template(text).render(VALUES)


def by_langfuse(text: str) -> str:
    """As the Python SDK of Langfuse compiles a text, with a value for every name."""
    out, at = [], 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start)) >= 0:
        name = text[start + 2 : end].strip()
        out.append(text[at:start])
        out.append(VALUES.get(name, "") if _NAME.match(name) else text[start : end + 2])
        at = end + 2
    return "".join(out) + text[at:]


@given(PIECES)
def test_a_literal_renders_to_itself(text: str) -> None:
    assert rendered(literal(text)) == text


@given(PIECES)
def test_what_langfuse_compiles_is_rendered_alike(text: str) -> None:
    assert rendered(from_langfuse(text, lambda _why: None)) == by_langfuse(text)


@given(
    st.lists(
        st.sampled_from(["{name}", "{other}", "{{", "}}", "a", "\n", "<%"])
        | st.text("ab é", max_size=3)
    ).map("".join)
)
def test_what_python_formats_is_rendered_alike(text: str) -> None:
    assert rendered(from_fstring(text, lambda _why: None)) == text.format(**VALUES)


def test_what_is_odd_is_told_and_kept() -> None:
    told: list[str] = []
    assert from_langfuse("{{a}} {{{{b}}}}", told.append) == "{{a}} {{=<% %>=}}{{{{b}}}}<%={{ }}=%>"
    assert from_langfuse("{{#x}}y{{/x}}", told.append) == "{{#x}}y{{/x}}"
    assert rendered(from_fstring("{0} {a!r} {", told.append)) == "{0} {a!r} {"
    assert rendered(from_mustache("{{#x}}", told.append)) == "{{#x}}"
    assert rendered(from_mustache("{{> p}}", told.append)) == "{{> p}}"
    assert (
        rendered(from_jinja("{% if x %}{{ x }}{% endif %}", told.append))
        == "{% if x %}{{ x }}{% endif %}"
    )
    assert from_jinja("{{ x }}!", told.append) == "{{ x }}!"
    assert len(told) == 8


@pytest.mark.parametrize("text", ["", "no braces", "one { brace }", "{{name}}", "{{ name }}\n"])
def test_what_means_the_same_stays_as_it_is_written(text: str) -> None:
    assert from_langfuse(text, pytest.fail) == text
