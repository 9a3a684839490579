# SPDX-License-Identifier: Apache-2.0
"""How processes on this machine reach the sidecar of a data directory without an API key: a Unix
socket in that directory, and a token beside it that the socket alone accepts.

Whoever can open the socket owns the directory, and with it the salt. The token is random, lives as
long as the server that made it, and is revoked by taking its file away.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gitprompt import log

_SOCKET = "socket"
_TOKEN = "local-token"  # noqa: S105 - the name of a file
_LONGEST = 100  # bytes; an address of a Unix socket has 104 (macOS) or 108 (Linux)


@contextmanager
def listening(data: str) -> Iterator[socket.socket | None]:
    """A bound socket with a fresh token, both gone at the end. None, with a warning, if the path of
    the directory is too long for one here. Only for the holder of the directory's lock."""
    path = address(data)
    if path is None:
        log.warning("the path is too long for a local socket: hooks wait for the poll", path=data)
        yield None
        return
    files = [os.path.join(data, name) for name in (_SOCKET, _TOKEN)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        for left_over in files:
            _remove(left_over)
        bound.bind(path)
        os.chmod(files[0], 0o600)
        bound.listen(64)
        descriptor = os.open(files[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"local_{secrets.token_hex(32)}")
        try:
            yield bound
        finally:
            for path in files:
                _remove(path)


def address(data: str) -> str | None:
    """A path to the socket that is short enough, by way of an open directory if need be; that
    descriptor stays open for the life of the process. None if there is none on this system."""
    path = os.path.join(data, _SOCKET)
    if len(os.fsencode(path)) <= _LONGEST:
        return path
    if not sys.platform.startswith("linux"):
        return None
    return f"/proc/self/fd/{os.open(data, os.O_RDONLY | os.O_DIRECTORY)}/{_SOCKET}"


def token(data: str) -> str | None:
    """The token of the server that runs; None if there is none, or it was revoked."""
    try:
        with open(os.path.join(data, _TOKEN), encoding="ascii") as file:
            return file.read(200).strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def is_token(data: str, shown: str) -> bool:
    """Whether what a caller shows is the token, in constant time."""
    expected = token(data)
    return expected is not None and hmac.compare_digest(shown.encode(), expected.encode())


def revoke(data: str) -> bool:
    """Refuse the token from now on; the next start of the server makes another. False if there is
    none."""
    if token(data) is None:
        return False
    _remove(os.path.join(data, _TOKEN))
    return True


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
