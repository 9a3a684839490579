# SPDX-License-Identifier: Apache-2.0
"""The commands of coming from another system, as the README and docs/migrate.md print them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import blocks
from tests.transfer.fake_langfuse import FakeLangfuse
from tests.transfer.moving_in import FIXTURES
from tests.world import Server, run


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data").start()
    yield running
    running.stop()


def pasted(server: Server, folder: Path, commands: list[str], **env: str) -> str:
    """In one shell, as a reader would paste them."""
    script = "set -euo pipefail\n" + "\n".join(commands)
    for host in ("http://127.0.0.1:3000", "http://localhost:3000"):
        script = script.replace(host, server.url)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return run(
        "bash", "-c", script, cwd=folder,
        env={"PATH": path, "GITPROMPT_API_KEY": server.key(), "XDG_STATE_HOME": str(folder), **server.env, **env},
    )  # fmt: skip


@pytest.mark.parametrize("page", ["README.md", "docs/migrate.md"])
def test_who_is_on_langfuse_comes_over_with_the_lines_that_are_printed(
    own: Server, tmp_path: Path, page: str
) -> None:
    commands = blocks(page, "sh langfuse")
    assert len(commands) == 1
    assert len(commands[0].splitlines()) <= 5
    there = FakeLangfuse()
    try:
        said = pasted(own, tmp_path, commands, LANGFUSE_HOST=there.url)
    finally:
        there.close()
    assert "120 traces would come over" in said
    assert "120 traces came over" in said
    assert "the server has 120 traces and 3 prompts" in said


@pytest.mark.sqlite
def test_the_chapter_of_files_works_as_printed(own: Server, tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "langfuse-trace-full.json", tmp_path / "traces.json")
    said = pasted(own, tmp_path, blocks("docs/migrate.md", "sh"))
    assert "1 traces would come over" in said
    assert "1 traces came over" in said
    assert said.endswith('{"count":1}{"count":0}')
    assert list(tmp_path.glob("pre-migration-*.tar"))
