# SPDX-License-Identifier: Apache-2.0
"""What the shims in `hooks/` call. Not for people, and not in the help."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitprompt.core.printable import printable
from gitprompt.errors import GitpromptError, UsageError


def run(arguments: Sequence[str]) -> int:
    name, *rest = [*arguments, ""]
    hook = _HOOKS.get(name)
    if hook is None:
        raise UsageError(f"there is no hook '{name}'", hint=f"Hooks: {', '.join(_HOOKS)}")
    return hook(rest)


def _pre_commit(arguments: Sequence[str]) -> int:
    """What is staged must be valid; warnings are shown and do not stop a commit."""
    from gitprompt.cli.checking.examination import Request
    from gitprompt.cli.checking.validation import examine, write_text

    report = examine(Request(staged=True))
    if report.findings:
        write_text(report)
    if report.count("error"):
        print("Repair it and stage it again, or skip this once with: git commit --no-verify")
        return 1
    return 0


def _pre_push(arguments: Sequence[str]) -> int:
    """Judge what leaves, by the same rules as the server: every ref, not only the first.

    git gives `local-ref local-object remote-ref remote-object` for each ref; the first as it was
    typed, as in HEAD@{1 day ago}.
    """
    from gitprompt.git.refs import ZERO, RefUpdate
    from gitprompt.git.repository import Repository
    from gitprompt.registry import push_rules

    text = os.fsdecode(sys.stdin.buffer.read())
    lines = [line.rsplit(" ", 3) for line in text.split("\n") if line]
    updates = [RefUpdate(ref, old, new) for _, new, ref, old in lines]
    # What the remote has and we have not fetched cannot be compared here; the server will.
    repository = Repository.discover()
    with repository.reader() as reader:
        remotes = [
            update
            for update, old in zip(updates, reader.names(u.old for u in updates), strict=True)
            if update.old == ZERO or old is not None or update.ref.startswith("refs/tags/")
        ]
    return _report(push_rules.judge(repository, remotes))


def _pre_receive(arguments: Sequence[str]) -> int:
    from gitprompt.git.repository import Repository
    from gitprompt.registry import push_rules

    text = os.fsdecode(sys.stdin.buffer.read())
    repository = Repository.discover()
    # This push does not come through the sidecar: its transport has decided who may write.
    return _report(push_rules.judge(repository, push_rules.parse_updates(text)))


def _report(refusals: Sequence[object]) -> int:
    from gitprompt.registry import push_rules

    for line in push_rules.report(refusals):  # type: ignore[arg-type]
        print(line, file=sys.stderr)
    return 1 if refusals else 0


def _follow_rename(repository: Any) -> None:
    """Let HEAD name the branch that this push has put in the place of the default branch."""
    from gitprompt.registry import push_rules

    updates = push_rules.parse_updates(os.fsdecode(sys.stdin.buffer.read()))
    head = repository.line("symbolic-ref", "--quiet", "HEAD")
    heir = push_rules.successor(repository, head, updates)
    if heir is not None:
        repository.git("symbolic-ref", "HEAD", heir)


def _post_receive(arguments: Sequence[str]) -> int:
    """Tell the sidecar. The push is in already, so that nothing here may fail it."""
    from gitprompt.cli.remote import connect_locally
    from gitprompt.git.repository import Repository

    try:
        repository = Repository.discover()
        _follow_rename(repository)
        data = repository.line("config", "--get", "gitprompt.data")
        workspace = None
        if not data:  # a hosted repository is <data>/repos/<workspace>.git
            data = os.path.dirname(os.path.dirname(repository.git_dir))
            workspace = os.path.basename(repository.git_dir).removesuffix(".git")
        client = connect_locally(data, workspace)
        if client is not None:
            client.post("/v1/sync")
    except GitpromptError as error:
        problem = printable(error.message)
        print(f"gitprompt: pushed; the sidecar will see it at its next poll ({problem})")
    return 0


_HOOKS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "pre-commit": _pre_commit,
    "pre-push": _pre_push,
    "pre-receive": _pre_receive,
    "post-receive": _post_receive,
}
