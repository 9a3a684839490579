# SPDX-License-Identifier: Apache-2.0
"""`gitprompt keys`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import Cli


def test_keys_are_alone_on_standard_output(cli: Cli, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    said = cli("keys", "create", "--data", data, "--name", "ci")
    assert said.out.startswith("pm_")
    assert len(said.out.split()) == 1
    (record,) = json.loads(cli("keys", "list", "--data", data, "--json").out)
    assert (record["name"], record["scopes"], "hash" in record) == ("ci", "read,write", False)
    assert cli("keys", "create", "--data", data, "--scopes", "root").code == 1
    assert cli("keys", "create", "--data", data, "--workspace", "a/b").code == 1
    assert cli("keys", "create", "--data", data, "--expires-in-days", "0").code == 1
    assert cli("keys", "revoke", "--data", data, "9").code == 1


def test_a_hint_says_the_folder_that_was_said(cli: Cli, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert cli("keys", "create", "--data", data).code == 0
    said = cli("keys", "revoke", "laptop", "--data", data)
    assert (said.code, f"gitprompt keys list --data {data} has them." in said.err) == (2, True)
