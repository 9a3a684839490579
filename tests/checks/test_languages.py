# SPDX-License-Identifier: Apache-2.0
"""Text of other template languages is pointed out; JSON, LaTeX and code are not."""

from __future__ import annotations

import time

import pytest

from gitprompt import checks
from tests.checks.documents import prompt


def hints(content: str, more: str = "") -> list[str]:
    _, findings = checks.examine(
        prompt(content, more).encode(), path="prompts/a.yaml", kind="prompt", name="welcome"
    )
    return [one.hint for one in findings if one.code == "template-language"]


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("Hello {name}!", "{{name}}"),
        ("Answer in {language}, about {topic}.", "{{language}}"),
        ("<document>{document}</document>", "{{document}}"),
        ('Say "{größe}"', "{{größe}}"),
        ("{name}", "{{name}}"),
        ("Hello ${name}!", "{{name}}"),
        ("{% if premium %}Hi{% endif %}", "{{#name}}"),
        ("{%- for x in items -%}{{ x }}{%- endfor -%}", "{{#name}}"),
        ("{{#each}}x{{/each}}", "{{#name}}"),
        ("{{#if}}x{{/if}}", "{{#name}}"),
    ],
)
def test_other_languages_are_pointed_out_with_the_right_spelling(
    content: str, written: str
) -> None:
    (hint,) = hints(content)
    assert written in hint


@pytest.mark.parametrize(
    "content",
    [
        'Answer as JSON: {"name": "x"}',
        "Use {} for an empty object",
        "{{greeting}}, write {name} in the letter",
        r"Solve \\frac{a}{b} and x_{i}, \\textbf{word}",
        "function f() {return}",
        "import {useState} from 'react'",
        "const {a} = b;",
        "```js\nlet s = `${name}`\n```",
        "Run `echo ${HOME}`",
        "A set {a, b} and a set {a}",
        "@media {print} .x{color}",
        "if (x) {y}",
        "costs \\\\${amount}",
        "{1}",
        "100 % if {{premium}}",
        "An f-string such as {value:.2f}",
    ],
)
def test_json_latex_and_code_are_left_alone(content: str) -> None:
    assert hints(content) == []


def test_a_variable_may_be_called_each_if_it_is_declared() -> None:
    assert hints("{{#each}}x{{/each}}", "variables: {each: {type: array}}\n") == []


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("{{#if premium}}Hi{{/if}}", "{{#premium}}…{{/premium}}"),
        ("{{#each items}}x{{/each}}", "{{#items}}…{{/items}}"),
        ("{{ name | upper }}", "Mustache has no filters"),
    ],
)
def test_what_does_not_compile_says_how_it_is_written(content: str, written: str) -> None:
    _, findings = checks.examine(
        prompt(content).encode(), path="prompts/a.yaml", kind="prompt", name="welcome"
    )
    assert [(one.code, written in one.hint) for one in findings] == [("template", True)]


@pytest.mark.parametrize("piece", ["{a} ", "`", "{% if ", "${a", "```{", "{a}\n", "\\a{a}"])
def test_long_text_is_judged_in_a_moment(piece: str) -> None:
    content = (piece * 100_000)[:99_000]
    begin = time.process_time()
    hints(content)
    assert time.process_time() - begin < 2
