# SPDX-License-Identifier: Apache-2.0
"""The pages as routes: each request is admitted, its form checked, its page shown; errors are pages, too.

Nothing here is cached by anybody, framed by anybody, or allowed a script that is not a file of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gitprompt import __version__
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import (
    BadRequest,
    Forbidden,
    GitpromptError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    UnsupportedMediaType,
)
from gitprompt.metrics.http import join_address
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.entrance import KEY_NAME
from gitprompt.server.http.proxies import HOST
from gitprompt.server.http.surface import ENVELOPE
from gitprompt.server.http.wire import (
    RawHeaders,
    header_of,
    parse_query,
    read_body,
    send_bytes,
)
from gitprompt.server.ui.looks import templating
from gitprompt.server.ui.looks.assets import assets
from gitprompt.server.ui.page import (
    Answer,
    Data,
    Links,
    Page,
    Preferences,
    Redirect,
    Shown,
    View,
    Visitor,
    refusal,
)
from gitprompt.server.ui.visitors import (
    Visitors,
    check_origin,
    cookie,
    cookie_of,
    session_of,
    transport_of,
)
from gitprompt.store.tables.audit import Actor

if TYPE_CHECKING:
    from gitprompt.server.context import Context

PREFIX = "/ui"
VIEW = "gitprompt.view"  # in the scope: the view of a request that was admitted, for its error
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
_SAFE: RawHeaders = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_FRESH: RawHeaders = [*_SAFE, (b"cache-control", b"no-store")]
_HTML = b"text/html; charset=utf-8"
_FORM = b"application/x-www-form-urlencoded"
_MAX_FIELDS = 1_000
_SMALL_FORM = 32_768  # bytes
_LOOK = "gitprompt_look"


class Site:
    """What all pages share: who visits, and how errors look."""

    def __init__(self, context: Context, visitors: Visitors) -> None:
        self.context = context
        self.visitors = visitors
        self._warming: asyncio.Future[None] | None = None

    def warm(self) -> None:
        """Load all templates once the first page is asked for, beside it: each takes some ten milliseconds."""
        if self._warming is None:
            self._warming = asyncio.get_running_loop().run_in_executor(None, templating.warm)

    async def view(self, page: Page, scope: Scope) -> View:
        """A request, admitted. Raises Unauthorized, Forbidden, NotFound or RateLimited."""
        path: Mapping[str, str] = scope["path_params"]
        workspace = path.get("workspace")
        visitor = NOBODY
        if page.scope is not None:
            visitor = await self.visitors.find(scope, workspace)
            self._check(page, visitor)
        principal = visitor.principal
        scope[KEY_NAME] = principal.key_name
        client = scope.get("client")
        links = Links(scope.get("root_path", ""), principal.workspace)
        view = View(
            visitor=visitor,
            actor=Actor(principal.workspace, principal.key_name, client[0] if client else None),
            links=links,
            path=path,
            params=parse_query(scope["query_string"]).params,
            form={},
            preferences=preferences_of(scope),
            now=self.context.clock(),
            here=scope.get("root_path", "") + scope["path"],
            transport=transport_of(scope),
            base=self._base(scope),
        )
        scope[VIEW] = view
        return view

    def _base(self, scope: Scope) -> str:
        host = header_of(scope, b"host").decode("latin-1")
        if not HOST.match(host):
            host = join_address(self.context.settings.host, self.context.settings.port)
        return f"{scope.get('scheme', 'http')}://{host}{scope.get('root_path', '')}"

    def _check(self, page: Page, visitor: Visitor) -> None:
        assert page.scope is not None
        self.context.limiter.admit(visitor.principal)
        if page.changes is not None:
            why = refusal(self.context.settings, visitor, page.changes, page.scope)
            if why:
                raise Forbidden(why)
        visitor.principal.require(page.scope)
        workspace = visitor.principal.workspace
        # Nothing need have been pushed to the one that a key is of, or that is there from the start.
        there = (DEFAULT_WORKSPACE, *self.context.workspaces.names)
        if visitor.principal.is_master and workspace not in there:
            raise NotFound("There is no such workspace")

    def shared(self, view: View | None, scope: Scope) -> dict[str, Any]:
        """What every template has."""
        preferences = view.preferences if view is not None else preferences_of(scope)
        links = view.links if view is not None else Links(scope.get("root_path", ""), "")
        signed_in = view is not None and view.visitor is not NOBODY
        return {
            "links": links,
            "static": f"{links.root}{PREFIX}/static/{assets().digest}",
            "preferences": preferences,
            "own_version": __version__,
            "here": view.here if view is not None else "",
            "view": view,
            "visitor": view.visitor if view is not None and signed_in else None,
            "has_sessions": self.visitors.has_sessions,
            "now": self.context.clock(),
            "area": "",
            "foot": self._foot(links.workspace) if signed_in else None,
            "workspaces": self._workspaces(view) if view is not None and signed_in else [],
            "refused": lambda kind, scope="write": (
                "" if view is None else refusal(self.context.settings, view.visitor, kind, scope)
            ),
        }

    def _foot(self, workspace: str) -> Mapping[str, Any]:
        state = self.context.workspaces.state(workspace)
        index = self.context.index
        wrong = index.count_rejected(workspace) + len(index.tampered(workspace, limit=100))
        return {"state": state, "wrong": wrong + bool(state.last_error)}

    def _workspaces(self, view: View) -> Sequence[str]:
        if not view.visitor.principal.is_master:
            return [view.workspace]
        return sorted({*self.context.workspaces.names, view.workspace})

    def error(
        self, error: GitpromptError, rid: bytes, scope: Scope
    ) -> tuple[int, RawHeaders, bytes]:
        """An envelope for errors that is a page."""
        view: View | None = scope.get(VIEW)
        values = {
            "status": error.status,
            "message": error.message,
            "hint": error.hint,
            "fields": _fields(error),
            "rid": rid.decode("latin-1"),
        }
        body = templating.render("error.html", {**self.shared(view, scope), **values})
        headers: RawHeaders = [
            (b"content-type", _HTML),
            (b"content-length", str(len(body)).encode()),
            *_FRESH,
        ]
        headers += [
            (name.lower().encode(), value.encode()) for name, value in error.headers.items()
        ]
        return error.status, headers, body


def _fields(error: GitpromptError) -> Sequence[str]:
    fields = (error.details or {}).get("fields", ())
    return [str(field) for field in fields] if isinstance(fields, list) and len(fields) > 1 else []


NOBODY = Visitor(Principal(DEFAULT_WORKSPACE, frozenset(), 0, "", False), may_change=False)


class Leaf:
    """The ASGI application for one path: its pages by method."""

    def __init__(self, site: Site, pages: Sequence[Page]) -> None:
        self._site = site
        self._pages = {page.method: page for page in pages}
        methods = sorted({*self._pages, *(["HEAD"] if "GET" in self._pages else [])})
        self._allow = ", ".join(methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ENVELOPE] = self._site.error
        self._site.warm()
        method = scope["method"]
        page = self._pages.get("GET" if method == "HEAD" else method)
        if page is None:
            raise MethodNotAllowed(
                "This page does not accept this method", headers={"Allow": self._allow}
            )
        if page.method != "GET":
            check_origin(scope)
        try:
            view = await self._site.view(page, scope)
        except Unauthorized:
            if page.method != "GET" or not self._site.visitors.has_sessions:
                raise
            await self._to_sign_in(scope, send)
            return
        if page.method != "GET":
            view = view._replace(form=await self._form(page, scope, receive))
        answer = await page.handler(self._site.context, view)
        await self._send(page, view, answer, scope, send)

    async def _to_sign_in(self, scope: Scope, send: Send) -> None:
        root = scope.get("root_path", "")
        query = scope["query_string"].decode("latin-1")
        wanted = root + scope["path"] + (f"?{query}" if query else "")
        why = "over" if session_of(scope) else ""
        to = Links(root, "").at("login", next=wanted, why=why)
        await _redirect(send, Redirect(to))

    async def _form(self, page: Page, scope: Scope, receive: Receive) -> Mapping[str, str]:
        """The fields of a form; of one that is repeated the last. A large one is read beside other requests."""
        if header_of(scope, b"content-type").partition(b";")[0].strip().lower() != _FORM:
            raise UnsupportedMediaType("This is not what a form of this page sends")
        context = self._site.context
        limit = min(page.max_form, context.settings.max_body_bytes)
        raw = await read_body(scope, receive, limit, context.held)
        try:
            if len(raw) > _SMALL_FORM:
                return await asyncio.to_thread(_fields_of, raw)
            return _fields_of(raw)
        except ValueError:
            raise BadRequest("The form is not in UTF-8, or has too many fields") from None

    async def _send(self, page: Page, view: View, answer: Answer, scope: Scope, send: Send) -> None:
        is_head = scope["method"] == "HEAD"
        if isinstance(answer, Redirect):
            await _redirect(send, answer)
            return
        if isinstance(answer, Data):
            headers: RawHeaders = [(b"content-type", answer.media_type.encode()), *_FRESH]
            if answer.name:
                disposition = f'attachment; filename="{answer.name}"'
                headers.append((b"content-disposition", disposition.encode("latin-1", "replace")))
            await _body(send, 200, headers, answer.body, is_head=is_head)
            return
        shown = answer if isinstance(answer, Shown) else Shown(answer)
        values = {**self._site.shared(view, scope), "area": page.area, **shown.values}
        body = await templating.render_in_turns(shown.template or page.template, values)
        await _body(send, shown.status, [(b"content-type", _HTML), *_FRESH], body, is_head=is_head)


def _fields_of(raw: bytes) -> Mapping[str, str]:
    pairs = parse_qsl(
        raw.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
    )
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


async def _body(
    send: Send, status: int, headers: RawHeaders, body: bytes, *, is_head: bool
) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send_bytes(send, status, headers, b"" if is_head else body)


async def _redirect(send: Send, to: Redirect) -> None:
    headers: RawHeaders = [(b"location", to.to.encode("latin-1", "replace")), *_FRESH, *to.headers]
    await _body(send, 303, headers, b"", is_head=False)


class Static:
    """The files, for ever under their address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("Method not allowed", headers={"Allow": "GET, HEAD"})
        known = assets()
        asset = known.files.get(scope["path_params"]["name"])
        if asset is None or scope["path_params"]["digest"] != known.digest:
            raise NotFound("There is no such file")
        headers: RawHeaders = [
            (b"content-type", asset.media_type.encode()),
            *_SAFE,
            (b"cache-control", b"public, max-age=31536000, immutable"),
        ]
        await _body(send, 200, headers, asset.body, is_head=scope["method"] == "HEAD")


class Missing:
    """What there is no page for."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ENVELOPE] = self._site.error
        raise NotFound("There is no such page")


def routes(pages: Sequence[Page], context: Context, visitors: Visitors) -> list[Route]:
    """One for each path, whatever its methods."""
    site = Site(context, visitors)
    by_path: dict[str, list[Page]] = {}
    for page in pages:
        by_path.setdefault(page.path, []).append(page)
    return [
        Route(f"{PREFIX}/static/{{digest}}/{{name}}", Static()),
        *(Route(PREFIX + path, Leaf(site, rows)) for path, rows in by_path.items()),
        Route(f"{PREFIX}/{{rest:path}}", Missing(site)),
    ]


# Preferences


def preferences_of(scope: Scope) -> Preferences:
    theme, _, rest = cookie_of(scope, _LOOK).partition("-")
    time, _, keys = rest.partition("-")
    return make_preferences(theme, time, keys)


def make_preferences(theme: str, time: str, keys: str) -> Preferences:
    """What is none of the choices is as it is at first."""
    return Preferences(
        "light" if theme == "light" else "dark" if theme == "dark" else "system",
        "local" if time == "local" else "utc",
        "off" if keys == "off" else "on",
    )


def preference_cookie(view: View, preferences: Preferences) -> bytes:
    return cookie(view, _LOOK, "-".join(preferences), seconds=31_536_000)
