# SPDX-License-Identifier: Apache-2.0
"""API keys: made once, shown once, stored as an HMAC under the salt of the data directory."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress

from gitprompt.clock import Clock
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import Invalid, NotFound, SetupError
from gitprompt.hosting import check_workspace, replace
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import LOCAL, RESERVED, Actor
from gitprompt.store.tables.fingerprints import Fingerprint
from gitprompt.store.tables.keys import KeyInsertion, KeyRecord, KeyRemoval, Keys

SCOPES = ("read", "write", "admin")
MASTER = "*"
FINGERPRINT = "salt.fingerprint"  # a file; it says nothing of the salt
KEY = re.compile(r"pm_[0-9a-f]{64}\Z")
_DAY = 86_400


class SaltGone(SetupError):
    """There are keys, and the salt that they need is not there."""


def salt(data: str, configured: str, database: Database | None) -> bytes:
    """The salt: what is configured, else `salt` in the data directory, made (0600) if absent. Raises
    SaltGone beside the keys of `telemetry`, if given: with another salt none of them would be valid.

    The file appears with its content in it or not at all, whoever else makes it at the same time.
    """
    if configured:
        return _same_as_before(configured.encode(), data, database)
    path = os.path.join(data, "salt")
    if database is not None:
        check_salt(path, len(database.read_now(Keys(None))))
    try:
        os.makedirs(data, exist_ok=True)
        if not os.path.exists(path):
            temporary = f"{path}.{secrets.token_hex(4)}"
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(temporary, path)
            os.unlink(temporary)
        with open(path, encoding="ascii") as file:
            value = file.read().strip().encode()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"the salt {path} cannot be read or made: {error}",
            hint="Choose another folder with --data, or set API_KEY_SALT.",
        ) from error
    if len(value) < 16:
        raise SetupError(f"the salt {path} is too short", hint="Restore it: keys depend on it.")
    return _same_as_before(value, data, database)


def _same_as_before(salt: bytes, data: str, database: Database | None) -> bytes:
    """Raise SetupError for another salt than the one that the keys in the database need: that of the other nodes,
    or of the start before."""
    if database is None:
        return salt
    fingerprint = hashed(salt, "fingerprint")
    if database.is_shared:
        before = database.write_now(Fingerprint("salt", fingerprint))
    else:
        before = _fingerprint(data, fingerprint, has_keys=bool(database.read_now(Keys(None))))
    if before != fingerprint:
        hint = (
            "Set API_KEY_SALT to what it was, that of the other nodes if there are some, or bring back the file"
            " `salt`. If it is lost, revoke all keys first: gitprompt keys list, gitprompt keys revoke ID"
        )
        if not database.is_shared:
            hint += f". If the one before was wrong, delete {os.path.join(data, FINGERPRINT)}"
        raise SetupError(
            "this salt is not the one with which the API keys in the database were made", hint=hint
        )
    return salt


def _fingerprint(data: str, fingerprint: str, *, has_keys: bool) -> str:
    """The fingerprint that is kept in the data directory: this one if there was none, or if no key depends on it."""
    path = os.path.join(data, FINGERPRINT)
    with suppress(FileNotFoundError), open(path, encoding="ascii") as file:
        before = file.read()
        if before == fingerprint or (before and has_keys):
            return before
    replace(path, fingerprint, mode=0o600)
    return fingerprint


def check_salt(path: str, number: int) -> None:
    """Raise SaltGone if the file is not there, and this number of keys is."""
    if number and not os.path.exists(path):
        folder = os.path.dirname(path)
        raise SaltGone(
            f"{path} is gone, and the {number} API keys that are there need it",
            hint="Set API_KEY_SALT, or restore the file from a backup. If it is lost: gitprompt keys"
            f" list --data {folder}, and revoke each of them.",
        )


def hashed(salt: bytes, key: str) -> str:
    return hmac.digest(salt, key.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()


def check_scopes(text: str) -> str:
    """The scopes of a comma-separated text, in a fixed order; raises Invalid for unknown ones."""
    names = {scope.strip() for scope in text.split(",") if scope.strip()}
    unknown = sorted(names - set(SCOPES))
    if unknown or not names:
        raise Invalid(
            f"scopes: {', '.join(unknown) or 'none'} is not among {', '.join(SCOPES)}",
            hint="For example: read,write",
        )
    return ",".join(scope for scope in SCOPES if scope in names)


def create(
    database: Database,
    salt: bytes,
    *,
    name: str,
    workspace: str,
    scopes: str,
    expires_in_days: int | None,
    clock: Clock,
    actor: Actor | None = None,
) -> tuple[KeyRecord, str]:
    """A new key and its record. The key is not stored and cannot be shown again. `actor` None is
    whoever has the data directory."""
    if workspace != MASTER:
        check_workspace(workspace)
    if expires_in_days is not None and not 1 <= expires_in_days <= 36_500:
        raise Invalid("expires_in_days: must be between 1 and 36500")
    if not 1 <= len(name) <= 128 or not name.isprintable():
        raise Invalid("name: 1 to 128 printable characters")
    if name.strip().lower() in RESERVED:
        raise Invalid(
            f"name: '{name}' is what the audit log calls something else",
            hint="Choose a name that says whose key it is, such as ci or laptop.",
        )
    now = clock()
    key = f"pm_{secrets.token_hex(32)}"
    record = database.add_key(
        KeyInsertion(
            name=name,
            workspace_id=workspace,
            scopes=check_scopes(scopes),
            hashed=hashed(salt, key),
            created_at=now,
            expires_at=now + expires_in_days * _DAY if expires_in_days else None,
            audit=(actor or Actor(workspace, LOCAL)).did("key:create", now),
        )
    )
    return record, key


def revoke(
    database: Database,
    key_id: int,
    *,
    clock: Clock,
    actor: Actor | None = None,
    workspace: str | None = None,
) -> None:
    """Revoke a key, of one workspace or of any; raises NotFound. It takes effect at once."""
    who = actor or Actor(workspace or DEFAULT_WORKSPACE, LOCAL)
    entry = who.did("key:revoke", clock(), target_id=str(key_id))
    if not database.remove_key(KeyRemoval(key_id, workspace, entry)):
        raise NotFound("API key not found", hint="gitprompt keys list shows what there is.")
