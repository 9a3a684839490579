# SPDX-License-Identifier: Apache-2.0
"""API keys: who has which, a new one, and one that goes."""

from __future__ import annotations

import asyncio

from gitprompt import keys as api_keys
from gitprompt.errors import GitpromptError, Invalid
from gitprompt.server.api.keys import limit_of
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import command, curl
from gitprompt.server.ui.page import Answer, Page, Redirect, Shown, View, W
from gitprompt.store.tables.keys import KeyRecord, Keys


async def page(context: Context, view: View) -> Answer:
    return await _page(context, view)


async def _page(
    context: Context,
    view: View,
    *,
    secret: str = "",
    problem: GitpromptError | None = None,
) -> Shown:
    records = (await context.database.read(Keys(limit_of(view.visitor.principal))))[::-1]
    used = context.authenticator.used
    values = {
        "rows": [
            record._replace(last_used_at=used.get(record.id, record.last_used_at))
            for record in records
        ],
        "mine": view.visitor.principal.key_id,
        "is_master": view.visitor.principal.is_master,
        "scopes": api_keys.SCOPES,
        "secret": secret,
        "problem": problem,
        "form": view.form,
        "revoked": view.params.get("revoked", ""),
        "commands": [
            ("For a program:", curl(view, view.links.api("api-keys"))),
            ("Where the server runs:", command("keys", "list")),
        ],
    }
    return Shown(values, 200 if problem is None else problem.status)


async def change(context: Context, view: View) -> Answer:
    form = view.form
    try:
        if form.get("action") == "revoke":
            return await _revoke(context, view)
        _, secret = await _create(context, view)
    except GitpromptError as error:
        return await _page(context, view, problem=error)
    return await _page(context, view, secret=secret)


async def _create(context: Context, view: View) -> tuple[KeyRecord, str]:
    form = view.form
    days = form.get("days", "").strip()
    if days and (not days.isascii() or not days.isdigit() or len(days) > 6):
        raise Invalid("Expires in: a number of days, or nothing")
    workspace = view.workspace
    if form.get("all") == "1" and view.visitor.principal.is_master:
        workspace = api_keys.MASTER
    scopes = ",".join(scope for scope in api_keys.SCOPES if form.get(f"scope.{scope}"))
    return await asyncio.to_thread(
        api_keys.create,
        context.database,
        context.salt,
        name=form.get("name", "").strip(),
        workspace=workspace,
        scopes=scopes,
        expires_in_days=int(days) if days else None,
        clock=context.clock,
        actor=view.actor._replace(workspace=workspace),
    )


async def _revoke(context: Context, view: View) -> Answer:
    text = view.form.get("id", "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid("Choose a key")
    await asyncio.to_thread(
        api_keys.revoke,
        context.database,
        int(text),
        clock=context.clock,
        actor=view.actor,
        workspace=limit_of(view.visitor.principal),
    )
    return Redirect(view.links.to("keys", revoked=text))


PAGES = (
    Page(path=f"{W}/keys", handler=page, template="keys.html", area="keys", scope="admin"),
    Page(
        path=f"{W}/keys", handler=change, template="keys.html", area="keys", method="POST",
        scope="admin", changes="all",
    ),
)  # fmt: skip
