# SPDX-License-Identifier: Apache-2.0
"""Jinja in Mustache: rendered alike by both, or told line by line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from gitprompt.core.template import compile_template
from gitprompt.transfer.foreign.jinja import to_mustache

JINJA = Environment(autoescape=False, keep_trailing_newline=True)
PLAIN = st.text("ab{}%#! \n\t<é", max_size=6).filter(
    lambda text: not any(mark in text for mark in ("{{", "{%", "{#")) and not text.endswith("{")
)


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map(
            lambda two: f"{{% if yes %}}{two[0]}{{% else %}}{two[1]}{{% endif %}}"
        ),
        inner.map(lambda one: f"{{% if not no %}}{one}{{% endif %}}"),
        inner.map(lambda one: f"{{% if no %}}x{{% elif yes %}}{one}{{% endif %}}"),
        inner.map(lambda one: f"{{% for one in items %}}{one}{{{{ one.title }}}}{{% endfor %}}"),
        st.lists(inner, max_size=3).map("".join),
    )


TEMPLATES = st.recursive(
    PLAIN
    | st.sampled_from(["{{ name }}", "{{name}}", "{{ user.city }}", "{{- name -}}", "{# gone #}"]),
    blocks,
    max_leaves=8,
)
VALUES: dict[str, Any] = {
    "name": "Ada <b>",
    "yes": True,
    "no": False,
    "user": {"city": "Oslo"},
    "items": [{"title": "one"}, {"title": "two"}],
}


@given(TEMPLATES)
def test_what_can_be_said_renders_alike(text: str) -> None:
    odd: list[str] = []
    written = to_mustache(text, lambda line, why: odd.append(f"{line}: {why}"))
    if any("for one in" in part and "loop in a loop" in part for part in odd) or odd:
        assert compile_template(written).render({}) == text
    else:
        assert compile_template(written).render(VALUES) == JINJA.from_string(text).render(VALUES)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a\n{{ x | upper }}", 2, "the filter upper"),
        ("{{ x + 1 }}", 1, "an expression"),
        ("\n\n{% set a = 1 %}", 3, "assign has no words"),
        ("{% for k, v in x %}{% endfor %}", 1, "over pairs"),
        ("{% if x %}{% for y in x %}{{ y }}{% endfor %}{% endif %}", 1, "Mustache would repeat"),
        ("{% for y in x %}{{ loop.index }}{% endfor %}", 1, "does not count"),
        ("{{ x[0] }}", 1, "no name"),
        ("a\n{% if %}", 2, "no Jinja"),
        ("{{ f(x) }}", 1, "an expression"),
        ("{% include 'a' %}", 1, "include has no words"),
    ],
)
def test_what_cannot_is_told_by_its_line_and_stays_text(text: str, line: int, said: str) -> None:
    odd: list[tuple[int, str]] = []
    written = to_mustache(text, lambda at, why: odd.append((at, why)))
    assert odd[0][0] == line
    assert said in odd[0][1]
    assert compile_template(written).render({}) == text


def test_defaults_are_those_of_the_variables() -> None:
    defaults: dict[str, Any] = {}
    text = "{{ x | default('y') }}{{ x }}"
    assert to_mustache(text, lambda _line, why: pytest.fail(why), defaults) == "{{x}}{{x}}"
    assert defaults == {"x": "y"}
