# SPDX-License-Identifier: Apache-2.0
"""The unit, judged by systemd itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from gitprompt.config import ServerSettings
from tests.pages import DEPLOY

UNIT = DEPLOY / "systemd" / "gitprompt.service"
EXPOSURE = 15  # tenths, of ten; systemd calls what is below 2 SAFE, or OK

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed"),
]


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_verifies_it(tmp_path: Path) -> None:
    """With the program that is here in the place of /opt/gitprompt."""
    unit = tmp_path / "gitprompt.service"
    here = str(Path(sys.executable).parent)
    unit.write_text(UNIT.read_text().replace("/opt/gitprompt/bin", here))
    verified = analyzed("verify", "--man=no", str(unit))
    assert (verified.returncode, verified.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("PrivateTmp=yes", "PrivateTemp=yes"))
    assert "PrivateTemp" in analyzed("verify", "--man=no", str(unit)).stderr


def test_it_is_hardened() -> None:
    judged = analyzed("security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT))
    assert judged.returncode == 0, judged.stdout


def test_its_environment_names_settings_that_there_are() -> None:
    known = {setting.metadata["env"] for setting in fields(ServerSettings)}
    text = (DEPLOY / "systemd" / "gitprompt.env").read_text()
    named = {
        line.removeprefix("#").partition("=")[0]
        for line in text.splitlines()
        if "=" in line and not line.startswith("# ")
    }
    assert len(named) >= 4
    assert named <= known
