# SPDX-License-Identifier: Apache-2.0
"""Jinja, and what of Nunjucks is the same, in Mustache: variables, conditions and loops. Its own parser reads it, and
nothing is ever rendered with it; what Mustache cannot say is told by its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def to_mustache(text: str, odd: Odd, defaults: dict[str, Any] | None = None) -> str:
    """The text in Mustache, which renders to the same. Where that cannot be, `odd` hears of every line, and the
    text stays as it is written, as text. `defaults` gets what `default(…)` says."""
    try:
        tree = Environment(autoescape=False, keep_trailing_newline=True).parse(text)  # noqa: S701 - only parsed
    except TemplateSyntaxError as error:
        odd(error.lineno, f"no Jinja: {error.message}")
        return literal(text)
    except (RecursionError, ValueError, OverflowError):
        odd(1, "no Jinja that can be read")
        return literal(text)
    translation = _Translation(odd, {} if defaults is None else defaults)
    translation.body(tree.body, None)
    return literal(text) if translation.has_failed else translation.out.finish()


class _Translation:
    def __init__(self, odd: Odd, defaults: dict[str, Any]) -> None:
        self.out = MustacheWriter()
        self.has_failed = False
        self._odd = odd
        self._defaults = defaults
        self._conditions: set[str] = set()
        self._lists: set[str] = set()

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
                    if self._defaults.setdefault(name, value.value) == value.value:
                        return self._path(node.node, item)
            raise _Untranslatable(node.lineno, f"the filter {node.name}")
        return self._path(node, item)

    def _path(self, node: nodes.Node, item: str | None) -> str:
        names: list[str] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            if isinstance(node, nodes.Getitem):
                if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, str):
                    raise _Untranslatable(node.lineno, "an index that is no name")
                names.append(node.arg.value)
            else:
                names.append(node.attr)
            node = node.node
        if not isinstance(node, nodes.Name):
            raise _Untranslatable(node.lineno, "an expression: Mustache has values alone")
        if node.name == item:
            return ".".join(reversed(names)) or "."
        if node.name == "loop":
            raise _Untranslatable(node.lineno, "loop: Mustache does not count")
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
                self.body(body, item)
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
        self.body(node.body, node.target.name)
        self.out.closes(path)
        if node.else_:
            self.out.opens(path, is_inverted=True)
            self.body(node.else_, item)
            self.out.closes(path)

    def _meet(self, path: str, line: int, *, is_list: bool) -> None:
        """A section of Mustache repeats for a list: one name cannot be both a condition and a loop."""
        (self._lists if is_list else self._conditions).add(path)
        if path in self._lists and path in self._conditions:
            raise _Untranslatable(line, f"{path} is a condition and a list: Mustache would repeat")


def _mentions(body: Iterable[nodes.Node], name: str) -> bool:
    return any(found.name == name for node in body for found in node.find_all(nodes.Name))
