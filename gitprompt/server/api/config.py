# SPDX-License-Identifier: Apache-2.0
"""GET /v1/config: the effective settings, secrets masked."""

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
    }


def _shown(value: Any, *, secret: bool) -> Any:
    if secret:
        return "***" if value else ""
    return _PASSWORD.sub("//***@", value) if isinstance(value, str) else value


_PASSWORD = re.compile(r"(?<=:)//[^/@]*@")


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/config", scope="admin", handler=config,
        summary="The effective settings, secrets masked", answer=dict[str, Any],
    ),
)  # fmt: skip
