# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pystache
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core import template
from gitprompt.core.template import TemplateError, compile_template, simple_names

SPEC = Path(__file__).parents[1] / "data" / "mustache-spec"
VECTORS = [
    pytest.param(vector, id=f"{path.stem}: {vector['name']}")
    for path in sorted(SPEC.glob("*.json"))
    for vector in json.loads(path.read_text())["tests"]
]


def test_all_vectors_of_the_required_modules_are_here() -> None:
    assert len(VECTORS) == 136


@pytest.mark.parametrize("vector", VECTORS)
def test_specification(vector: dict[str, Any]) -> None:
    def escape(text: str) -> str:
        return html.escape(text).replace("&#x27;", "'")

    template = compile_template(vector["template"])
    rendered = template.render(vector["data"], partials=vector.get("partials"), escape=escape)
    assert rendered == vector["expected"]


def test_a_value_is_never_read_as_a_template() -> None:
    template = compile_template("{{a}} {{#b}}{{.}}{{/b}}")
    assert template.render({"a": "{{b}}", "b": ["{{a}}"]}) == "{{b}} {{a}}"


def test_values_are_not_escaped_and_structures_are_json() -> None:
    template = compile_template("{{a}}|{{b}}|{{c}}|{{d}}|{{{a}}}|{{&a}}")
    context = {"a": "<&>", "b": [1, "é"], "c": True, "d": None}
    assert template.render(context) == '<&>|[1,"é"]|true||<&>|<&>'


def test_attributes_are_out_of_reach() -> None:
    assert compile_template("{{a.__class__}}{{__class__}}{{a.real}}").render({"a": 1}) == ""


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("ab {{name", 3, "never closed"),
        ("{{#a}}x", 0, "section 'a' is never closed"),
        ("x{{/a}}", 1, "never opened"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", 12, "section 'b' is closed as 'a'"),
        ("{{}}", 0, "a tag is empty"),
        ("{{a b}}", 0, "'a b' is not a variable name"),
        ("{{=<%=}}", 0, "two delimiters"),
    ],
)
def test_what_does_not_compile_says_where(text: str, offset: int, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        compile_template(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize("text", ['{{"a": 1}}', '{{ "a": {"b": 1} }}', "{{'a': 1}}", '{{"a'])
def test_json_braces_are_recognised(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text)
    assert caught.value.looks_like_json


def test_sections_may_not_nest_without_end() -> None:
    with pytest.raises(TemplateError, match="nested deeper"):
        compile_template("{{#a}}" * 65 + "{{/a}}" * 65)


def test_a_partial_may_not_include_itself_without_end() -> None:
    with pytest.raises(TemplateError, match="without end"):
        compile_template("{{>a}}").render({}, partials={"a": "{{>a}}"})


TEXT = st.lists(st.sampled_from(["a", "b", " ", "\n", "<&", "{ ", " }"]), max_size=8).map("".join)


KEY = st.sampled_from(["a", "b", "c"])
VALUE = st.one_of(
    st.text(alphabet="xy<{}", max_size=4),
    st.integers(0, 99),
    st.lists(st.text(alphabet="xy", max_size=3), max_size=3),
)


def _block(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    section = st.tuples(st.sampled_from("#^"), KEY, inner).map(
        lambda t: f"{{{{{t[0]}{t[1]}}}}}{t[2]}{{{{/{t[1]}}}}}"
    )
    return st.lists(st.one_of(TEXT, KEY.map(lambda k: f"{{{{{k}}}}}"), section), max_size=4).map(
        "".join
    )


TEMPLATE = st.recursive(TEXT, _block, max_leaves=12)


@given(TEMPLATE, st.dictionaries(KEY, VALUE))
def test_the_outcome_is_that_of_pystache(text: str, context: dict[str, Any]) -> None:
    # pystache writes a list as Python does, and a tag next to a brace its own way.
    # It keeps blanks after a standalone tag, which are no line of their own.
    if "{{{" in text or "}}}" in text or re.search(r"\}\}[ \t]+(\n|\Z)", text):
        return
    scalars = {k: v for k, v in context.items() if not isinstance(v, list)}
    renderer = pystache.Renderer(escape=lambda u: u)
    assert compile_template(text).render(scalars) == renderer.render(text, scalars)


@given(TEMPLATE)
def test_simple_names_agrees_with_the_parser(text: str) -> None:
    names = simple_names(text)
    if names is not None:
        flat = compile_template(text).flat
        assert flat is not None
        assert names == {name for name, _ in flat}


@given(st.text(alphabet="{}#^/!>&= ab\n.<%", max_size=40))
def test_any_text_compiles_or_says_why(text: str) -> None:
    try:
        compile_template(text).render({"a": ["b"], "b": "x"})
    except TemplateError as error:
        assert 0 <= error.offset <= len(text)


def test_sections_that_multiply_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MAX_SECONDS", 60.0)  # a slow machine is not what stops them
    nested = "{{#a}}" * 30 + "x" + "{{/a}}" * 30
    with pytest.raises(TemplateError, match="steps"):
        compile_template(nested).render({"a": [1, 1]})
    with pytest.raises(TemplateError, match="more than 2,000,000 bytes"):
        compile_template("{{#a}}{{b}}{{/a}}").render({"a": [1] * 1000, "b": "x" * 10_000})
