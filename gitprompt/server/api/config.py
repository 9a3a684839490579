# SPDX-License-Identifier: Apache-2.0
"""GET /v1/config: the effective settings, secrets masked. Whoever administers one workspace sees the
bounds that hold for its requests, and nothing of the machine or of others."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Call, Endpoint


async def config(context: Context, call: Call) -> dict[str, Any]:
    settings = context.settings
    return {
        field.name: _shown(getattr(settings, field.name), secret=field.metadata["secret"])
        for field in fields(settings)
        if call.principal.is_master or field.name.startswith(_BOUNDS)
    }


_BOUNDS = ("max_", "rate_limit", "keep_days")


def _shown(value: Any, *, secret: bool) -> Any:
    if secret:
        return "***" if value else ""
    if not isinstance(value, str):
        return value
    return _TOKEN.sub(r"\1***", _PASSWORD.sub("//***@", value))


_PASSWORD = re.compile(r"(?<=:)//\S*@")  # to the last @: a password may have one, or a slash
_TOKEN = re.compile(r"([?&;][^=&;\s]*=)[^&;\s]*")


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/config", scope="admin", handler=config,
        summary="The effective settings, secrets masked", answer=dict[str, Any],
    ),
)  # fmt: skip
