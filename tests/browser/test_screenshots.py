# SPDX-License-Identifier: Apache-2.0
"""The pictures of the README are made by a script that works, and show what they are said to show."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

from tests.pages import ROOT


def test_the_script_takes_the_pictures_that_the_readme_has(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "docs/screenshots.py"), str(tmp_path)], check=True)
    named = re.findall(r"\(docs/pictures/(\w+\.png)\)", (ROOT / "README.md").read_text())
    assert len(named) == 2
    for name in named:
        for folder in (tmp_path, ROOT / "docs/pictures"):
            data = (folder / name).read_bytes()
            assert data[:8] == b"\x89PNG\r\n\x1a\n"
            width, height = struct.unpack(">II", data[16:24])
            assert (width, height) == (1200, 820)
            assert 20_000 < len(data) < 200_000  # something is on it
