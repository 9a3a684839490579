# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder share."""

from __future__ import annotations

from typing import Any


def prompt(content: str, **declared: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if declared:
        document["variables"] = declared
    return document
