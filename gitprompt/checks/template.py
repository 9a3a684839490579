# SPDX-License-Identifier: Apache-2.0
"""The text of every system, developer and user message compiles as a template, and every fragment."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import Where, templates
from gitprompt.core.model import Severity
from gitprompt.core.template import TemplateError, compile_template

CODES: dict[str, Severity] = {"template": "error", "json-braces": "error"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind == "fragment":
        yield from _compiled((), subject.document)
    elif subject.kind == "prompt":
        for where, content in templates(subject.document["messages"]):
            yield from _compiled(where, content)


def _compiled(where: Where, content: str) -> Iterator[Problem]:
    if "{{" in content:
        try:
            compile_template(content)
        except TemplateError as error:
            code = "json-braces" if error.looks_like_json else "template"
            yield Problem(code, error.message, error.hint, where, error.offset)
