# SPDX-License-Identifier: Apache-2.0
"""What a shell offers after a tab."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.commands import Cli
from tests.world import Clone, run


def offered(clone: Clone, typed: str) -> list[str]:
    """The words that are offered for a command line as far as it is typed."""
    env = {
        "_GITPROMPT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"gitprompt {typed}",
        "COMP_CWORD": str(len(typed.split(" "))),
    }
    program = str(Path(sys.executable).with_name("gitprompt"))
    lines = run(program, cwd=clone.path, env=env).splitlines()
    return [line.partition(",")[2] for line in lines if line]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("versions w", ["welcome"]),
        ("versions x", []),
        ("show welcome@", ["welcome@.", "welcome@1.0.0", "welcome@1.1.0", "welcome@production"]),
        ("diff welcome@1.0", ["welcome@1.0.0"]),
        ("label log welcome ", ["production"]),
        ("label set ", ["welcome"]),
        ("label set welcome p", ["production"]),
        ("label set welcome production ", ["1.0.0", "1.1.0", "production"]),
        ("publish ", ["welcome"]),
        ("lab", ["label"]),
        ("label ro", ["rollback"]),
    ],
)
def test_names_versions_and_labels_are_offered(story: Clone, typed: str, words: list[str]) -> None:
    assert offered(story, typed) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(cli: Cli, shell: str) -> None:
    assert "_GITPROMPT_COMPLETE" in cli("completion", shell).out


def test_where_no_clone_is_nothing_is_offered(tmp_path: Path) -> None:
    assert offered(Clone(tmp_path), "versions ") == []
