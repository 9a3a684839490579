# SPDX-License-Identifier: Apache-2.0
"""What a document is, and what a check reports about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning", "off"]
Kind = Literal["prompt", "suite", "settings", "prices", "fragment"]

# A document as it was parsed: JSON types only.
Document = Mapping[str, Any]


class Finding(NamedTuple):
    """What a check reports. `line` and `column` count from 1; 0 means the file as a whole."""

    code: str
    severity: Severity
    message: str
    hint: str = ""
    path: str = ""
    line: int = 0
    column: int = 0
