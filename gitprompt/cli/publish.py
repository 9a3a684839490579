# SPDX-License-Identifier: Apache-2.0
"""gitprompt publish: validate, then tag what is committed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import click

from gitprompt import checks, formats
from gitprompt.cli import completion
from gitprompt.cli.checking.validation import text_of
from gitprompt.cli.output import done, json_option, progress, say, write_json, write_lines
from gitprompt.cli.read import meet_remotes, reading
from gitprompt.cli.remote import place_options
from gitprompt.core.diff import compare, deserved_bump
from gitprompt.core.document import PROMPTS, SETTINGS, below, digest, fragment_path, no_such_root
from gitprompt.core.printable import readable
from gitprompt.core.twins import Taken
from gitprompt.core.versions import (
    FIRST,
    Bump,
    bumped,
    check_version,
    newest,
    rank,
    split_tag_ref,
    tag_ref,
)
from gitprompt.errors import Conflict, GitError, Invalid, NotFound, UsageError
from gitprompt.formats import fragments
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import refwrites, remotes
from gitprompt.registry.clone import Clone, Selector, not_valid
from gitprompt.registry.versions import Loaded


class Unchanged(Conflict):
    """There is nothing new to publish; with --push, something that is there may be left to push."""


class PlannedVersion(NamedTuple):
    """A version to publish; `rewrite` if the file's version field must say it first."""

    name: str
    path: str
    version: str
    rewrite: bool
    bump: Bump | None


@click.command()
@click.argument("names", nargs=-1, shell_complete=completion.names)
@click.option("--version", "version", metavar="V", help="The version to publish.")
@click.option(
    "--bump",
    type=click.Choice(["auto", "major", "minor", "patch"]),
    help="The next version after the newest; auto takes what the change deserves.",
)
@click.option("--changed", is_flag=True, help="Every prompt that differs from its newest version.")
@click.option("--prefix", metavar="P", help="Like --changed, of the prompts whose names begin so.")
@click.option("--sign", is_flag=True, help="Sign the tags with your Git signing key.")
@click.option(
    "--push",
    is_flag=True,
    help="Push the tags that the remote lacks, and the current branch, all or nothing.",
)
@click.option("--remote", metavar="REMOTE", help="Where to push.  [default: origin]")
@click.option("-m", "--message", metavar="TEXT", help="Message of the tags.")
@json_option
@place_options
def publish(
    names: tuple[str, ...], version: str | None, bump: str | None, changed: bool,
    prefix: str | None, sign: bool, push: bool, remote: str | None, message: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Publish prompts: each becomes the immutable tag prompts/NAME/VERSION on HEAD.

    Without --version or --bump the version is the one in the file; a file without one gets the
    bump that its change deserves, and the first version is 1.0.0.

    --push pushes what is tagged here and missing at the remote, also what an earlier run has left:
    one that was interrupted, refused, made without --push, or could not reach the remote.

    With --server, FILEs are published there as they are, without a clone and without --push.

    \b
    Examples:
      gitprompt publish welcome --bump auto --push
      gitprompt publish --changed --bump auto
      gitprompt publish welcome.yaml --server https://prompts.example.com
    """
    changed = changed or prefix is not None
    message = readable(message) if message is not None else None
    here = reading()
    _check_usage(names, version, bump, changed, online=not isinstance(here, Clone))
    if not isinstance(here, Clone):
        if sign or push or remote or changed or message is not None:
            raise UsageError(
                "a server is sent FILEs: --sign, --push, --remote, --changed, --prefix and --message"
                " are for a clone",
                hint="gitprompt publish FILE… --server URL",
            )
        here.publish_files(names, version=version, bump=bump, as_json=as_json)
        return
    if here.is_root_missing:
        raise no_such_root(here.root)
    if here.broken_settings is not None:
        raise not_valid(SETTINGS, here.broken_settings.findings)
    repository = here.repository
    names = tuple(dict.fromkeys(map(here.name, names)))
    target = remotes.choose_remote(repository, remote) if push else None
    if target:
        _learn(repository, target, names)
    else:
        meet_remotes(repository)
    with _interruptible(f"gitprompt publish {' '.join(names) or '--changed'} --push") as steps:
        clone = Clone(repository)
        _check_branch(clone)
        _warn_of_shallow(clone)
        chosen = names or [name for name in clone.working_copies() if name.startswith(prefix or "")]
        plans, idle = _plans(clone, chosen, version, bump, changed)
        if idle and not target:
            raise idle[0]
        updates, head = _tag(repository, plans, message, sign=sign, steps=steps)
        pushed = _push(repository, target, names, updates, steps) if target else []
    if not plans and not pushed:
        if idle:
            raise idle[0]
        say("Nothing has changed since it was published.", err=True)
    if as_json:
        write_json(_items(plans, head, pushed))
        return
    for plan in plans:
        why = f"  ({plan.bump})" if plan.bump else ""
        done(f"{plan.name} · {plan.version} · {head[:7]}{why}")
    new = {update.ref for update in updates}
    for name, tagged in (split_tag_ref(update.ref) for update in pushed if update.ref not in new):
        done(f"{name} · {tagged} · pushed; it was tagged before")
    if plans and not target and repository.remotes():
        say(f"Not pushed yet: gitprompt publish {' '.join(plan.name for plan in plans)} --push")


def _learn(repository: Repository, remote: str, names: tuple[str, ...]) -> None:
    """Fetch if the remote has versions that this clone does not, as one that CI has made: the next
    number is counted from what there is. A remote that does not answer is heard of at the push."""
    remotes.configure_fetch(repository, remote)
    with suppress(GitError):
        there = remotes.tags_there(repository, remote, names)
        refs = repository.refs()
        if any(refs.get(ref) is None for ref in there):
            repository.git("fetch", "--quiet", remote)


def _items(plans: list[PlannedVersion], head: str, pushed: list[RefUpdate]) -> list[dict[str, Any]]:
    """What was published, and what was only pushed, for programs."""
    there = {split_tag_ref(update.ref) for update in pushed}
    items = [
        {
            "name": p.name,
            "version": p.version,
            "commit": head,
            "pushed": (p.name, p.version) in there,
        }
        for p in plans
    ]
    new = {(plan.name, plan.version) for plan in plans}
    items += [
        {"name": name, "version": version, "commit": None, "pushed": True}
        for name, version in sorted(there - new)
    ]
    return items


@contextmanager
def _interruptible(finish: str) -> Iterator[list[str]]:
    """On ^C, say what is done and what is left. Gives the list of what is done."""
    steps: list[str] = []
    try:
        yield steps
    except KeyboardInterrupt:
        so_far = "; ".join(steps) or "nothing was changed"
        write_lines(f"\nInterrupted: {so_far}.\n  To go on: {finish}", err=True)
        raise


def _tag(
    repository: Repository,
    plans: list[PlannedVersion],
    message: str | None,
    *,
    sign: bool,
    steps: list[str],
) -> tuple[list[RefUpdate], str]:
    """Tag what is planned; returns the tags, and the commit that they are on."""
    if not plans:
        return [], ""
    who = refwrites.identity(repository)
    rewritten = [plan for plan in plans if plan.rewrite]
    _rewrite(repository, rewritten)
    if rewritten:
        steps.append("the new versions are committed in their files")
    head = repository.line("rev-parse", "HEAD")
    releases = [
        refwrites.Release(p.name, p.version, head, message or f"{p.name} {p.version}")
        for p in plans
    ]
    updates = refwrites.publish(repository, releases, who, sign=sign)
    steps.append("tagged here: " + ", ".join(f"{p.name} {p.version}" for p in plans))
    return updates, head


def _check_usage(
    names: tuple[str, ...], version: str | None, bump: str | None, changed: bool, *, online: bool
) -> None:
    if not names and not changed:
        hint = (
            "gitprompt publish FILE… --server URL"
            if online
            else "gitprompt publish NAME…, or --changed"
        )
        raise UsageError("say what to publish", hint=hint)
    if names and changed:
        raise UsageError("give names or --changed, not both")
    if version is not None and (bump is not None or len(names) != 1):
        raise UsageError("--version goes with exactly one NAME and without --bump")
    if version is not None:
        check_version(version)


def _plans(
    found: Clone, names: Sequence[str], version: str | None, bump: str | None, changed: bool
) -> tuple[list[PlannedVersion], list[Conflict]]:
    """What to publish, everything checked before anything is written; and for what has nothing new,
    the Conflict that says so."""
    copies = found.working_copies()
    bases = found.bases(name for name in names if name in copies)
    dirty = _uncommitted(found)
    plans: list[PlannedVersion] = []
    idle: list[Conflict] = []
    with progress("reading", len(names)) as advance:
        for name in names:
            advance(1)
            if name not in copies:
                raise NotFound(
                    f"{found.shown(found.path_of(name))} is not in the work tree",
                    hint=f"gitprompt new {name}",
                )
            try:
                base = bases.get(name)
                path = copies[name]
                plan = _plan(found, name, path, base, dirty, version, bump, only_changed=changed)
            except Unchanged as error:
                idle.append(error)
                continue
            if plan is not None:
                plans.append(plan)
    return plans, idle


def _plan(
    found: Clone,
    name: str,
    path: str,
    based_on: Loaded | None,
    dirty: Mapping[str, bool],
    version: str | None,
    bump: str | None,
    *,
    only_changed: bool,
) -> PlannedVersion | None:
    if only_changed and based_on is not None and found.is_untouched(path, based_on):
        return None
    document, used_paths = _checked(found, name, path)
    published = list(found.tags.get(name, ()))
    latest = newest(published)
    base = found.base(name) if latest else None
    if base is not None and based_on is None:
        found.resolve(Selector(name, base))  # raises, with what is wrong with it
    before = json.loads(based_on.document) if based_on is not None else None
    differs = before is None or digest(before) != digest(document)
    if only_changed and not differs:
        return None
    _check_committed(found, dirty, path, *used_paths, *([SETTINGS] if found.root else []))
    own = document.get("version")
    changes = compare(before, document) if before is not None else []
    deserved = deserved_bump(changes)
    step: Bump | None = None
    if version is None and (bump is not None or own is None) and base is not None:
        if not differs and bump in (None, "auto"):
            raise Unchanged(
                f"{name} has not changed since {base}", hint="There is nothing to publish."
            )
        step = deserved or "patch" if bump in (None, "auto") else bump  # type: ignore[assignment]
        version = bumped(base, step or "patch")
        _check_reverts_nothing(name, base, version, published)
    version = version or own or FIRST
    _check_free(name, version, published, differs, base)
    return PlannedVersion(name, path, version, own is not None and own != version, step)


def _checked(found: Clone, name: str, path: str) -> tuple[dict[str, Any], list[str]]:
    """The working copy, which must have no error-level finding, and the paths of its fragments."""
    source = fragments.of_work_tree(found.folder)
    data = formats.read_file(os.path.join(found.repository.work_tree or "", path))
    document, findings = checks.examine(
        data,
        path=found.shown(path),
        kind="prompt",
        name=name,
        severities=found.settings.checks,
        source=source,
    )
    problems = checks.errors(findings)
    if problems:
        lines = [line for finding in problems for line in text_of(finding, colors=False)]
        raise Invalid(
            f"{name} is not valid:\n" + "\n".join(lines), hint="Repair it, commit, then publish."
        )
    valid: dict[str, Any] = document
    return valid, [below(found.root, fragment_path(used)) for used in sorted(source.names)]


def _uncommitted(found: Clone) -> dict[str, bool]:
    """The paths of prompts and settings whose work tree is not what is committed; whether they are ignored.
    What is ignored is not committed either, and would be missing from the version."""
    state = found.repository.git(
        "status",
        "--porcelain",
        "--ignored",
        "--untracked-files=all",
        "--no-renames",
        "-z",
        "--",
        below(found.root, PROMPTS),
        SETTINGS,
    )
    lines = [line for line in state.split(b"\0") if line]
    return {os.fsdecode(line[3:]): line.startswith(b"!!") for line in lines}


def _check_committed(found: Clone, dirty: Mapping[str, bool], *paths: str) -> None:
    for path in paths:
        if path in dirty:
            force = "-f " if dirty[path] else ""
            path = found.shown(path)
            raise Conflict(
                f"{path} has changes that are not committed",
                hint=f"git add {force}{path} && git commit -m '…' -- {path}",
            )


def _check_branch(clone: Clone) -> None:
    """A branch from which nothing is published here; of a detached HEAD, as in CI, the server knows."""
    branch = clone.repository.line("symbolic-ref", "--quiet", "HEAD")
    if branch and not clone.settings.publishes_from(branch):
        here = branch.removeprefix("refs/heads/")
        allowed = clone.settings.publish_from
        raise Conflict(
            f"versions are published from {', '.join(allowed)}, and this is {here}",
            hint=f"Merge it first: git switch {allowed[0]} && git merge {here}",
        )


def _warn_of_shallow(clone: Clone) -> None:
    if clone.repository.is_shallow:
        say(
            "warning: this clone is shallow; a version that is not in the history it has is taken to"
            " be in the rest. To be sure: git fetch --unshallow",
            err=True,
        )


def _check_reverts_nothing(name: str, base: str, version: str, published: list[str]) -> None:
    """A version from another branch, which this one does not have, must not be taken back by one
    that is higher, nor met by its number."""
    latest = newest(published) or base
    if rank(latest) <= rank(base) or (version not in published and rank(version) < rank(latest)):
        return
    if version in published:
        message = f"the next version after {base} is {name} {version}, and another branch has it"
    else:
        message = (
            f"{name} {latest} is from another branch, and {version} would take its change back"
        )
    raise Conflict(
        message,
        hint=f"Merge it first (git merge prompts/{name}/{latest}), or choose: --version V",
    )


def _check_free(
    name: str, version: str, published: list[str], differs: bool, base: str | None
) -> None:
    if version in published:
        message = f"{name} {version} is published already"
        if differs:
            raise Conflict(message, hint=f"Run: gitprompt publish {name} --bump auto")
        raise Unchanged(message, hint=f"Nothing has changed since {base}.")
    twins = Taken()
    for number in published:
        twins.add(name, number)
    objection = twins.objection(name, version)
    if objection is not None:
        raise Conflict(f"{name} {objection.message}", hint=objection.hint)


def _rewrite(repository: Repository, plans: list[PlannedVersion]) -> None:
    """Let the version field of each file say its new version, in one commit."""
    if not plans:
        return
    top = repository.work_tree or ""
    for plan in plans:
        path = os.path.join(top, plan.path)
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(formats.replace_scalar(data, ("version",), plan.version))
    subject = ", ".join(f"{plan.name} {plan.version}" for plan in plans[:3])
    subject += f" and {len(plans) - 3} more" if len(plans) > 3 else ""
    repository.git("commit", "--quiet", "-m", subject, "--", *(plan.path for plan in plans))


def _push(
    repository: Repository,
    remote: str,
    names: tuple[str, ...],
    made: list[RefUpdate],
    steps: list[str],
) -> list[RefUpdate]:
    """Push what is tagged here and missing there, of some prompts or all: what was made now, and
    what an earlier run has left. With it goes the branch; a detached HEAD, as in CI, has none."""
    try:
        missing = _missing(repository, remote, names)
    except Conflict:
        refwrites.take_back(repository, made)
        raise
    if not missing:
        return []
    branch = repository.line("symbolic-ref", "--quiet", "HEAD")
    refs = (f"HEAD:{branch}",) if branch else ()
    if not branch:
        say("warning: HEAD is on no branch; only the tags are pushed", err=True)
    steps.append(f"whether {remote} has it is not known")
    remotes.push(repository, remote, missing, *refs, undo=made)
    steps[-1] = f"pushed to {remote}"
    return missing


def _missing(repository: Repository, remote: str, names: tuple[str, ...]) -> list[RefUpdate]:
    """The tags of prompts that the remote does not have. Raises Conflict if it has another tag for
    one of the versions. A remote that does not tell, as one that the first push makes, is taken to
    have what it had when this clone last asked."""
    unanswered: GitError | None = None
    try:
        there = remotes.tags_there(repository, remote, names)
    except GitError as error:
        there, unanswered = remotes.known_tags(repository, remote), error
    here = {
        tag_ref(name, version): oid
        for name, versions in Clone(repository).tags.items()
        if not names or name in names
        for version, oid in versions.items()
    }
    for ref in sorted(here.keys() & there.keys()):
        if here[ref] != there[ref]:
            name, version = split_tag_ref(ref)
            raise Conflict(
                f"{remote} has another {name} {version} than this clone",
                hint=f"A version never changes. If it is theirs that counts: git tag -d"
                f" {ref.removeprefix('refs/tags/')} && git fetch {remote}",
            )
    missing = [RefUpdate(ref, ZERO, here[ref]) for ref in sorted(here.keys() - there.keys())]
    if unanswered is not None and not missing:
        raise unanswered
    return missing
