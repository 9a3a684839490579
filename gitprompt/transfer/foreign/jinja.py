# SPDX-License-Identifier: Apache-2.0
"""Jinja, and what of Nunjucks is the same, in Mustache: variables, conditions and loops. Its own parser reads it, and
nothing is ever rendered with it; what Mustache cannot say is told by its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from gitprompt.transfer.foreign.mustache import MustacheWriter
from gitprompt.transfer.foreign.texts import literal

Odd = Callable[[int, str], None]  # a line, from 1, and what it has
_HARMLESS = ("safe", "string")


class _Untranslatable(Exception):
    """What Mustache has no words for, on this line."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


class Uses:
    """How the templates of one file use its variables, of which each is one thing: a section of Mustache repeats for a
    list, and looks into an object. `types`: what the file declares."""

    def __init__(self, types: Mapping[str, str] | None = None) -> None:
        self.types = dict(types or {})
        self.defaults: dict[str, Any] = {}
        self.conditions: set[str] = set()
        self.lists: set[str] = set()
        self.names: set[str] = set()  # of variables
        self.fields: set[str] = set()  # of what loops are at


def to_mustache(text: str, odd: Odd, uses: Uses | None = None) -> str:
    """The text in Mustache, which renders to the same for texts, numbers, truth, lists and objects where it uses such.
    Where that cannot be, `odd` hears of every line, and the text stays as it is written, as text."""
    try:
        tree = Environment(autoescape=False, keep_trailing_newline=True).parse(text)  # noqa: S701 - only parsed
    except TemplateSyntaxError as error:
        odd(error.lineno, f"no Jinja: {error.message}")
        return literal(text)
    except (RecursionError, ValueError, OverflowError):
        odd(1, "no Jinja that can be read")
        return literal(text)
    translation = _Translation(odd, uses or Uses())
    translation.body(tree.body, None)
    translation.check()
    return literal(text) if translation.has_failed else translation.out.finish()


class _Translation:
    def __init__(self, odd: Odd, uses: Uses) -> None:
        self.out = MustacheWriter()
        self.has_failed = False
        self._odd = odd
        self._uses = uses
        self._mine: set[str] = set()  # names that this text has
        self._inside = 0  # sections between here and the loop around

    def check(self) -> None:
        """What only the whole text tells."""
        uses = self._uses
        for names, why in (
            (
                uses.names & uses.fields,
                "is a variable, and a field of what a loop is at: Mustache looks up both",
            ),
            (
                uses.conditions & set(uses.defaults),
                "is a condition, and has a default, which would make it true",
            ),
        ):
            for name in sorted(names & self._mine):
                self.has_failed = True
                self._odd(1, f"{name} {why}")

    def body(self, body: Iterable[nodes.Node], item: str | None) -> None:
        """`item`: what the loop around calls what it is at."""
        for node in body:
            try:
                self._node(node, item)
            except _Untranslatable as error:
                self.has_failed = True
                self._odd(error.line, str(error))

    def _node(self, node: nodes.Node, item: str | None) -> None:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if isinstance(part, nodes.TemplateData):
                    self.out.text(part.data)
                elif isinstance(part, nodes.Const) and isinstance(part.value, str):
                    self.out.text(part.value)
                else:
                    self.out.variable(self._value(part, item))
        elif isinstance(node, nodes.If):
            self._if(node, item)
        elif isinstance(node, nodes.For):
            self._for(node, item)
        else:
            raise _Untranslatable(
                node.lineno, f"{type(node).__name__.lower()} has no words in Mustache"
            )

    def _value(self, node: nodes.Node, item: str | None) -> str:
        if isinstance(node, nodes.Filter):
            if node.name in _HARMLESS and node.node is not None:
                return self._value(node.node, item)
            if (
                node.name in ("default", "d")
                and isinstance(node.node, nodes.Name)
                and len(node.args) == 1
            ):
                value = node.args[0]
                if isinstance(value, nodes.Const) and isinstance(
                    value.value, str | int | float | bool
                ):
                    name = node.node.name
                    if self._uses.defaults.setdefault(name, value.value) == value.value:
                        return self._path(node.node, item)
            raise _Untranslatable(node.lineno, f"the filter {node.name}")
        return self._path(node, item)

    def _path(self, node: nodes.Node, item: str | None) -> str:
        names: list[str] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            if isinstance(node, nodes.Getitem):
                if not isinstance(node.arg, nodes.Const) or not _is_name(node.arg.value):
                    raise _Untranslatable(node.lineno, "an index that is no name")
                names.append(node.arg.value)
            else:
                names.append(node.attr)
            node = node.node
        if not isinstance(node, nodes.Name):
            raise _Untranslatable(node.lineno, "an expression: Mustache has values alone")
        if node.name == item:
            if not names and self._inside:
                raise _Untranslatable(
                    node.lineno,
                    f"{item} inside a condition of its loop: Mustache is elsewhere there",
                )
            self._uses.fields.update(names[-1:])
            self._mine.update(names[-1:])
            return ".".join(reversed(names)) or "."
        if node.name == "loop":
            raise _Untranslatable(node.lineno, "loop: Mustache does not count")
        self._uses.names.add(node.name)
        self._mine.add(node.name)
        return ".".join([node.name, *reversed(names)])

    def _if(self, node: nodes.If, item: str | None) -> None:
        test, is_not = node.test, False
        while isinstance(test, nodes.Not):
            test, is_not = test.node, not is_not
        path = self._path(test, item)
        if path == ".":
            raise _Untranslatable(node.lineno, "a condition on what the loop is at")
        self._meet(path, node.lineno, is_list=False)
        otherwise: list[nodes.Node] = list(node.else_)
        for nested in reversed(node.elif_):
            otherwise = [nodes.If(nested.test, nested.body, [], otherwise, lineno=nested.lineno)]
        for body, inverted in ((node.body, is_not), (otherwise, not is_not)):
            if body:
                self.out.opens(path, is_inverted=inverted)
                self._inside += not inverted
                self.body(body, item)
                self._inside -= not inverted
                self.out.closes(path)

    def _for(self, node: nodes.For, item: str | None) -> None:
        if not isinstance(node.target, nodes.Name) or node.test is not None or node.recursive:
            raise _Untranslatable(node.lineno, "a loop with conditions, or over pairs")
        if item is not None and _mentions(node.body, item):
            raise _Untranslatable(
                node.lineno, f"a loop in a loop that uses {item} of the one around"
            )
        path = self._path(node.iter, item)
        self._meet(path, node.lineno, is_list=True)
        self.out.opens(path)
        before, self._inside = self._inside, 0
        self.body(node.body, node.target.name)
        self._inside = before
        self.out.closes(path)
        if node.else_:
            self.out.opens(path, is_inverted=True)
            self.body(node.else_, item)
            self.out.closes(path)

    def _meet(self, path: str, line: int, *, is_list: bool) -> None:
        """A section of Mustache repeats for a list: one name cannot be both a condition and a loop."""
        uses = self._uses
        (uses.lists if is_list else uses.conditions).add(path)
        if path in uses.lists and path in uses.conditions:
            raise _Untranslatable(line, f"{path} is a condition and a list: Mustache would repeat")
        if not is_list and uses.types.get(path) in ("array", "object"):
            raise _Untranslatable(
                line, f"{path} is a condition and {uses.types[path]}: Mustache would go into it"
            )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _mentions(body: Iterable[nodes.Node], name: str) -> bool:
    return any(found.name == name for node in body for found in node.find_all(nodes.Name))
