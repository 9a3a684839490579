# SPDX-License-Identifier: Apache-2.0
"""Handlebars in Mustache."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.core.template import compile_template
from gitprompt.transfer.foreign.handlebars import tags, to_mustache

VALUES: dict[str, Any] = {
    "name": "Ada",
    "yes": True,
    "no": False,
    "items": ["a", "b"],
    "people": [{"name": "B", "job": {"at": "C"}}],
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hi {{name}}!", "Hi Ada!"),
        ("{{{name}}} {{! gone }}{{!-- {{gone}} --}}.", "Ada ."),
        ("{{#if yes}}a{{else}}b{{/if}}{{#if no}}a{{else}}b{{/if}}", "ab"),
        ("{{#unless no}}a{{else}}b{{/unless}}", "a"),
        ("{{#each items}}- {{this}}\\n{{/each}}", "- a\\n- b\\n"),
        ("{{#each people}}{{this.name}} at {{job.at}}{{/each}}", "B at C"),
        ("a {{~name~}} b", "aAdab"),
        ("\\\\{{name}} {literal} }}", "{{name}} {literal} }}"),
        ("a\\n{{#if yes}}\\nline\\n{{else}}\\nx\\n{{/if}}\\nend", "a\\nline\\nend"),
    ],
)
def test_what_can_be_said_renders_alike(text: str, wanted: str) -> None:
    text, wanted = text.replace("\\n", "\n").replace("\\\\", "\\"), wanted.replace("\\n", "\n")
    written = to_mustache(list(tags(text)), lambda line, why: pytest.fail(f"{line}: {why}"))
    assert compile_template(written).render(VALUES) == wanted


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n{{> part}}", 2),
        ("{{upper name}}", 1),
        ("{{@index}}", 1),
        ("{{#if (eq a b)}}x{{/if}}", 1),
        ("\n{{#if a}}", 1),
        ("{{#if items}}{{#each items}}{{this}}{{/each}}{{/if}}", 1),
        ("{{#each a}}{{#if b}}{{this}}{{/if}}{{/each}}", 1),
        ("{{/if}}", 1),
    ],
)
def test_what_cannot_is_told_by_its_line_and_stays_text(text: str, line: int) -> None:
    odd: list[int] = []
    written = to_mustache(list(tags(text)), lambda at, _why: odd.append(at))
    assert odd == [line]
    assert compile_template(written).render({}) == text
