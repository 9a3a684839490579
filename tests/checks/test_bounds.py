# SPDX-License-Identifier: Apache-2.0
"""Documents that a stranger made to be slow: each would take minutes if anything grew with the square of
what it says. What is asked for here is far above what they take, and far below that."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gitprompt import checks
from gitprompt.checks import secrets
from gitprompt.core import template
from gitprompt.core.diff import compare, hunks, segments
from gitprompt.core.names import nearest
from gitprompt.core.template import TemplateError, compile_template
from gitprompt.core.variables import render
from gitprompt.errors import Invalid

SECONDS = 3.0  # of processor time: other tests run beside this one
LONG = 99_000  # characters of one message, of which there may be a hundred thousand


def document(**more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "x"}], **more}).encode()


def messages(text: str, count: int = 9) -> bytes:
    return document(messages=[{"role": "user", "content": text}] * count)


SLOW = {
    "an unfinished key": document(metadata={"a": "sk-" + "a" * 17 + "sk-a" * 240_000}),
    "heads of keys": document(metadata={"a": "BEGIN " * 150_000 + "private key" + "x" * 30}),
    "many keys": document(metadata={"a": " ".join(f"pm_{at:064x}" for at in range(14_000))}),
    "white space": messages(" " * (LONG - 10) + "x \n\t"),
    "sections on a line": messages("{{#a}}{{/a}}" * 8_000),
    "comments on a line": messages("{{! }} " * 14_000),
    "braces": messages("{a" * 45_000),
    "undeclared names": document(
        messages=[{"role": "user", "content": "".join(f"{{{{w{i}}}}}" for i in range(9_000))}] * 9,
        variables={f"v{i}": {"type": "string"} for i in range(1_000)},
    ),
    "unused names": document(variables={f"v{i}": {"type": "string"} for i in range(1_000)}),
    "unknown keys": document(**{f"descriptiom{i}": 1 for i in range(40_000)}),
    "parts of the wrong kind": document(
        messages=[{"role": "user", "content": [{"type": "zz"}] * 40_000}]
    ),
    "tests": document(
        messages=[{"role": "user", "content": "{{#a}}{{#a}}{{#a}}x{{/a}}{{/a}}{{/a}}"}] * 900,
        variables={"a": {"type": "array", "default": [1] * 900}},
        tests=[{"contains": ["y"]}] * 50,
    ),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_document_costs_what_it_is_large(kind: str) -> None:
    begin = time.thread_time()
    _, findings = checks.examine(SLOW[kind], path="a.json", kind="prompt", name="a")
    assert time.thread_time() - begin < SECONDS
    assert len(findings) <= 2 * checks.MAX_FINDINGS


def test_the_first_hundred_errors_are_told_and_how_many_more_there_are() -> None:
    text = "".join(f"{{{{w{i}}}}}" for i in range(150))
    data = document(messages=[{"role": "user", "content": text}], variables={})
    _, findings = checks.examine(data, path="a.json", kind="prompt", name="a")
    errors = checks.errors(findings)
    assert len(errors) == checks.MAX_FINDINGS
    assert errors[-1].message == "'w99' is used but not declared in 'variables'; and 50 more errors"
    assert [finding.column for finding in errors[:2]] == [44, 50]


def test_a_document_has_one_budget_however_many_messages() -> None:
    nested = "{{#a}}{{#a}}{{^a}}{{/a}}{{/a}}{{/a}}"
    text = "{{#a}}{{b}}{{/a}}"
    for content, limit in ((nested, "takes more than 100,000 steps"), (text, "2,000,000 bytes")):
        one = {"messages": [{"role": "user", "content": content}]}
        many = {"messages": [{"role": "user", "content": content}] * 1_000}
        values = {"a": json.dumps([1] * 100), "b": "x" * 1_000}
        assert render(one, values)
        with pytest.raises(Invalid, match=limit):
            render(many, values)


def test_a_template_of_many_fields_or_a_long_name_is_refused_in_few_words() -> None:
    for key, why in (("a." * 40 + "a", "more than 32 fields"), ("a b" * 30_000, "is not a")):
        with pytest.raises(TemplateError, match=why) as caught:
            compile_template(f"{{{{#{key}}}}}{{{{/{key}}}}}")
        assert len(caught.value.message) < 300


def test_texts_and_messages_that_have_little_in_common_are_compared_at_once() -> None:
    begin = time.thread_time()
    old, new = (
        {"messages": [m for i in range(500) for m in ({"role": "user", "content": "x"},
                                                      {"role": "user", "content": f"{mark}{i}"})]}
        for mark in "yz"
    )  # fmt: skip
    assert len(compare(old, new)) == 500
    words = [" ".join(f"{mark}{at % 7}" for at in range(2_000)) for mark in "yz"]
    assert "".join(text for op, text in segments(*words) if op != "insert") == words[0]
    assert len(hunks("\n".join("a b" * 2_000), "\n".join("b a" * 2_000))) >= 1
    assert time.thread_time() - begin < SECONDS


def test_a_hint_looks_at_few_names_and_long_ones_are_none() -> None:
    begin = time.thread_time()
    assert nearest("welcom", [*(f"prompt-{at}" for at in range(50)), "welcome"]) == "welcome"
    assert nearest("triage", ["support/triage"]) == "support/triage"
    assert nearest("x" * 100_000, ["x" * 100_000] * 1_000) is None
    nearest("ab" * 20, ("ba" * 20 for _ in range(100_000)))
    assert time.thread_time() - begin < SECONDS


def test_every_expression_of_the_library_is_one_of_a_linear_engine() -> None:
    for detector in secrets.detectors():
        assert all(type(form).__module__.startswith("re2") for form in detector.expressions)


def test_rendering_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MAX_SECONDS", -1.0)
    document = {"messages": [{"role": "user", "content": "{{#a}}x{{/a}}"}]}
    with pytest.raises(Invalid, match="takes more than -1 s"):
        render(document, {"a": "[1]"})
