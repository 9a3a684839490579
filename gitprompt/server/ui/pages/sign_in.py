# SPDX-License-Identifier: Apache-2.0
"""Signing in and out, and how somebody likes pages."""

from __future__ import annotations

import re
from typing import Any

from gitprompt.errors import BadRequest, Forbidden, GitpromptError, NotFound, Unauthorized
from gitprompt.server.context import Context
from gitprompt.server.http.auth import Headers
from gitprompt.server.ui.page import Answer, Links, Page, Redirect, Shown, View
from gitprompt.server.ui.sessions import Session
from gitprompt.server.ui.site import make_preferences, preference_cookie
from gitprompt.server.ui.visitors import session_cookie
from gitprompt.store.tables.audit import Actor

_CHOICES = ("look", "change")
_DOTS = re.compile(r"/(\.|%2e){1,2}(/|\Z)", re.IGNORECASE)  # segments that lead out of a folder


async def front(context: Context, view: View) -> Answer:
    return Redirect(view.links.to("prompts"))


async def workspace(context: Context, view: View) -> Answer:
    return Redirect(view.links.to("prompts"))


async def ask(context: Context, view: View) -> Answer:
    """A form; with a ticket only a button, so that whatever looks at links in advance uses none up."""
    _check_mode(context)
    ticket = view.params.get("ticket", "")
    if ticket and not context.sessions.is_good(ticket):
        return _form(
            context,
            view,
            problem="This link was used already, or is too old. gitprompt ui makes another.",
        )
    return _form(context, view, ticket=ticket)


def _check_mode(context: Context) -> None:
    """Raise NotFound where nobody signs in here."""
    if context.settings.ui_auth != "key":
        raise NotFound("Nobody signs in here", hint="This server has --ui-auth proxy or local.")


def _form(
    context: Context, view: View, *, problem: str = "", ticket: str = "", status: int = 200
) -> Shown:
    values: dict[str, Any] = {
        "ticket": ticket,
        "next": local_path(view.links, {**view.params, **view.form}.get("next", "")),
        "problem": problem,
        "is_over": view.params.get("why") == "over",
        "is_plain": view.transport == "plain",
        "may_offer_changes": context.settings.ui_changes != "none",
    }
    return Shown(values, status)


async def sign_in(context: Context, view: View) -> Answer:
    _check_mode(context)
    form = view.form
    try:
        if form.get("ticket"):
            session = await context.sessions.redeem(
                form["ticket"], view.actor.ip_address, is_plain=view.transport == "plain"
            )
        else:
            session = await _with_key(context, view)
    except (Unauthorized, Forbidden, BadRequest) as error:
        return _form(context, view, problem=_sentence(error), status=error.status)
    to = local_path(view.links, form.get("next", ""))
    if not to:
        to = Links(view.links.root, session.principal.workspace).to("prompts")
    return Redirect(to, [(b"set-cookie", session_cookie(view, session.cookie))])


async def _with_key(context: Context, view: View) -> Session:
    key = view.form.get("key", "").strip()
    if not key:
        raise BadRequest("Paste an API key")
    choice = view.form.get("access", "look")
    if choice not in _CHOICES:
        raise BadRequest("Choose what you want to do")
    try:
        principal = await context.authenticator.authenticate(
            Headers(api_key=key.encode("utf-8", "replace"))
        )
    except Unauthorized as error:
        raise Unauthorized(
            "This is not an API key of this server" if "Invalid" in error.message else error.message
        ) from None
    context.limiter.admit(principal)
    actor = Actor(principal.workspace, principal.key_name, view.actor.ip_address)
    return await context.sessions.begin(
        principal, actor, may_change=choice == "change", is_plain=view.transport == "plain"
    )


def _sentence(error: GitpromptError) -> str:
    return f"{error.message}. {error.hint}".strip() if error.hint else error.message


async def sign_out(context: Context, view: View) -> Answer:
    if view.visitor.session:
        await context.sessions.end(view.visitor.session, view.actor)
    return Redirect(view.links.at("login"), [(b"set-cookie", session_cookie(view, ""))])


async def prefer(context: Context, view: View) -> Answer:
    form, before = view.form, view.preferences
    preferences = make_preferences(
        form.get("theme", before.theme),
        form.get("time", before.time),
        form.get("keys", before.keys),
    )
    cookie = preference_cookie(view, preferences)
    back = local_path(view.links, form.get("next", "")) or view.links.at()
    return Redirect(back, [(b"set-cookie", cookie)])


def local_path(links: Links, text: str) -> str:
    """An address of a page of ours, to which somebody may be sent; empty for any other."""
    start = f"{links.root}/ui"
    rest = text[len(start) :]
    if not text.startswith(start) or (rest and rest[0] not in "/?"):
        return ""
    is_plain = text.isascii() and text.isprintable() and "\\" not in text and "//" not in text
    is_plain = is_plain and not _DOTS.search(text.partition("?")[0])
    return text if is_plain and len(text) <= 2_000 and not rest.startswith("/login") else ""


PAGES = (
    Page(path="", handler=front),
    Page(path="/", handler=front),
    Page(path="/w/{workspace}", handler=workspace),
    Page(path="/login", handler=ask, template="login.html", scope=None),
    Page(path="/login", handler=sign_in, template="login.html", scope=None, method="POST"),
    Page(path="/logout", handler=sign_out, method="POST"),
    Page(path="/preferences", handler=prefer, scope=None, method="POST"),
)
