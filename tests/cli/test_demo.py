# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gitprompt import resources
from tests.cli.commands import Cli
from tests.world import Refused, run

BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def test_the_demo_checks_itself_without_identity_or_path(tmp_path: Path) -> None:
    said = run(
        "env",
        "-i",
        "PATH=/usr/bin:/bin",
        sys.executable,
        "-m",
        "gitprompt",
        "demo",
        "--check",
        cwd=tmp_path,
    )
    assert "Everything works." in said
    assert list(tmp_path.iterdir()) == []


def test_the_demo_does_not_use_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(Refused, match="is not empty"):
        run(
            sys.executable,
            "-m",
            "gitprompt",
            "demo",
            "--check",
            "--dir",
            str(tmp_path),
            cwd=tmp_path,
        )


def test_the_example_repository_is_valid_under_its_own_rules() -> None:
    path = resources.path("example-repo")
    said = run(sys.executable, "-m", "gitprompt", "validate", "--strict", path, cwd=path)
    assert "14 files: 0 errors, 0 warnings" in said


@pytest.mark.postgres
def test_the_demo_works_on_postgresql_too(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.postgres import cluster, name_of, new_url

    url = new_url()
    monkeypatch.setenv("DATABASE_URL", url)
    outcome = cli("demo", "--check")
    assert outcome.code == 0, outcome.err
    assert cluster().execute("SELECT count(*) > 5 FROM gitprompt.audit", name_of(url)) == [(True,)]
