# SPDX-License-Identifier: Apache-2.0
"""Who is asking, for which workspace, and with which scopes (CONTRACT, "Auth")."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import NamedTuple

from gitprompt import keys
from gitprompt.clock import Clock
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import Forbidden, NotFound, Unauthorized
from gitprompt.hosting import check_workspace
from gitprompt.server import local
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import LOCAL_TOKEN
from gitprompt.store.tables.keys import KeyRecord, KeyUse

_CACHED_HASHES = 10_000


class Principal(NamedTuple):
    """An authenticated caller and the workspace of this request. `is_master`: of any workspace."""

    workspace: str
    scopes: frozenset[str]
    key_id: int
    key_name: str
    is_master: bool

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Forbidden(f"Missing required scope: {scope}")


class Headers(NamedTuple):
    """The few request headers that matter, found in one pass."""

    api_key: bytes = b""
    authorization: bytes = b""
    workspace: bytes = b""
    request_id: bytes = b""
    if_none_match: bytes = b""


_NAMES = {
    b"x-api-key": 0,
    b"authorization": 1,
    b"x-workspace-id": 2,
    b"x-request-id": 3,
    b"if-none-match": 4,
}


def read_headers(raw: list[tuple[bytes, bytes]]) -> Headers:
    values = [b"", b"", b"", b"", b""]
    for name, value in raw:
        position = _NAMES.get(name)
        if position is not None:
            values[position] = value
    return Headers(*values)


def _principal(record: KeyRecord, workspace: str | None) -> Principal | None:
    """Whoever has a key, in a workspace, or in the key's own if none is named; None: it is of another."""
    is_master = record.workspace_id == keys.MASTER
    name = workspace or (DEFAULT_WORKSPACE if is_master else record.workspace_id)
    if not is_master and record.workspace_id != name:
        return None
    return Principal(name, record.scope_set, record.id, record.name, is_master)


class Authenticator:
    def __init__(self, database: Database, salt: bytes, clock: Clock, *, data: str) -> None:
        self._database = database
        self._salt = salt
        self._clock = clock
        self._data = data
        self._hashes: dict[str, str] = {}
        self.used: dict[int, int] = {}  # key id → Unix seconds, since it was last written down

    async def authenticate(self, headers: Headers, *, workspace: str | None = None) -> Principal:
        """The caller, or Unauthorized with the reason. `workspace` overrides the header's."""
        name, key = _asked(headers, workspace)
        if not keys.KEY.match(key):
            raise Unauthorized("Invalid API key")
        records = self._database.keys
        if records is None:
            records = await asyncio.to_thread(self._database.refresh_keys)
        record = records.get(self._hash(key))
        if record is None:
            records = await asyncio.to_thread(self._database.look_for_keys)
            record = records.get(self._hash(key))
        if record is None:
            raise Unauthorized("Invalid API key")
        now = self._clock()
        if record.expires_at is not None and record.expires_at <= now:
            raise Unauthorized("API key expired")
        principal = _principal(record, name)
        if principal is None:
            raise Unauthorized("API key does not belong to this workspace")
        self.used[record.id] = now
        return principal

    async def principal_of(self, key_id: int, workspace: str | None) -> Principal:
        """Whoever has a key, in a workspace (None: the key's own). Raises Unauthorized if it was revoked or has
        expired, and NotFound for a workspace that is not its own, as if it did not exist."""
        records = self._database.keys
        if records is None:
            records = await asyncio.to_thread(self._database.refresh_keys)
        now = self._clock()
        record = next((one for one in records.values() if one.id == key_id), None)
        if record is None or (record.expires_at is not None and record.expires_at <= now):
            raise Unauthorized("The API key was revoked, or has expired: sign in with another")
        principal = _principal(record, workspace)
        if principal is None:
            raise NotFound("There is no such workspace")
        self.used[record.id] = now
        return principal

    def is_known(self, principal: Principal) -> bool:
        """Whether the key of a request that began a while ago is still good."""
        if not principal.key_id:
            return True  # the local token, which is no key
        records = self._database.keys
        if records is None:
            records = self._database.refresh_keys()
        now = self._clock()
        return any(
            record.id == principal.key_id and (record.expires_at is None or record.expires_at > now)
            for record in records.values()
        )

    def authenticate_locally(self, headers: Headers) -> Principal:
        """Like `authenticate`, for a request over the Unix socket of the data directory, which
        takes its own token and nothing else."""
        name, token = _asked(headers, None)
        if not local.is_token(self._data, token):
            raise Unauthorized("Invalid local token")
        workspace = name or DEFAULT_WORKSPACE
        return Principal(workspace, frozenset(("read", "write")), 0, LOCAL_TOKEN, True)

    def write_down_use(self) -> None:
        """Remember when keys were last used; not with each request. Blocks."""
        used, self.used = self.used, {}
        if used:
            self._database.write_now(KeyUse(used))

    def _hash(self, key: str) -> str:
        """HMACs are remembered in memory, so that a caller pays for one only once."""
        digest = self._hashes.get(key)
        if digest is None:
            if len(self._hashes) >= _CACHED_HASHES:
                self._hashes.clear()
            digest = self._hashes[key] = keys.hashed(self._salt, key)
        return digest


def _asked(headers: Headers, workspace: str | None) -> tuple[str, str]:
    """The workspace that a request names, empty if none, and the key that it shows."""
    name = workspace or headers.workspace.decode("latin-1")
    if name and name != DEFAULT_WORKSPACE:
        check_workspace(name)
    key = headers.api_key.decode("latin-1") or _from_authorization(headers.authorization)
    if not key:
        raise Unauthorized("Missing X-API-Key header")
    return name, key


def _from_authorization(header: bytes) -> str:
    """The key of `Bearer <key>` or of Basic, whose password it is."""
    scheme, _, value = header.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return ""
        user, _, password = decoded.partition(":")
        return password or user
    return ""
