# SPDX-License-Identifier: Apache-2.0
"""Every system and user message compiles as a template."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import templates
from gitprompt.core.model import Severity
from gitprompt.core.template import TemplateError, compile_template

CODES: dict[str, Severity] = {"template": "error", "json-braces": "error"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    for where, content in templates(subject.document["messages"]):
        if "{{" not in content:
            continue
        try:
            compiled = compile_template(content)
        except TemplateError as error:
            code = "json-braces" if error.looks_like_json else "template"
            yield Problem(code, error.message, error.hint, where, error.offset)
            continue
        for tag in compiled.partials:
            yield Problem(
                "template",
                f"'{{{{>{tag.key}}}}}' is a partial; prompts have no partials",
                "Write the text out, or pass it in as a variable.",
                where,
                tag.offset,
            )
