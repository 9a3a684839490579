# SPDX-License-Identifier: Apache-2.0
"""Text that looks like a template of another language: it would be sent to the model as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import templates
from gitprompt.core.model import Severity
from gitprompt.core.template import TemplateError, compile_template, sections
from gitprompt.core.variables import declared

CODES: dict[str, Severity] = {"template-language": "warning"}
NEEDS_SHAPE = True
# `re` compiles these when a text first needs them, and keeps them: a hook sees few such texts.
_JINJA = (
    r"\{%[-+]?\s*(?:if|elif|else|endif|for|endfor|set|block|include|macro|raw)\b[^%\n]{0,200}%\}"
)
_DOLLAR = r"(?<![\\$])\$\{([^\W\d]\w*)\}"
# What stands alone in braces, after what prose has before it: a space, a quote, a tag.
_BARE = r"(?<![\w\\$@^}{)\]])\{([^\W\d]\w*)\}(?!\})"
_CODE = r"(?s:```.*?(?:```|\Z))|`[^`\n]*`"
_CODE_LINE = (
    r"[;=]\s*$|=>|^\s*(?:import|export|from|const|let|var|function|class|def|return|if|for|while)\b"
    r"|\\[A-Za-z]+"
)
_SECTIONS = (
    "A section shows its text if the variable is true, or once for each item: {{#name}}…{{/name}};"
    " if it is false or empty: {{^name}}…{{/name}}."
)
_HELPERS = frozenset({"if", "unless", "each", "with"})


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    names = declared(subject.document) or {}
    for where, content in templates(subject.document["messages"]):
        if "{" in content:
            for what, hint, offset in _foreign(content, names.keys()):
                yield Problem(
                    "template-language",
                    f"{what} is not Mustache: the model would read it as it is",
                    hint,
                    where,
                    offset,
                )


def _foreign(content: str, names: AbstractSet[str]) -> Iterator[tuple[str, str, int]]:
    """What is found, how it is written in Mustache, and where: the first of each kind."""
    is_mustache = "{{" in content
    prose = content
    if not is_mustache or "{%" in content or "${" in content:
        prose = re.sub(_CODE, lambda match: " " * len(match[0]), content)
    match = re.search(_JINJA, prose) if "{%" in prose else None
    if match is not None:
        yield f"'{match[0][:60]}'", _SECTIONS, match.start()
    match = re.search(_DOLLAR, prose) if "${" in prose else None
    if match is not None:
        yield f"'{match[0]}'", f"Write {{{{{match[1]}}}}}.", match.start()
    if not is_mustache:
        match = _bare(prose)
        if match is not None:
            yield f"'{match[0]}'", f"Write {{{{{match[1]}}}}}.", match.start()
        return
    try:
        tags = sections(compile_template(content))
    except TemplateError:
        return  # the template check says how it is written
    for tag in tags:
        if tag.key in _HELPERS and tag.key not in names:
            yield f"'{{{{#{tag.key}}}}}'", _SECTIONS, tag.offset
            return


def _bare(prose: str) -> re.Match[str] | None:
    """A name alone in braces, if all braces of the text are of that kind: JSON, LaTeX and code have
    others too."""
    matches = list(re.finditer(_BARE, prose))
    if not matches or len(matches) != prose.count("{") or len(matches) != prose.count("}"):
        return None
    lines = prose.split("\n")
    is_code = any("{" in line and re.search(_CODE_LINE, line) for line in lines)
    return None if is_code else matches[0]
