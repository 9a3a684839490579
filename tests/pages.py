# SPDX-License-Identifier: Apache-2.0
"""Where the pages and what is deployed are, and the blocks of code in the pages, which tests run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"


def blocks(page: str, kind: str) -> list[str]:
    """The blocks of a page that begin with ``` and exactly this `kind`."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
