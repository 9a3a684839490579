# SPDX-License-Identifier: Apache-2.0
"""What a page is: a literal row that routes, admits, shows and changes, and what its handler gets and gives.

A handler calls the use cases that the API calls, and returns the values of its template.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from gitprompt.config import ServerSettings
from gitprompt.core.document import MAX_BYTES
from gitprompt.errors import GitpromptError, NotFound
from gitprompt.hosting import check_workspace
from gitprompt.publishing import Author
from gitprompt.server.http.auth import Principal
from gitprompt.store.tables.audit import Actor

if TYPE_CHECKING:
    from gitprompt.server.context import Context

Choice = TypeVar("Choice", bound=str)
Change = Literal["labels", "all"]  # what `--ui-changes` must allow for it


Transport = Literal["https", "loopback", "plain"]  # plain: whoever is on the way reads it


class Visitor(NamedTuple):
    """Who looks. `may_change`: they asked for it when they signed in; `session` is the hash of theirs, empty
    if there is none to end."""

    principal: Principal
    may_change: bool
    session: str = ""


def check_known(workspace: str | None) -> None:
    """Raise NotFound for what is no name of a workspace."""
    if workspace is not None:
        try:
            check_workspace(workspace)
        except GitpromptError:
            raise NotFound("There is no such workspace") from None


class Links(NamedTuple):
    """Addresses of pages below the prefix of a proxy, in one workspace."""

    root: str
    workspace: str

    def to(self, /, *segments: str, **query: Any) -> str:
        """A page of the workspace; what is None or empty is left out of the query."""
        return self.at("w", self.workspace, *segments, **query)

    def at(self, /, *segments: str, **query: Any) -> str:
        """A page of none."""
        path = "/".join(quote(segment, safe="/@") for segment in segments)
        given = {key.rstrip("_"): value for key, value in query.items() if value not in (None, "")}
        page = f"{self.root}/ui" + (f"/{path}" if path else "")
        return page + (f"?{urlencode(given)}" if given else "")

    def api(self, /, *segments: str, **query: Any) -> str:
        """What the API has of the same, for a program."""
        path = "/".join(quote(segment, safe="/") for segment in segments)
        given = {key.rstrip("_"): value for key, value in query.items() if value not in (None, "")}
        return f"{self.root}/v1/{path}" + (f"?{urlencode(given)}" if given else "")


class Preferences(NamedTuple):
    """How somebody likes pages: kept in a cookie of their browser."""

    theme: Literal["system", "light", "dark"] = "system"
    time: Literal["utc", "local"] = "utc"
    keys: Literal["on", "off"] = "on"


class View(NamedTuple):
    """One request for a page, checked: who asks, what the path, the query and the form say. `here` is the address
    of the page, `base` that of the server as the browser has it, with the prefix of a proxy."""

    visitor: Visitor
    actor: Actor
    links: Links
    path: Mapping[str, str]
    params: Mapping[str, str]
    form: Mapping[str, str]
    preferences: Preferences
    now: int
    here: str
    transport: Transport
    base: str

    @property
    def workspace(self) -> str:
        return self.links.workspace

    @property
    def author(self) -> Author:
        """Who asks, as one who writes to Git."""
        principal = self.visitor.principal
        return Author(self.actor, principal.key_id, principal.scopes)

    def with_params(self, /, **query: Any) -> str:
        """This page with other parameters; one that is None goes."""
        given = {**self.params, **{key.rstrip("_"): value for key, value in query.items()}}
        text = urlencode({key: value for key, value in given.items() if value not in (None, "")})
        return f"{self.here}?{text}" if text else self.here


class Redirect(NamedTuple):
    """To another page, whatever the method was. `headers` go with it."""

    to: str
    headers: Sequence[tuple[bytes, bytes]] = ()


class Shown(NamedTuple):
    """A template with its values, where the status is not 200 or the template not the row's."""

    values: Mapping[str, Any]
    status: int = 200
    template: str = ""


class Data(NamedTuple):
    """What is no page: data for a script, or a file to keep (`name`)."""

    body: bytes
    media_type: str = "application/json"
    name: str = ""


Answer = Mapping[str, Any] | Shown | Redirect | Data
Handler = Callable[["Context", View], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path` is below /ui; one of a workspace begins with W. `scope` None: nobody need be signed in. `area`
    is the entry of the navigation that it belongs to. `changes`: what it changes, and then `scope` is what that needs.
    `max_form`: bytes of its form; one that has a document in it is `LARGE_FORM`."""

    path: str
    handler: Handler
    template: str = ""
    scope: str | None = "read"
    area: str = ""
    method: str = "GET"
    changes: Change | None = None
    max_form: int = 16_384


LARGE_FORM = 4 * MAX_BYTES  # each byte of a document may be three in a form
W = "/w/{workspace}"


def refusal(settings: ServerSettings, visitor: Visitor, kind: Change, scope: str = "write") -> str:
    """Why somebody cannot change something here, in a sentence; empty if they can."""
    allowed = settings.ui_changes
    if allowed == "none" or (allowed == "labels" and kind == "all"):
        return (
            f"The pages of this server do not change this (--ui-changes {allowed}): use Git, the command"
            " line or the API."
        )
    if scope not in visitor.principal.scopes:
        has = ", ".join(sorted(visitor.principal.scopes)) or "nothing"
        return f"This needs the scope {scope}, and you have {has}."
    if not visitor.may_change:
        return "You signed in to look only: sign in again to change something."
    return ""


class Pager(NamedTuple):
    """Where one is in a list of pages: `total` rows, more than that if not `is_exact`."""

    page: int
    limit: int
    total: int
    shown: int
    is_exact: bool = True

    @property
    def first(self) -> int:
        return (self.page - 1) * self.limit + 1 if self.shown else 0

    @property
    def last(self) -> int:
        return (self.page - 1) * self.limit + self.shown

    @property
    def has_next(self) -> bool:
        return self.last < self.total


MAX_PAGE = 2_000  # beyond that a filter is wanted


def page_number(params: Mapping[str, str]) -> int:
    """The page that a query asks for; the first for what is none."""
    text = params.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1
    return min(max(number, 1), MAX_PAGE)


def chosen(params: Mapping[str, str], name: str, choices: Sequence[Choice]) -> Choice:
    """One of some choices; the first for what is none of them."""
    return next((one for one in choices if one == params.get(name)), choices[0])
