# SPDX-License-Identifier: Apache-2.0
"""The few static files: read once, and sent as they are under an address that changes with them."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from typing import NamedTuple

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    media_type: str
    body: bytes


class Assets(NamedTuple):
    """`digest` is of all of them together: modules that import each other are of one version."""

    digest: str
    files: dict[str, Asset]


@cache
def assets() -> Assets:
    files = {}
    for name in sorted(os.listdir(FOLDER)):
        media_type = _TYPES.get(os.path.splitext(name)[1])
        if media_type is not None:
            with open(os.path.join(FOLDER, name), "rb") as file:
                files[name] = Asset(media_type, file.read())
    digest = hashlib.sha256()
    for name, asset in files.items():
        digest.update(name.encode() + b"\0" + asset.body)
    return Assets(digest.hexdigest()[:16], files)
