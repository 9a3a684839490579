# SPDX-License-Identifier: Apache-2.0
"""The blocks of code in the documentation, which tests run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def blocks(page: str, kind: str) -> list[str]:
    """The blocks of a page that begin with ``` and exactly this `kind`."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
