# SPDX-License-Identifier: Apache-2.0
"""A prompt rendered with values: one version, or two with the same values. Values come in a form that is
posted, so that they are in no address and no log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gitprompt.core.messages import is_placeholder
from gitprompt.core.variables import effective
from gitprompt.core.versions import is_version
from gitprompt.errors import GitpromptError, Invalid
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import curl, version_choices
from gitprompt.server.ui.looks import display
from gitprompt.server.ui.looks.differences import text_of
from gitprompt.server.ui.looks.spans import variables_in
from gitprompt.server.ui.page import LARGE_FORM, Answer, Page, Shown, View, W
from gitprompt.store.index.reader import StoredVersion
from gitprompt.store.tables.traces import OneSpan

_CHARACTERS_OF_A_TOKEN = 4  # about, in English


class Field(NamedTuple):
    """A variable in the form. `is_given`: it has a value, which may be empty; else its default holds, or
    nothing."""

    name: str
    kind: str
    is_required: bool
    about: str
    default: str | None
    text: str
    is_given: bool


class PlaceholderField(NamedTuple):
    name: str
    is_required: bool
    text: str


class Rendered(NamedTuple):
    """One version with the values, or why it cannot be rendered with them."""

    version: str
    labels: Sequence[str]
    messages: Sequence[Mapping[str, Any]]
    characters: int
    problem: GitpromptError | None

    @property
    def tokens(self) -> int:
        return -(-self.characters // _CHARACTERS_OF_A_TOKEN)


async def ask(context: Context, view: View) -> Answer:
    given = await _from_span(context, view)
    return await _page(context, view, given, {})


async def render(context: Context, view: View) -> Answer:
    name = view.params.get("prompt", "")
    stored = _stored(context, view, name, view.params.get("version", ""))
    form = view.form
    document = context.catalog.document(stored)
    given = {
        variable: form[f"v.{variable}"]
        for variable, spec in effective(document).items()
        if f"v.{variable}" in form
        and (
            form[f"v.{variable}"]
            or form.get(f"give.{variable}")
            or (spec.get("required") and "default" not in spec)
        )
    }
    placeholders, problem = _placeholders(form)
    chosen = [stored]
    if form.get("also"):
        chosen.append(_stored(context, view, name, form["also"]))
    shown = [
        await _rendered(context, view, one, given, placeholders) if problem is None
        else Rendered(one.version.version, [], [], 0, problem)
        for one in chosen
    ]  # fmt: skip
    return await _page(context, view, given, placeholders, shown)


def _stored(context: Context, view: View, name: str, selector: str) -> StoredVersion:
    """A version by its number or a label; without either the one that is served."""
    if not selector:
        return context.catalog.find(view.workspace, name)
    if is_version(selector):
        return context.catalog.find(view.workspace, name, version=selector)
    return context.catalog.find(view.workspace, name, label=selector)


def _placeholders(form: Mapping[str, str]) -> tuple[dict[str, Any], Invalid | None]:
    """The messages that were typed for placeholders; what is no JSON is said."""
    values: dict[str, Any] = {}
    for key, text in form.items():
        if key.startswith("p.") and text.strip():
            try:
                values[key[2:]] = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError):
                return {}, Invalid(f"{key[2:]}: a list of messages is JSON, such as [{{\"role\": \"user\", \"content\": \"Hi\"}}]")  # fmt: skip
    return values, None


async def _rendered(
    context: Context,
    view: View,
    stored: StoredVersion,
    given: Mapping[str, Any],
    placeholders: Mapping[str, Any],
) -> Rendered:
    number = stored.version.version
    try:
        content = await context.catalog.rendered(view.workspace, stored, given, placeholders)
    except GitpromptError as error:
        return Rendered(number, [], [], 0, error)
    messages = []
    for message in content["messages"]:
        text = text_of(message)
        hidden = display.hidden_in(text)
        messages.append({"role": message.get("role", "message"), "text": text, "hidden": hidden})
    return Rendered(number, [], messages, sum(len(one["text"]) for one in messages), None)


async def _page(
    context: Context,
    view: View,
    given: Mapping[str, Any],
    placeholders: Mapping[str, Any],
    shown: Sequence[Rendered] = (),
) -> Shown:
    name = view.params.get("prompt", "")
    stored = _stored(context, view, name, view.params.get("version", ""))
    document = context.catalog.document(stored)
    body = {"version": stored.version.version, "variables": dict(given)}
    if placeholders:
        body["placeholders"] = dict(placeholders)
    path = view.links.api("prompts", name, "render")
    sent = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    line = curl(view, path, method="POST", body=sent.encode("utf-8", "replace").decode())
    return Shown(
        {
            "name": name,
            "version": stored.version.version,
            "choices": version_choices(context, view.workspace, name),
            "also": view.form.get("also", ""),
            "fields": [
                _field(variable, spec, given) for variable, spec in effective(document).items()
            ],
            "placeholders": [
                PlaceholderField(
                    message["name"], bool(message.get("required")),
                    display.pretty(placeholders[message["name"]])
                    if message["name"] in placeholders
                    else view.form.get(f"p.{message['name']}", ""),
                )
                for message in document["messages"]
                if is_placeholder(message)
            ],
            "shown": shown,
            "from_span": view.params.get("span", "") if not shown else "",
            "commands": [("The same, for a program:", line)],
        }
    )  # fmt: skip


def _field(name: str, spec: Mapping[str, Any], given: Mapping[str, Any]) -> Field:
    value = given.get(name, "")
    return Field(
        name,
        str(spec.get("type", "string")),
        bool(spec.get("required")),
        str(spec.get("description") or ""),
        display.compact(spec["default"]) if "default" in spec else None,
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        name in given,
    )


async def _from_span(context: Context, view: View) -> Mapping[str, Any]:
    """The values that a span says its prompt was rendered with."""
    trace_id, span_id = view.params.get("trace", ""), view.params.get("span", "")
    if not trace_id or not span_id:
        return {}
    span = await context.database.read(OneSpan(view.workspace, trace_id, span_id))
    return variables_in(span.metadata) if span is not None else {}


PAGES = (
    Page(path=f"{W}/render", handler=ask, template="render.html", area="prompts"),
    Page(
        path=f"{W}/render", handler=render, template="render.html", area="prompts",
        method="POST", max_form=LARGE_FORM,
    ),
)  # fmt: skip
