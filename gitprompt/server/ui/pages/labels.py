# SPDX-License-Identifier: Apache-2.0
"""A label: its history, and the one form that moves it, rolls it back or removes it. The form shows what
exactly that step changes and how both versions do, and carries what it has shown: if somebody else was
faster, nothing is moved, and the page says who it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt import gates
from gitprompt.core.labels import MoveRecord, check_label
from gitprompt.errors import Conflict, GitpromptError, Invalid, NotFound
from gitprompt.gates import Facts
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import (
    WINDOW_NAMES,
    VersionChoice,
    command,
    curl,
    version_choices,
    window_of,
)
from gitprompt.server.ui.comparison import VersionStep, compared
from gitprompt.server.ui.page import (
    Answer,
    Page,
    Pager,
    Redirect,
    Shown,
    View,
    W,
    chosen,
    page_number,
    refusal,
)
from gitprompt.store.index.reader import DatedMove

_ON_A_PAGE = 30
_MAX_REASON = 10_000  # characters


class LabelState(NamedTuple):
    """A label as it is: the version that it points at, None for nothing; what it pointed at before; and the
    moves of a page of its history, of so many."""

    name: str
    label: str
    current: str | None
    newest: DatedMove | None
    before: str | None
    moves: Sequence[DatedMove]
    total: int


def _place(context: Context, view: View) -> LabelState:
    workspace, name, label = view.workspace, view.path["name"], check_label(view.path["label"])
    if not context.catalog.exists(workspace, name):
        raise NotFound("There is no such prompt")
    offset = (page_number(view.params) - 1) * _ON_A_PAGE
    moves = context.index.label_moves(workspace, name, label, limit=_ON_A_PAGE, offset=offset)
    first = context.index.label_moves(workspace, name, label, limit=2)
    newest = first[0] if first else None
    total = context.index.count_moves(workspace, name, label)
    current = newest.move.version if newest else None
    before = first[1].move.version if len(first) > 1 else None
    return LabelState(name, label, current, newest, before, moves, total)


async def other(context: Context, view: View) -> Answer:
    """The label that somebody typed, whether or not it is there."""
    label = check_label(view.params.get("label", "").strip())
    return Redirect(view.links.to("prompts", view.path["name"], "labels", label))


async def show(context: Context, view: View) -> Answer:
    return await _form(context, view, _place(context, view))


async def _form(
    context: Context,
    view: View,
    place: LabelState,
    *,
    problem: GitpromptError | None = None,
    reason: str = "",
) -> Shown:
    choices = version_choices(context, view.workspace, place.name)
    target = _target(view, place, choices)
    why = _why_not(context, view, place, target)
    step = None
    if place.current is not None and target is not None and target != place.current:
        step = await compared(context, view, place.name, place.current, target)
    is_rollback = _is_rollback(context, view, place, target)
    values: dict[str, Any] = {
        "place": place,
        "name": place.name,
        "label": place.label,
        "choices": choices,
        "target": target,
        "step": step,
        "is_rollback": is_rollback,
        "needs_reason": is_rollback or _is_protected(context, view, place.label),
        "scope": context.index.settings(view.workspace).scope_to_move(place.label),
        "why": why,
        "why_not_removed": _why_not(context, view, place, None),
        "reason": reason,
        "problem": problem,
        "lost": isinstance(problem, Conflict)
        and (view.form.get("expected") or None) != place.current,
        "layout": chosen(view.params, "view", ("split", "unified")),
        "window": window_of(view),
        "windows": WINDOW_NAMES,
        "pager": Pager(page_number(view.params), _ON_A_PAGE, place.total, len(place.moves)),
        "commands": _commands(view, place, target, step),
    }
    return Shown(values, 200 if problem is None else problem.status)


def _target(view: View, place: LabelState, choices: Sequence[VersionChoice]) -> str | None:
    """What the form moves to: what was asked for; else the newest version, or if the label is there the one
    that it was at before."""
    wanted = {**view.params, **view.form}.get("to", "")
    numbers = [choice.version for choice in choices]
    if wanted in numbers:
        return wanted
    if place.newest is not None and place.newest.is_rollback:
        return None  # who has just gone back does not want to go on at once
    if place.current is None or not numbers or numbers[0] != place.current:
        return numbers[0] if numbers else None
    return place.before


def _is_rollback(context: Context, view: View, place: LabelState, target: str | None) -> bool:
    """Whether the label was at the target before."""
    if target is None or target == place.current:
        return False
    return context.index.was_at(view.workspace, place.name, place.label, target)


def _is_protected(context: Context, view: View, label: str) -> bool:
    return context.index.settings(view.workspace).scope_to_move(label) != "write"


def _why_not(context: Context, view: View, place: LabelState, target: str | None) -> str:
    """Why this visitor cannot do this here, by the server's settings and the repository's policy."""
    why = refusal(context.settings, view.visitor, "labels")
    if why:
        return why
    move = MoveRecord(place.name, place.label, target, place.current)
    settings = context.index.settings(view.workspace)
    finding = gates.judge(move, Facts(settings, view.visitor.principal.scopes))
    return "" if finding is None else f"{finding.hint or finding.message}"


def _commands(
    view: View, place: LabelState, target: str | None, step: VersionStep | None
) -> list[tuple[str, str]]:
    lines = [("Its history, in a clone:", command("label", "log", place.name, place.label))]
    if target is not None and (step is not None or place.current is None):
        words = ["label", "set", place.name, place.label, target]
        if place.current is not None:
            words += ["--expect", place.current]
        lines.append(("This move, in a clone:", command(*words, "-m", "why", "--push")))
        body = f'{{"version_tag": "{target}", "expected": {_json(place.current)}, "reason": "why"}}'
        path = view.links.api("prompts", place.name, "labels", place.label)
        lines.append(("This move, by a program:", curl(view, path, method="PUT", body=body)))
    return lines


def _json(version: str | None) -> str:
    return "null" if version is None else f'"{version}"'


async def change(context: Context, view: View) -> Answer:
    form, place = view.form, _place(context, view)
    reason = form.get("reason", "").strip()
    removes = form.get("action") == "remove"
    target = None if removes else form.get("to", "")
    expected = form.get("expected") or None
    try:
        _check(context, view, place, target, reason)
        if removes:
            commit = await context.publishing.remove_label(
                view.author, place.name, place.label, reason=reason, expected=expected or ""
            )
        else:
            moved = await context.publishing.move_label(
                view.author, place.name, place.label, target, reason=reason, expected=expected
            )
            commit = moved.commit
    except GitpromptError as error:
        # What the form has shown is no longer so: it shows what is now.
        return await _form(context, view, _place(context, view), problem=error, reason=reason)
    return Redirect(view.links.to("prompts", place.name, moved=commit))


def _check(
    context: Context, view: View, place: LabelState, target: str | None, reason: str
) -> None:
    """Raise Invalid for what this form asks more than the API does."""
    if len(reason) > _MAX_REASON or "\0" in reason:
        raise Invalid(f"The reason is text of at most {_MAX_REASON:,} characters")
    if target == "":
        raise Invalid("Choose a version to move to")
    needs = _is_protected(context, view, place.label) or (
        target is not None and _is_rollback(context, view, place, target)
    )
    if needs and not reason:
        raise Invalid("Say why: this label is protected, or this is a rollback")


PAGES = (
    Page(path=f"{W}/prompts/{{name:prompt}}/labels", handler=other, area="prompts"),
    Page(
        path=f"{W}/prompts/{{name:prompt}}/labels/{{label}}", handler=show, template="label.html",
        area="prompts",
    ),
    Page(
        path=f"{W}/prompts/{{name:prompt}}/labels/{{label}}", handler=change, template="label.html",
        area="prompts", method="POST", scope="write", changes="labels",
    ),
)  # fmt: skip
