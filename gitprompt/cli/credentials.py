# SPDX-License-Identifier: Apache-2.0
"""The keys that a person has stored with `gitprompt login`: one file, a key for each server.

A server that only a cloned gitprompt.toml names gets a key only from here, so that a stranger's
repository cannot have the key of somebody who merely looks at it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from urllib.parse import urlsplit

from gitprompt import config
from gitprompt.errors import SetupError, UsageError

_PORTS = {"http": 80, "https": 443}


def server_id(url: str) -> str:
    """One spelling for all of a server's: scheme, host, port, and the prefix it is served below.
    Raises UsageError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not the URL of a server: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(
            f"{url!r} is not the URL of a server", hint="For example: https://prompts.example.com"
        )
    if parts.username or parts.password:
        raise UsageError("the URL of a server has no user or password", hint="Leave them out.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    prefix = re.sub(r"/+\Z", "", parts.path)
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}{prefix}"


def path() -> str:
    """Where the file is: below XDG_CONFIG_HOME, or ~/.config."""
    folder = config.variable("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(folder, "gitprompt", "credentials.json")


def stored() -> dict[str, str]:
    """Server → key. Raises SetupError for a file that others may read, or that is damaged."""
    try:
        with open(path(), encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SetupError(f"{path()} may be read by others", hint=f"chmod 600 {path()}")
            keys = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SetupError(
            f"{path()} is damaged: {error}", hint="Remove it, and log in again."
        ) from None
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise SetupError(f"{path()} is damaged", hint="Remove it, and log in again.")
    return keys


def key_for(url: str) -> str | None:
    return stored().get(server_id(url))


def store(url: str, key: str | None) -> bool:
    """Keep the key of a server, or forget it (None). False if there was nothing to forget."""
    keys = stored()
    server = server_id(url)
    existed = keys.pop(server, None) is not None
    if key is not None:
        keys[server] = key
    elif not existed:
        return False
    os.makedirs(os.path.dirname(path()), mode=0o700, exist_ok=True)
    temporary = f"{path()}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(keys, file, indent=2)
        file.write("\n")
    os.replace(temporary, path())
    return True
