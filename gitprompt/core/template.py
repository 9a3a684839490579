# SPDX-License-Identifier: Apache-2.0
"""Mustache, the required modules of the official specification, compiled once.

Where it differs by design: values are not HTML-escaped unless `escape` is given, a mapping or a
list is written as JSON, and look-ups go into mappings only, never into attributes. A value is
never read as a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from time import monotonic
from typing import Any, NamedTuple

ENGINE = "mustache-1"
MAX_DEPTH = 64
MAX_STEPS = 100_000  # of one document: sections nested in sections multiply
MAX_OUTPUT = 2_000_000  # bytes of one document
MAX_SECONDS = 1.0

_STANDALONE = frozenset("#^/!>=")
_KEY = re.compile(r"[^\s{}\"':,\[\]()]+\Z")
_MAX_FIELDS = 32  # a.b.c has three: each look-up walks them all
_END_OF_LINE = re.compile(r"[ \t]*(?:\r?\n|\Z)")

Escape = Callable[[str], str]


class TemplateError(ValueError):
    """A template that does not compile. `offset` is in characters from its start."""

    def __init__(self, message: str, offset: int, *, hint: str = "", braces: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint
        self.looks_like_json = braces


class Budget:
    """What the templates of one document may take together, however many there are."""

    __slots__ = ("deadline", "max_output", "room", "steps")

    def __init__(self, max_output: int = MAX_OUTPUT, *, steps: int = MAX_STEPS) -> None:
        self.max_output = self.room = max_output
        self.steps = steps
        self.deadline = monotonic() + MAX_SECONDS

    @property
    def is_spent(self) -> bool:
        return self.steps < 0 or self.room < 0


class Tag(NamedTuple):
    """One tag: `kind` is '' (variable), '&' (unescaped), '#', '^' or '>'."""

    kind: str
    key: str
    offset: int
    children: tuple[Tag | str, ...] = ()
    indent: str = ""


class Template(NamedTuple):
    """`flat` holds the (name, offset) of each variable if there are only simple variables: no
    sections, no partials, no dots. That is most templates, and most questions end there."""

    nodes: tuple[Tag | str, ...]
    flat: tuple[tuple[str, int], ...] | None = None

    def render(
        self,
        context: Mapping[str, Any],
        *,
        partials: Mapping[str, str] | None = None,
        escape: Escape | None = None,
        budget: Budget | None = None,
    ) -> str:
        """The text for `context`; a name that is not there is the empty string. Takes what it needs
        from the budget, and raises TemplateError if that is too little."""
        out: list[str] = []
        renderer = _Renderer(partials or {}, escape, out.append, budget or Budget())
        try:
            renderer.nodes(self.nodes, [context])
        finally:
            if budget is not None:
                budget.room, budget.steps = renderer.room, renderer.steps
        return "".join(out)

    @property
    def partials(self) -> Iterator[Tag]:
        if self.flat is not None:
            return iter(())
        return (tag for tag in _walk(self.nodes) if tag.kind == ">")


def compile_template(text: str) -> Template:
    """Compile `text` or raise TemplateError. The last ones are kept: many short ones, and a few that
    are long, so that they are no more than some megabytes together."""
    return _compile(text) if len(text) <= _SHORT else _compile_long(text)


_SHORT = 4_000  # characters


@lru_cache(maxsize=2048)
def _compile(text: str) -> Template:
    if "{{" not in text:
        return Template((text,) if text else (), ())
    flat = _flat(text)
    if flat is not None:
        return flat
    return Template(_Parser(text).parse())


_compile_long = lru_cache(maxsize=64)(_compile.__wrapped__)


def _flat(text: str) -> Template | None:
    """A template of simple variables only, which most are, without the parser."""
    first, *rest = text.split("{{")
    nodes: list[Tag | str] = [first] if first else []
    offset = len(first)
    for part in rest:
        inner, closed, literal = part.partition("}}")
        key = inner.strip(" \t")
        if not closed or not key.isidentifier():
            return None
        nodes.append(Tag("", key, offset))
        if literal:
            nodes.append(literal)
        offset += 2 + len(part)
    return Template(tuple(nodes), tuple((n.key, n.offset) for n in nodes if isinstance(n, Tag)))


def simple_names(text: str) -> AbstractSet[str] | None:
    """The variables of a template that has simple variables only; None if it has more."""
    names = _SIMPLE.findall(text)
    return set(names) if len(names) == text.count("{{") else None


_SIMPLE = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}")


class _Parser:
    """One pass from left to right; `after` is where the last tag has ended, `stack` has the sections that
    are still open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.open, self.close = "{{", "}}"
        self.after = 0
        self.stack: list[tuple[Tag, list[Tag | str]]] = []
        self.nodes: list[Tag | str] = []

    def parse(self) -> tuple[Tag | str, ...]:
        while (start := self.text.find(self.open, self.after)) >= 0:
            kind, key, end = self._tag(start)
            line_start, line_end = self._standalone(kind, start, end)
            self._literal(self.after, line_start)
            self._add(kind, key, start, indent=self.text[line_start:start])
            self.after = line_end
        self._literal(self.after, len(self.text))
        if self.stack:
            tag = self.stack[-1][0]
            raise TemplateError(
                f"section '{tag.key}' is never closed",
                tag.offset,
                hint=f"Add {self.open}/{tag.key}{self.close} after it.",
            )
        return tuple(self.nodes)

    def _tag(self, start: int) -> tuple[str, str, int]:
        """Kind, key and end of the tag that begins at `start`."""
        inner = start + len(self.open)
        kind = self.text[inner : inner + 1]
        close = self.close
        if kind == "{" and self.open == "{{":
            kind, close = "{", "}}}"
        elif kind == "=":
            close = "=" + self.close
        elif kind not in _STANDALONE and kind != "&":
            kind = ""
        begin = inner + len(kind)
        end = self.text.find(close, begin)
        if end < 0:
            raise TemplateError(
                f"'{self.open}' is never closed",
                start,
                hint=f"Close it with '{close}', or change the delimiters: {{{{=<% %>=}}}}.",
                braces=_looks_like_json(self.text[begin : begin + 40]),
            )
        return ("&" if kind == "{" else kind), self.text[begin:end].strip(), end + len(close)

    def _standalone(self, kind: str, start: int, end: int) -> tuple[int, int]:
        """Where the literal text before the tag stops, and where the text after it goes on."""
        if kind not in _STANDALONE or not kind:
            return start, end
        # A tag that ended on this line is no white space: nobody looks further back than to it.
        line_start = self.text.rfind("\n", self.after, start) + 1
        if not line_start:
            line_start = self.after
            if line_start and self.text[line_start - 1] != "\n":
                return start, end
        if self.text[line_start:start].strip(" \t"):
            return start, end
        after = _END_OF_LINE.match(self.text, end)
        return (line_start, after.end()) if after else (start, end)

    def _literal(self, start: int, end: int) -> None:
        if start < end:
            self.nodes.append(self.text[start:end])

    def _add(self, kind: str, key: str, offset: int, *, indent: str) -> None:
        if kind == "!":
            return
        if kind == "=":
            self._set_delimiters(key, offset)
            return
        if not _KEY.match(key):
            raise _key_error(key, offset, self.open, self.close)
        if key.count(".") > _MAX_FIELDS:
            raise TemplateError(f"'{key[:_SHOWN]}' has more than {_MAX_FIELDS} fields", offset)
        if kind == "/":
            self._close(key, offset)
        elif kind in ("#", "^"):
            if len(self.stack) >= MAX_DEPTH:
                raise TemplateError(f"sections are nested deeper than {MAX_DEPTH}", offset)
            self.stack.append((Tag(kind, key, offset), self.nodes))
            self.nodes = []
        else:
            self.nodes.append(Tag(kind, key, offset, (), indent if kind == ">" else ""))

    def _set_delimiters(self, key: str, offset: int) -> None:
        parts = key.split()
        if len(parts) != 2 or "=" in key:
            raise TemplateError(
                "a delimiter tag needs two delimiters", offset, hint="Write {{=<% %>=}}."
            )
        self.open, self.close = parts

    def _close(self, key: str, offset: int) -> None:
        if not self.stack:
            raise TemplateError(f"'{key}' is closed but was never opened", offset)
        tag, outer = self.stack.pop()
        if tag.key != key:
            raise TemplateError(
                f"section '{tag.key}' is closed as '{key}'",
                offset,
                hint=f"Close '{tag.key}' first; sections nest.",
            )
        outer.append(tag._replace(children=tuple(self.nodes)))
        self.nodes = outer


def _key_error(key: str, offset: int, opening: str, closing: str) -> TemplateError:
    key = key[:_SHOWN]
    braces = _looks_like_json(key)
    if braces:
        hint = (
            "This looks like JSON. Put a space between the braces ('{ {'), or change the "
            "delimiters at the top of the message: {{=<% %>=}}."
        )
    elif key.split(" ", 1)[0] in ("if", "unless", "each", "with", "for"):
        name = key.split()[-1]
        hint = (
            "Mustache has no helpers. A section shows its text if the variable is true, or once for"
            f" each item: {opening}#{name}{closing}…{opening}/{name}{closing}; if it is false:"
            f" {opening}^{name}{closing}…{opening}/{name}{closing}."
        )
    elif "|" in key or key.endswith(")"):
        hint = "Mustache has no filters or calls: pass the finished value in as a variable."
    else:
        hint = f"A variable is one word: {opening}name{closing}."
    what = f"'{key}' is not a variable name" if key else "a tag is empty"
    return TemplateError(what, offset, hint=hint, braces=braces)


_SHOWN = 200  # characters of what is no name, in a message


def _looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in {'"', "'", "{", "["} or '":' in text


class _Renderer:
    def __init__(
        self,
        partials: Mapping[str, str],
        escape: Escape | None,
        write: Callable[[str], None],
        budget: Budget,
    ) -> None:
        self.partials = partials
        self.escape = escape
        self._write = write
        self._budget = budget
        self.depth = 0
        self.steps = budget.steps
        self.room = budget.room

    def write(self, text: str) -> None:
        self.room -= len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self.room < 0:
            raise _over(f"has more than {self._budget.max_output:,} bytes")
        self._write(text)

    def nodes(self, nodes: Sequence[Tag | str], stack: list[Any]) -> None:
        self.steps -= len(nodes)
        if self.steps < 0:
            raise _over(f"takes more than {MAX_STEPS:,} steps")
        for node in nodes:
            if isinstance(node, str):
                self.write(node)
            elif node.kind == "":
                text = written(_look_up(node.key, stack))
                self.write(self.escape(text) if self.escape else text)
            elif node.kind == "&":
                self.write(written(_look_up(node.key, stack)))
            elif node.kind == ">":
                self._partial(node, stack)
            else:
                self._section(node, stack)

    def _section(self, tag: Tag, stack: list[Any]) -> None:
        value = _look_up(tag.key, stack)
        if tag.kind == "^":
            if not value:
                self.nodes(tag.children, stack)
            return
        if not value:
            return
        for item in value if isinstance(value, list | tuple) else (value,):
            self.steps -= 1
            if monotonic() > self._budget.deadline:
                raise _over(f"takes more than {MAX_SECONDS:g} s")
            stack.append(item)
            self.nodes(tag.children, stack)
            stack.pop()

    def _partial(self, tag: Tag, stack: list[Any]) -> None:
        text = self.partials.get(tag.key, "")
        if tag.indent:
            text = "".join(tag.indent + line for line in text.splitlines(keepends=True))
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TemplateError(f"partial '{tag.key}' includes itself without end", tag.offset)
        self.nodes(compile_template(text).nodes, stack)
        self.depth -= 1


def _over(what: str) -> TemplateError:
    return TemplateError(
        f"the rendered document {what}, the most there may be",
        0,
        hint="Give shorter values, or nest fewer sections.",
    )


def _look_up(key: str, stack: list[Any]) -> Any:
    if key == ".":
        return stack[-1]
    first, *rest = key.split(".") if "." in key else (key,)
    for context in reversed(stack):
        if isinstance(context, Mapping) and first in context:
            value = context[first]
            break
    else:
        return None
    for part in rest:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def written(value: Any) -> str:
    """How a value is written into a prompt: text as it is, anything structured as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def free_names(
    template: Template, *, is_scalar: Callable[[str], bool]
) -> Iterable[tuple[str, int]]:
    """The variables that a template reads, each with its offset.

    Inside a section over a list or an object a name is the item's field unless a scalar variable
    of that name exists, so only sections over scalars (`is_scalar`) are looked into for more.
    """
    if template.flat is not None:
        return template.flat
    return _free(template.nodes, is_scalar, in_item=False)


def _free(
    nodes: Sequence[Tag | str], is_scalar: Callable[[str], bool], *, in_item: bool
) -> Iterator[tuple[str, int]]:
    for node in nodes:
        if isinstance(node, str) or node.kind == ">":
            continue
        name = node.key.partition(".")[0]
        if name and (not in_item or is_scalar(name)):
            yield name, node.offset
        if node.children:
            item = node.kind == "#" and not is_scalar(name)
            yield from _free(node.children, is_scalar, in_item=in_item or item)


def structured_names(template: Template) -> set[str]:
    """The variables of which a template reads a field, or makes a section: they are more than text."""
    if template.flat is not None:
        return set()
    return {
        tag.key.partition(".")[0]
        for tag in _walk(template.nodes)
        if tag.kind in ("#", "^") or "." in tag.key.strip(".")
    } - {""}


def sections(template: Template) -> Iterator[Tag]:
    """Every section, inside others too."""
    if template.flat is not None:
        return iter(())
    return (tag for tag in _walk(template.nodes) if tag.kind in ("#", "^"))


def _walk(nodes: Sequence[Tag | str]) -> Iterator[Tag]:
    for node in nodes:
        if isinstance(node, Tag):
            yield node
            yield from _walk(node.children)


def mentioned(template: Template) -> set[str]:
    """Every name anywhere in a template, also inside sections over lists."""
    if template.flat is not None:
        return {name for name, _ in template.flat}
    return {tag.key.partition(".")[0] for tag in _walk(template.nodes)}
