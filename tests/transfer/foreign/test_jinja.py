# SPDX-License-Identifier: Apache-2.0
"""Jinja in Mustache: rendered alike by both, or told line by line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from gitprompt.core.template import compile_template
from gitprompt.transfer.foreign.jinja import Uses, to_mustache

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
    uses = Uses()
    text = "{{ x | default('y') }}{{ x }}"
    assert to_mustache(text, lambda _line, why: pytest.fail(why), uses) == "{{x}}{{x}}"
    assert uses.defaults == {"x": "y"}


@pytest.mark.parametrize(
    ("texts", "types", "said"),
    [
        (
            ["{% for x in xs %}{% if flag %}{{ x }}{% endif %}{% endfor %}"],
            {},
            "inside a condition",
        ),
        (["{% if docs %}a{% endif %}"], {"docs": "array"}, "is a condition and array"),
        (
            ["{% for d in docs %}{{ d }}{% endfor %}", "{% if docs %}a{% endif %}"],
            {},
            "Mustache would repeat",
        ),
        (
            ["{% for m in ms %}{{ m.name }} {{ name }}{% endfor %}"],
            {},
            "a field of what a loop is at",
        ),
        (["{% if name %}K{% endif %}{{ name | default('W') }}"], {}, "has a default"),
        (["{{ d['a.b'] }}"], {}, "no name"),
    ],
)
def test_what_would_render_otherwise_is_not_translated(
    texts: list[str], types: dict[str, str], said: str
) -> None:
    odd: list[str] = []
    uses = Uses(types)
    *_, written = [to_mustache(text, lambda _line, why: odd.append(why), uses) for text in texts]
    assert said in odd[0]
    assert compile_template(written).render({}) == texts[-1]
