# SPDX-License-Identifier: Apache-2.0
"""What the shims call: the verdict and the words of each hook, for the lines that git would send."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from gitprompt.cli import hook
from gitprompt.errors import UsageError
from gitprompt.git.refs import ZERO
from gitprompt.hosting import Hosting
from tests.conftest import Outcome
from tests.world import WELCOME, Clone

UNKNOWN = "1234" * 10  # an object that this repository does not have
Run = Callable[..., Outcome]


@pytest.fixture
def run(clone: Clone, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """A hook in this process, in the clone, with standard input."""

    def command(name: str, stdin: bytes | str = b"", cwd: Path | None = None) -> Outcome:
        monkeypatch.chdir(cwd or clone.path)
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        capfd.readouterr()
        code = hook.run([name])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return command


@pytest.mark.parametrize("arguments", [[], ["update"], ["pre-push ", "origin"]])
def test_a_wrong_name_lists_the_hooks_that_there_are(arguments: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        hook.run(arguments)
    assert caught.value.hint == "Hooks: pre-commit, pre-push, pre-receive, post-receive"


def test_a_warning_is_shown_and_does_not_stop_a_commit(run: Run, clone: Clone) -> None:
    clone.write("prompts/a.yaml", WELCOME + "  spare: {type: string}\n")
    clone.git("add", "-A")
    outcome = run("pre-commit")
    assert (outcome.code, "--no-verify" in outcome.out) == (0, False)
    assert "warning: " in outcome.out
    assert "[unused-variable]" in outcome.out


def test_a_commit_without_documents_passes_in_silence(run: Run, clone: Clone) -> None:
    clone.write("notes.txt", "x")
    clone.git("add", "-A")
    clone.write("prompts/broken.yaml", "messages: {")
    assert repr(run("pre-commit")) == "exit 0\n"


def test_a_push_of_nothing_passes(run: Run, published: Clone) -> None:
    for name in ("pre-push", "pre-receive"):
        assert repr(run(name)) == "exit 0\n"


def test_a_push_is_refused_with_every_ref_that_is_wrong(run: Run, published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    tags = [published.tag(name, "1.0.0") for name in ("missing", "absent")]
    refs = ["refs/tags/prompts/missing/1.0.0", "refs/tags/prompts/absent/1.0.0"]
    pushed = [("refs/heads/main", head), *zip(refs, tags, strict=True)]
    outcome = run("pre-push", "".join(f"{ref} {new} {ref} {ZERO}\n" for ref, new in pushed))
    assert (outcome.code, outcome.out) == (1, "")
    refused = [line for line in outcome.err.splitlines() if line.startswith("gitprompt: ")]
    assert refused == [f"gitprompt: {ref} is refused" for ref in refs]


def test_a_branch_that_moved_on_unseen_is_left_to_the_server(run: Run, published: Clone) -> None:
    new = published.commit("Broken", broken="messages: {")
    line = f"refs/heads/main {new} refs/heads/main "
    assert run("pre-push", f"{line}{ZERO}\n").code == 1
    assert run("pre-push", f"{line}{UNKNOWN}\n").code == 0


def test_a_tag_is_never_moved_even_if_the_old_one_is_not_here(run: Run, published: Clone) -> None:
    tag = published.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    ref = "refs/tags/prompts/welcome/1.0.0"
    outcome = run("pre-push", f"{ref} {tag} {ref} {UNKNOWN}\n")
    assert (outcome.code, "a version is never moved" in outcome.err) == (1, True)


def test_a_ref_that_is_not_utf_8_is_refused_and_shown_as_escapes(
    run: Run, published: Clone
) -> None:
    tag = published.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    line = f"{ZERO} {tag} refs/tags/prompts/w".encode() + b"\xff\x1b[2J/1.0.0\n"
    outcome = run("pre-receive", line)
    assert outcome.code == 1
    assert "refs/tags/prompts/w\\xff\\x1b[2J/1.0.0 is refused" in outcome.err


def test_a_push_cannot_relax_the_checks_that_judge_it(run: Run, published: Clone) -> None:
    published.write("gitprompt.yaml", "checks: {unused-variable: error}\n")
    old = published.commit("Strict")
    published.write("gitprompt.yaml", "checks: {unused-variable: off}\n")
    new = published.commit("Relaxed", spare=WELCOME + "  spare: {type: string}\n")
    published.git("reset", "-q", "--hard", old)
    outcome = run("pre-receive", f"{old} {new} refs/heads/main\n")
    assert (outcome.code, "[unused-variable]" in outcome.err) == (1, True)
    published.git("reset", "-q", "--hard", new)
    assert run("pre-receive", f"{old} {new} refs/heads/main\n").code == 0


def test_a_push_that_is_in_is_not_failed_by_a_sidecar_that_does_not_run(
    run: Run, clone: Clone, tmp_path: Path
) -> None:
    Hosting(str(tmp_path / "data")).create("team")
    hosted = tmp_path / "data" / "repos" / "team.git"
    clone.git("config", "gitprompt.data", str(tmp_path / "data"))
    for folder in (hosted, clone.path):
        assert repr(run("post-receive", cwd=folder)) == "exit 0\n"


def test_a_push_that_is_in_is_not_failed_by_a_broken_repository(run: Run, tmp_path: Path) -> None:
    outcome = run("post-receive", cwd=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("gitprompt: pushed; the sidecar will see it at its next poll (")


def test_the_source_of_a_push_may_have_spaces(run: Run, published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    line = f"HEAD^{{/fix nasty bug}} {head} refs/heads/copy {ZERO}\n"
    assert run("pre-push", line).code == 0
