# SPDX-License-Identifier: Apache-2.0
"""How long an answer to a read of prompts holds: as long as the index stays as it is, unless the
handler says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Tagged(NamedTuple):
    """One prompt, as bytes with their entity tag, so that a client need not load it again."""

    body: bytes
    etag: bytes
    prompt: str


class Volatile(NamedTuple):
    """An answer that depends on more than the index, and is never kept."""

    body: Mapping[str, Any]
