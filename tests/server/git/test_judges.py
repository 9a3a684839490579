# SPDX-License-Identifier: Apache-2.0
"""Pushes are judged in processes that can be killed: after too long, when nobody waits, at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from gitprompt.errors import GitpromptError, Unavailable
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.push_rules import Bounds
from gitprompt.server.git.judges import Case, Judges
from tests.world import WELCOME, Clone

WRITER = frozenset(("read", "write"))


@pytest.fixture
def judges() -> Iterator[Judges]:
    judges = Judges(bounds=Bounds(), seconds=30.0, memory=2_000_000_000)
    yield judges
    judges.close()


def bomb(clone: Clone, folder: str, *, width: int = 10, depth: int = 6) -> str:
    """A commit of a dozen objects that stand for width**depth files."""
    leaf = clone.git("hash-object", "-w", "--stdin", stdin="x: 1\n")
    entries = "".join(f"100644 blob {leaf}\tf{at}.yaml\n" for at in range(width))
    tree = clone.git("mktree", stdin=entries)
    for _ in range(depth - 1):
        entries = "".join(f"040000 tree {tree}\td{at}\n" for at in range(width))
        tree = clone.git("mktree", stdin=entries)
    top = clone.git("mktree", stdin=f"040000 tree {tree}\t{folder}\n")
    return clone.git("commit-tree", top, "-m", "A million files")


def heard(
    case: Case,
    clone: Clone,
    ref: str,
    new: str,
    old: str = ZERO,
    pins: dict[str, str] | None = None,
) -> list[str]:
    repository = Repository.open(str(clone.path))
    return case.judge(repository, [RefUpdate(ref, old, new)], scopes=WRITER, pins=pins or {})


def child_count() -> int:
    """The processes that this one has started, but for a database that tests have, and its pooler."""
    children = psutil.Process().children()
    return sum(child.name() not in ("postgres", "pgbouncer") for child in children)


def soon(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


def slow_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git that hangs, for the judge; returns a file that is there once it does."""
    mark = folder / "hanging"
    fake = folder / "git"
    fake.write_text(f"#!/bin/sh\ntouch {mark}\nsleep 600\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return mark


def test_what_is_wrong_is_told_and_what_is_right_goes_in(judges: Judges, published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    assert heard(judges.case("w"), published, "refs/heads/other", head) == []
    oid = published.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    moved = heard(judges.case("w"), published, "refs/tags/prompts/welcome/1.0.0", head, old=oid)
    assert "welcome 1.0.0 is published: a version is never moved" in moved[1]
    ref = "refs/tags/prompts/welcome/9.0.0"
    assert "never moved" in heard(judges.case("w"), published, ref, oid, pins={ref: head})[1]


def test_one_process_judges_one_push_after_another(judges: Judges, published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    judges.warm()
    judges.warm()
    for at in range(3):
        assert heard(judges.case(f"w{at}"), published, "refs/heads/other", head) == []
    assert child_count() == 1
    judges.close()
    assert child_count() == 0
    with pytest.raises(Unavailable, match="stopping"):
        heard(judges.case("w"), published, "refs/heads/other", head)


@pytest.mark.parametrize("folder", ["prompts", "evals"])
def test_a_dozen_objects_that_stand_for_a_million_files_are_refused_at_once(
    judges: Judges, published: Clone, folder: str
) -> None:
    begin = time.monotonic()
    old = published.git("rev-parse", "HEAD")
    with pytest.raises(GitpromptError, match="there are more than 200,000 entries"):
        heard(judges.case("w"), published, "refs/heads/main", bomb(published, folder), old=old)
    assert time.monotonic() - begin < 10


def test_refs_files_and_bytes_are_bounded(published: Clone) -> None:
    published.write("prompts/_fragments/tone.md", "x")
    text = WELCOME + "tags: [" + "x, " * 300 + "y]\n"
    old = published.git("rev-parse", "HEAD")
    new = published.commit("More", **{f"p{at}": text for at in range(9)})
    for bounds, why in (
        (Bounds(refs=0), "this push has more than 0 refs"),
        (Bounds(files=5), "more than 10 entries in the list of changed files"),
        (Bounds(size=5_000), "the documents of this push have more than 5,000 bytes"),
    ):
        judges = Judges(bounds=bounds, seconds=30.0, memory=2_000_000_000)
        with pytest.raises(GitpromptError, match=why):
            heard(judges.case("w"), published, "refs/heads/main", new, old=old)
        judges.close()


def test_a_judge_that_takes_too_long_is_killed_with_its_git(
    published: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = published.git("rev-parse", "HEAD")
    slow_git(tmp_path, monkeypatch)
    judges = Judges(bounds=Bounds(), seconds=1.0, memory=2_000_000_000)
    with pytest.raises(Unavailable, match="takes more than 1 s"):
        heard_with(judges.case("w"), published, head)
    assert child_count() == 0
    judges.close()


def heard_with(case: Case, clone: Clone, head: str) -> list[str]:
    """Like `heard`, where `git` is what the environment says."""
    repository = Repository(
        str(clone.path / ".git"), str(clone.path / ".git"), str(clone.path), dict(os.environ)
    )
    update = RefUpdate("refs/heads/other", ZERO, head)
    return case.judge(repository, [update], scopes=WRITER, pins={})


def test_a_push_that_is_given_up_is_judged_no_more(
    judges: Judges, published: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = published.git("rev-parse", "HEAD")
    mark = slow_git(tmp_path, monkeypatch)
    case, waiting = judges.case("w"), judges.case("w")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(heard_with, case, published, head)
        assert soon(mark.exists)
        second = threads.submit(heard_with, waiting, published, head)
        waiting.give_up()  # before anybody hears it
        with pytest.raises(Unavailable, match="given up"):
            second.result(timeout=10)
        assert not first.done()
        case.give_up()
        for push in (first, second):
            with pytest.raises(Unavailable, match="given up"):
                push.result(timeout=10)
    assert child_count() == 0 or soon(lambda: child_count() <= 1)


def test_a_workspace_waits_for_itself_and_no_other_for_it(
    judges: Judges, published: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = published.git("rev-parse", "HEAD")
    with monkeypatch.context() as patched:
        mark = slow_git(tmp_path, patched)
        slow = judges.case("busy")
        with ThreadPoolExecutor(1) as threads:
            hanging = threads.submit(heard_with, slow, published, head)
            assert soon(mark.exists)
            patched.undo()
            assert heard(judges.case("other"), published, "refs/heads/other", head) == []
            assert not hanging.done()
            slow.give_up()
            with pytest.raises(Unavailable):
                hanging.result(timeout=10)


def test_a_judge_and_its_git_have_no_more_memory_than_they_may(
    published: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = published.git("rev-parse", "HEAD")
    fake = tmp_path / "git"
    fake.write_text(f"#!/bin/sh\nulimit -v > {tmp_path}/limit\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    judges = Judges(bounds=Bounds(), seconds=30.0, memory=1_024_000_000)
    with pytest.raises(GitpromptError):
        heard_with(judges.case("w"), published, head)
    judges.close()
    assert (tmp_path / "limit").read_text() == "1000000\n"
