# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from gitprompt import checks
from gitprompt.checks import schema, secrets
from gitprompt.checks.shape import is_surely_shaped
from gitprompt.checks.shortcut import is_surely_valid
from gitprompt.checks.subject import Publication, Subject
from gitprompt.core.document import digest
from gitprompt.core.model import Kind
from tests.world import SEED

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


@pytest.mark.parametrize(
    "check", checks.CHECKS, ids=lambda check: check.__name__.rpartition(".")[2]
)
def test_every_check_keeps_the_contract(check: Any) -> None:
    assert check.CODES
    assert set(check.CODES) <= set(checks.SEVERITIES)
    assert set(check.CODES.values()) <= {"error", "warning"}
    data = json.dumps(SEED).encode()
    examples: dict[Kind, Any] = {"prompt": SEED, "suite": {"prompt_name": A}, "settings": {}}
    for kind, document in examples.items():
        subject = Subject(data, document, "a.json", kind, "welcome", "1.0.0", None)
        assert list(check.find(subject)) == list(check.find(subject)) == []
    if not check.NEEDS_SHAPE:
        values: list[Any] = [None, 1, "x", [], {}, {"messages": 3}]
        for value in values:
            list(check.find(Subject(b"x", value, "a.json", "prompt", A, None, None)))


def test_codes_are_not_shared() -> None:
    codes = [code for check in checks.CHECKS for code in check.CODES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("schema", "error", 1, 1)]),
        ("- a\n", [("schema", "error", 1, 1)]),
        ("description: x\n", [("schema", "error", 1, 1)]),
        ("messages: []\n", [("schema", "error", 1, 11)]),
        ('version: 1.10\n' + prompt("x"), [("schema", "error", 1, 10)]),
        (prompt("x").replace("user", "robot"), [("schema", "error", 2, 11)]),
        (prompt("x", "variables:\n  v: {type: string, sort: x}\n"), [("schema", "error", 5, 27)]),
        (prompt("x", "tags: [1]\n"), [("schema", "error", 4, 8)]),
        (prompt(""), [("schema", "error", 3, 14)]),
        ("name: other\n" + prompt("x"), [("name", "error", 1, 7)]),
        ('version: "1.0"\n' + prompt("x"), []),
        ("version: 1.0.0.0\n" + prompt("x"), [("schema", "error", 1, 10)]),
        (prompt("{{a"), [("template", "error", 3, 15)]),
        (prompt("x {{>p}}"), [("template", "error", 3, 17)]),
        (prompt('{{"a": 1}}'), [("json-braces", "error", 3, 15)]),
        (prompt("{{a}}", "variables: {b: {type: string}}\n"),
         [("undeclared-variable", "error", 3, 15), ("unused-variable", "warning", 4, 16)]),
        (prompt("{{a}}", "variables: {a: {type: number, default: x}}\n"),
         [("variable-default", "error", 4, 40)]),
        (prompt("x", "type: text\n"), []),
        (prompt("x", "  - {role: user, content: y}\ntype: text\n"), [("text-type", "error", 5, 7)]),
        (prompt("x", "  - {role: system, content: y}\n"), [("message-order", "warning", 4, 12)]),
        (prompt("x", "  - {role: assistant, content: y}\n"), [("message-order", "warning", 4, 12)]),
        (prompt("a \nb"), [("whitespace", "warning", 3, 16)]),
        (prompt("a\tb"), [("whitespace", "warning", 3, 16)]),
    ],
)  # fmt: skip
def test_findings_have_code_severity_and_place(text: str, expected: Any) -> None:
    assert found(text) == expected


def test_a_large_prompt_is_warned_about() -> None:
    messages = [{"role": "user", "content": "x" * 90_000}] * 3
    text = json.dumps({"messages": messages})
    assert [f[:2] for f in found(text, path="a.json")] == [("size", "warning")]


def test_a_document_that_differs_from_its_publication_is_found() -> None:
    text = 'version: "1.0.0"\n' + prompt("x")
    same = Publication("1.0.0", digest({"messages": [{"role": "user", "content": "x"}]}))
    assert found(text, publication=same) == []
    assert found(text, publication=same._replace(digest="0")) == [
        ("changed-after-publish", "error", 1, 10)
    ]


def test_severities_are_settable() -> None:
    text = prompt("a \nb {{c", "")
    found_now = found(text, severities={"whitespace": "error", "template": "off"})
    assert [f[:2] for f in found_now] == [("whitespace", "error"), ("template", "error")]
    assert found("checks: {template: warning}\n", kind="settings")[0][0] == "schema"


def test_the_shape_of_suites_and_settings() -> None:
    assert found("prompt_name: a\n", kind="suite", name="s") == []
    assert found("description: a\n", kind="suite", name="s")[0][0] == "schema"
    assert found("prompt_name: a\n", kind="suite", name="12")[0][0] == "name"
    assert (
        found("prompt_name: a\ncriteria: {min_score: -1}\n", kind="suite", name="s")[0][0]
        == "schema"
    )
    assert found("labels: {protected: {prod: admin}}\nchecks: {size: off}\n", kind="settings") == []
    assert found("labels: {protected: {prod: me}}\n", kind="settings")[0][0] == "schema"
    assert found("label: {}\n", kind="settings")[0][0] == "schema"


SECRETS = {
    "Anthropic": "sk-ant-api03-" + "Ab1_" * 20,
    "OpenAI legacy": "sk-" + A * 20 + "T3BlbkFJ" + "b" * 20,
    "OpenAI project": "sk-proj-" + "Ab1-" * 12,
    "AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "Google": "AIza" + "Ab1_-" * 7,
    "GitHub": "ghp_" + "Ab1" * 12,
    "GitHub fine": "github_pat_" + "Ab1_" * 16,
    "GitLab": "glpat-" + "Ab1_" * 5,
    "Slack": "xoxb-" + "123456789012-123456789012-abcdefghij",
    "Stripe": "sk_live_" + "a1B2" * 6,
    "SendGrid": "SG." + "a" * 22 + "." + "b" * 43,
    "Hugging Face": "hf_" + "Ab" * 17,
    "Groq": "gsk_" + "Ab1" * 17,
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + "A" * 72,
    "Twilio": "AC" + "0123456789abcdef" * 2,
    "Mailchimp": "0123456789abcdef" * 2 + "-us12",
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "gitprompt": "pm_" + "0123456789abcdef" * 4,
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_and_not_repeated(kind: str) -> None:
    secret = SECRETS[kind]
    _, findings = checks.examine(
        prompt(f"use {secret} now").encode(), path="p.yaml", kind="prompt", name="welcome"
    )
    assert [(f.code, f.line) for f in findings] == [("secret", 3)]
    assert secret not in repr(findings)


def test_prose_about_secrets_is_fine() -> None:
    text = (
        "Ask the customer for an API key (sk-…), never for a private key or AWS account. task-list"
    )
    assert found(prompt(text)) == []


LINE = st.text(alphabet="abskSKghAC_-.0123456789eyJ=:/ ", min_size=1, max_size=80)


@given(LINE | st.sampled_from(list(SECRETS.values())).map(lambda s: f"x {s} y"))
def test_the_words_miss_nothing_that_the_detectors_find(line: str) -> None:
    if any(list(detector.analyze_string(line)) for detector in secrets.detectors()):
        assert secrets.is_suspect(line.encode())


# A generator of documents that are often valid, and wrong in one place.

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


@given(PROMPT | BROKEN)
@settings(max_examples=300)
def test_what_the_shortcut_accepts_has_no_error(document: Any) -> None:
    data = json.dumps(document).encode()
    subject = Subject(data, document, "a.json", "prompt", "welcome", "1.0.0", None)
    try:
        accepted = is_surely_valid(
            subject.data, subject.document, subject.name, subject.version or ""
        )
    except (AttributeError, TypeError):
        raise AssertionError("the shortcut must take any value") from None
    if accepted:
        assert checks.errors(checks.judge(subject, {})) == ()


@given(PROMPT | BROKEN | ANY)
def test_both_schema_libraries_give_the_same_verdict(document: Any) -> None:
    loaded = schema.load("prompt")
    verdict = jsonschema_rs.validator_for(loaded).is_valid(document)
    assert verdict == Draft7Validator(loaded).is_valid(document)
    assert verdict or not is_surely_shaped(document)


def test_a_plain_prompt_needs_no_schema_library() -> None:
    assert is_surely_shaped(SEED)


def test_the_schemas_are_valid_and_described() -> None:
    kinds: tuple[Kind, ...] = ("prompt", "suite", "settings")
    for kind in kinds:
        loaded = schema.load(kind)
        Draft7Validator.check_schema(loaded)
        for name, value in loaded["properties"].items():
            assert value.get("description"), f"{kind}.{name} has no description for editors"
