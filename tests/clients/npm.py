# SPDX-License-Identifier: Apache-2.0
"""Packages of the npm registry, for one module of tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.world import run


def npm_folder(folder: Path, packages: Sequence[str]) -> Path:
    """Install packages of these versions into a folder, without a lock file; skips where npm is missing."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: no client in JavaScript or TypeScript is run")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", *packages, cwd=folder)
    return folder
