# SPDX-License-Identifier: Apache-2.0
"""Templates of other systems in Mustache, so that they render to the same text; what is no template there stays as it
was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count

from gitprompt.core.template import TemplateError, compile_template

_NAME = re.compile(r"[^\W\d][\w.-]{0,127}\Z")
# Langfuse's Python SDK replaces `{{ name }}` and leaves everything else; its other SDKs are Mustache.
_DOUBLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


_DOTTED = re.compile(r"\{\{\s*[^\W\d][\w-]*\.")


def literal(text: str, *, before_tag: bool = False) -> str:
    """Text that renders to itself, whatever braces it has; also right before a tag."""
    marks = [at for at in (text.find("{{"), text.find("}}")) if at >= 0]
    is_open = before_tag and text.endswith("{")
    if not marks and not is_open:
        return text
    start = len(
        text[: min(marks, default=len(text))].rstrip("{")
    )  # a brace before ours would be read with it
    end = len(text) if is_open else max(text.rfind("{{"), text.rfind("}}")) + 2
    inner = text[start:end]
    opening, closing = next(pair for pair in _delimiters() if pair[0] not in inner)
    return f"{text[:start]}{{{{={opening} {closing}=}}}}{inner}{opening}={{{{ }}}}={closing}{text[end:]}"


def _delimiters() -> Iterator[tuple[str, str]]:
    """Pairs that a text is unlikely to have, and then longer ones, of which one is not in it."""
    yield from (("<%", "%>"), ("<|", "|>"), ("[[", "]]"), ("<<", ">>"))
    yield from (("<" + "%" * number, "%" * number + ">") for number in count(2))


def from_langfuse(text: str, odd: Callable[[str], None]) -> str:
    """A text of Langfuse in Mustache. `odd` hears of each pair of braces that is no variable, and stays text; or of
    sections, which Langfuse's SDKs read differently."""
    if "{{" not in text:
        return text
    if _is_mustache(text):
        if re.search(r"\{\{\s*[#^]", text):
            odd(
                "a section, which Langfuse's JavaScript SDK renders and its Python SDK leaves as it is: kept as one"
            )
        if _DOTTED.search(text):
            odd("a name with a dot, which is a field here: give an object")
        return text
    parts = []
    at = 0
    for start, end, name in _variables(text):
        parts += [_literal(text[at:start], odd, before_tag=True), f"{{{{{name}}}}}"]
        at = end
    parts.append(_literal(text[at:], odd))
    return "".join(parts)


def _literal(text: str, odd: Callable[[str], None], *, before_tag: bool = False) -> str:
    if "{{" in text:
        odd("braces around what is no variable: kept as text")
    return literal(text, before_tag=before_tag)


def _is_mustache(text: str) -> bool:
    """Whether all that stands in braces is what both Langfuse and Mustache read the same."""
    for match in _DOUBLE.finditer(text):
        inner = match[1].strip()
        if inner[:1] in ("#", "^", "/"):
            inner = inner[1:].strip()
        if not _NAME.match(inner) or match[1][:1] == "{":
            return False
    try:
        compile_template(text)
    except TemplateError:
        return False
    return text.count("{{") == len(_DOUBLE.findall(text))


def _variables(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of what Langfuse's Python SDK replaces: the first `{{` up to the next `}}`."""
    at = 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start)) >= 0:
        name = text[start + 2 : end].strip()
        at = end + 2
        if _NAME.match(name):
            yield start, at, name


_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def from_fstring(text: str, odd: Callable[[str], None]) -> str:
    """Python's format strings, as LangChain has them: `{name}` is a variable, `{{` a brace."""
    parts: list[str] = []
    plain: list[str] = []
    at = 0
    for match in _FIELD.finditer(text):
        plain.append(text[at : match.start()])
        at = match.end()
        name = (match[1] or "").strip()
        if match[0] in ("{{", "}}"):
            plain.append(match[0][0])
        elif match[1] is not None and _NAME.match(name):
            parts += [literal("".join(plain), before_tag=True), f"{{{{{name}}}}}"]
            plain = []
        else:
            odd(f"{match[0][:40]} is no variable: kept as text")
            plain.append(match[0])
    plain.append(text[at:])
    return "".join(parts) + literal("".join(plain))


def from_mustache(text: str, odd: Callable[[str], None]) -> str:
    """Mustache as it is, where it compiles here; else as text."""
    try:
        template = compile_template(text)
    except TemplateError as error:
        odd(f"no Mustache ({error.message}): kept as text")
        return literal(text)
    if any(template.partials):
        odd("includes a partial, which is not in the export: kept as text")
        return literal(text)
    return text


def from_jinja(text: str, odd: Callable[[str], None]) -> str:
    """Jinja's variables; a text with statements or filters stays as it is written."""
    if re.search(r"\{%|\{#", text) or any(
        not _NAME.match(match[1].strip()) for match in _DOUBLE.finditer(text)
    ):
        odd("Jinja with statements, filters or comments: kept as text; rewrite it in Mustache")
        return literal(text)
    return from_langfuse(text, odd)
