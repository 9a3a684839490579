# SPDX-License-Identifier: Apache-2.0
"""Sessions of people at the pages: begun with an API key, or by a ticket from whoever owns the data folder.

A session is 256 random bits in a cookie; the database has their HMAC alone, as of a key. It ends with its key,
at once: every request asks for it. Tickets are in memory, live shortly, and are used up.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from gitprompt import keys
from gitprompt.clock import Clock
from gitprompt.config import ServerSettings
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import Forbidden, Unauthorized
from gitprompt.server import local
from gitprompt.server.http.auth import Authenticator, Principal
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import LOCAL_TOKEN, Actor
from gitprompt.store.tables.ui_sessions import (
    NewSession,
    OneSession,
    SessionEnd,
    SessionRow,
    SessionSeen,
)

_HOUR = 3_600
_SEEN = 60  # seconds between two notes of a session that is used
_MAX_TICKETS = 1_000
_MAX_NOTED = 10_000  # sessions
_OWNER = frozenset(keys.SCOPES)


class Ticket(NamedTuple):
    """`is_single`: it is used up by the first who signs in with it."""

    may_change: bool
    is_single: bool
    expires_at: int


class Session(NamedTuple):
    """`cookie` is what its browser sends; it is known when it begins, and never again."""

    cookie: str
    principal: Principal
    may_change: bool


class Sessions:
    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        settings: ServerSettings,
        salt: bytes,
        clock: Clock,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._data = settings.data
        self._lasts = int(settings.ui_session_hours * _HOUR)
        self._idle = int(settings.ui_idle_hours * _HOUR)
        self._salt = salt
        self._clock = clock
        self._noted: dict[str, int] = {}
        self._tickets: dict[str, Ticket] = {}

    async def begin(
        self, principal: Principal, actor: Actor, *, may_change: bool, is_plain: bool
    ) -> Session:
        """Sign in with a key that was checked. Raises Forbidden for one that may not read."""
        if "read" not in principal.scopes:
            raise Forbidden("This key cannot read", hint="Take one that has the scope read.")
        return await self._begin(
            principal, principal.key_id, None, actor, may_change=may_change, is_plain=is_plain
        )

    async def _begin(
        self,
        principal: Principal,
        key_id: int | None,
        token: str | None,
        actor: Actor,
        *,
        may_change: bool,
        is_plain: bool,
    ) -> Session:
        cookie, now = secrets.token_urlsafe(32), self._clock()
        row = SessionRow(
            self._hash(cookie), key_id, token, ",".join(sorted(principal.scopes)), int(may_change),
            int(is_plain), now, now, now + self._lasts,
        )  # fmt: skip
        choice = "look and change" if may_change else "look"
        await self._database.write(NewSession(row, actor.did("ui:login", now, target_id=choice)))
        return Session(cookie, principal, may_change)

    async def find(self, cookie: str, workspace: str | None) -> tuple[str, Principal, bool]:
        """The hash of a session, who it is in a workspace, and whether they may change something. Raises
        Unauthorized for one that is over, and for a workspace that is not its own."""
        hashed = self._hash(cookie)
        row = await self._database.read(OneSession(hashed))
        now = self._clock()
        if row is None or row.expires_at <= now or row.seen_at + self._idle <= now:
            raise Unauthorized("Your session is over: sign in again")
        if row.key_id is not None:
            principal = await self._authenticator.principal_of(row.key_id, workspace)
        else:
            token = local.token(self._data)
            if token is None or row.token != self._hash(token):
                raise Unauthorized("The server has started again: sign in again")
            principal = _owner(workspace)
        scopes = principal.scopes & frozenset(row.scopes.split(","))
        if self._noted.get(hashed, row.seen_at) + min(_SEEN, self._idle // 2) <= now:
            self._note(hashed, now)
        return hashed, principal._replace(scopes=scopes), bool(row.changes)

    def _note(self, hashed: str, now: int) -> None:
        """Nobody waits for it: if it is lost, the session ends a minute sooner."""
        if len(self._noted) > _MAX_NOTED:
            self._noted.clear()
        self._noted[hashed] = now
        self._database.start(SessionSeen(hashed, now))

    async def end(self, hashed: str, actor: Actor) -> None:
        self._noted.pop(hashed, None)
        await self._database.write(SessionEnd(hashed, actor.did("ui:logout", self._clock())))

    # tickets

    def issue(self, *, may_change: bool, is_single: bool, seconds: int) -> str:
        """A ticket for whoever owns the data folder."""
        now = self._clock()
        self._tickets = {
            text: ticket for text, ticket in self._tickets.items() if ticket.expires_at > now
        }
        if len(self._tickets) >= _MAX_TICKETS:
            raise Forbidden("There are too many tickets that nobody has used")
        ticket = secrets.token_urlsafe(32)
        self._tickets[self._hash(ticket)] = Ticket(may_change, is_single, now + seconds)
        return ticket

    def is_good(self, ticket: str) -> bool:
        known = self._tickets.get(self._hash(ticket))
        return known is not None and known.expires_at > self._clock()

    async def redeem(self, ticket: str, address: str | None, *, is_plain: bool) -> Session:
        """Sign in with a ticket. Raises Unauthorized for one that is used up or too old."""
        hashed = self._hash(ticket)
        known = self._tickets.get(hashed)
        token = local.token(self._data)
        if known is None or known.expires_at <= self._clock() or token is None:
            raise Unauthorized(
                "This link was used already, or is too old", hint="Make another: gitprompt ui"
            )
        if known.is_single:
            del self._tickets[hashed]
        principal = _owner(None)
        actor = Actor(principal.workspace, LOCAL_TOKEN, address)
        return await self._begin(
            principal,
            None,
            self._hash(token),
            actor,
            may_change=known.may_change,
            is_plain=is_plain,
        )

    def _hash(self, text: str) -> str:
        return keys.hashed(self._salt, f"ui {text}")


def _owner(workspace: str | None) -> Principal:
    """Whoever owns the data folder could make any key."""
    return Principal(workspace or DEFAULT_WORKSPACE, _OWNER, 0, LOCAL_TOKEN, True)
