# SPDX-License-Identifier: Apache-2.0
"""Copies the repository of a workspace from one place to another: history, version tags, labels. Cut short, it goes
on where it was. A version tag that is another one there is never moved.

A place is what a driver follows: a path or URL of git, the data folder of a server, a bucket, a database. What a
server has pinned is what is copied of its data folder, also where somebody has moved the tag.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import NamedTuple

from gitprompt import config, drivers, hosting
from gitprompt.config import ServerSettings
from gitprompt.drivers import Driver
from gitprompt.drivers.claims import Stale
from gitprompt.drivers.mirror import Mirror
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import Conflict, GitError, OriginUnreachable, SetupError, UsageError
from gitprompt.git.origin import MARK, TAGS, parse_origin
from gitprompt.git.process import environment, git
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.hosting import Hosting
from gitprompt.store.database import Database
from gitprompt.store.git_store import GitObjects
from gitprompt.transfer import takeover
from gitprompt.transfer.takeover import Progress

_CHUNK, _ENTRY = 500, 5_000  # refs to one push of git, and to one entry of a log
_TRIES = 10  # when others publish there meanwhile
_COPIED = ("refs/heads/", "refs/labels/", TAGS)


class Location(NamedTuple):
    """`path` is a repository of this machine, if it is one; `pins` what its server has pinned, by ref."""

    name: str
    driver: Driver
    path: str = ""
    pins: Mapping[str, str] = {}


class Copied(NamedTuple):
    """How many refs are there, were written now, and are only there; how many tags were taken from pins, and files
    without Git were taken over; and the digest of what both places have."""

    refs: int
    written: int
    others: int
    pinned: int
    taken_over: int
    digest: str


@contextmanager
def opened(text: str, workspace: str, settings: ServerSettings, *, new: bool) -> Iterator[Location]:
    """A place as a person writes it; a path is made if it is `new`. Raises SetupError or UsageError."""
    if not text:
        raise UsageError("a place is empty", hint="Is a variable of the shell not set?")
    with ExitStack() as stack:
        kind, _, rest = text.partition(":")
        kind = kind.lower()
        if kind == "s3":
            bucket, _, prefix = rest.removeprefix("//").partition("/")
            chosen = replace(settings, driver="s3", s3_bucket=bucket, s3_prefix=prefix)
            place = Location(text, drivers.make(chosen))
        elif kind in ("postgres", "postgresql"):
            place = _database(stack, text, settings)
        elif kind == "github":
            named = f"{workspace}={rest}"
            chosen = replace(settings, driver="github", github_repo=named)
            place = Location(text, drivers.make(chosen))
        else:
            place = _git(stack, text, workspace, new=new)
        stack.callback(place.driver.close)
        if isinstance(place.driver, RefLog) and not new:
            place.driver.only_read()
        yield place


def _database(stack: ExitStack, text: str, settings: ServerSettings) -> Location:
    """`postgres:` alone is that of DATABASE_URL."""
    url = settings.database_url if text.strip(":/") in ("postgres", "postgresql") else text
    tables = GitObjects()
    driver = drivers.make(replace(settings, driver="postgres", database_url=url), tables)
    database = stack.enter_context(closing(Database(config.database_location("", url))))
    tables.open(database)
    return Location(str(database), driver)


def _git(stack: ExitStack, text: str, workspace: str, *, new: bool) -> Location:
    there = parse_origin(text)
    path = there.url if os.path.isabs(there.url) else ""
    driver = Mirror({workspace: there})
    if path and _is_data_folder(path):
        return _hosted(stack, path, workspace, new=new)
    if path and not os.path.exists(path):
        if not new:
            raise UsageError(f"there is no {text}", hint="FROM is a repository, or a data folder.")
        _init(path)
        stack.push(lambda kind, *_: _remove_unused(path) if kind else None)
    elif path:
        try:
            found = Repository.open(path)
        except SetupError:
            raise UsageError(
                f"{text} is no Git repository, nor the data folder of a server",
                hint="Name a path that is not there yet." if new else "",
            ) from None
        if new and found.work_tree is not None:
            raise UsageError(
                f"{text} is a clone with a work tree, which nobody may write under the hands of its owner",
                hint="Name a bare repository, or a path that is not there yet.",
            )
    return Location(there.url, driver, path)


def _is_data_folder(path: str) -> bool:
    has = {name: os.path.exists(os.path.join(path, name)) for name in ("repos", ".git", "HEAD")}
    return has["repos"] and not has[".git"] and not has["HEAD"]


def _hosted(stack: ExitStack, data: str, workspace: str, *, new: bool) -> Location:
    hosted = Hosting(data)
    path = hosted.path(workspace)
    if new:
        stack.enter_context(hosting.hold(data, "gitprompt mirror"))
        origin = hosted.create(workspace).line("config", "--get", MARK)
        if origin:
            raise UsageError(
                f"{data} is a mirror of {origin}, which would undo what is written to it",
                hint="Copy to that place, or to another data folder.",
            )
    elif not os.path.isdir(path):
        raise UsageError(f"{data} has no workspace '{workspace}'")
    return Location(data, Mirror({workspace: parse_origin(path)}), path, _pins(data, workspace))


def _remove_unused(path: str) -> None:
    """A repository that was made for what then came to nothing."""
    if not any(Repository.open(path).refs().items()):
        shutil.rmtree(path, ignore_errors=True)


def _pins(data: str, workspace: str) -> dict[str, str]:
    """Of its own database, or else of the one that DATABASE_URL names, which nodes share."""
    location = config.database_location(data, "")
    if not os.path.exists(os.path.join(data, "telemetry.db")):
        shared = config.database_location(data)
        if shared == location:
            return {}
        location = shared
    with closing(Database(location)) as database:
        return {
            f"{TAGS}{pin.version.name}/{pin.version.version}": pin.version.tag
            for pins in database.pins(workspace)
            for pin in pins
        }


def mirror(source: Location, target: Location, workspace: str, show: Progress) -> Copied:
    """Raises Conflict for version tags that are other ones there, and OriginUnreachable."""
    with tempfile.TemporaryDirectory(prefix="gitprompt-mirror-") as folder:
        here = _bare(folder, "from")
        show(f"reading {source.name}", 0, 1)
        _fetch(source, workspace, here)
        taken = 0
        if isinstance(source.driver, RefLog) and not any(here.refs().items()):
            taken = takeover.take_over(source.driver, workspace, here, show)
        wanted, pinned = _wanted(here, source)
        show(f"reading {source.name}", 1, 1)
        if not wanted:
            raise UsageError(f"{source.name} has nothing of the workspace '{workspace}'")
        there = _bare(folder, "to", objects_of=here)
        written = _brought(target, workspace, there, wanted, here.refs().head[0], show)
        digest = _verified(target, workspace, _bare(folder, "check"), wanted, show)
        others = sum(1 for ref in _copied(there) if ref not in wanted)
    return Copied(len(wanted), written, others, pinned, taken, digest)


def _wanted(here: Repository, source: Location) -> tuple[dict[str, str], int]:
    """The refs to copy, and how many of them are what the server has pinned, and the tag is not."""
    wanted = _copied(here)
    moved = {ref: tag for ref, tag in source.pins.items() if wanted.get(ref) != tag}
    if not moved:
        return wanted, 0
    asked = "".join(f"{tag}\n" for tag in moved.values()).encode()
    has = {"GIT_OBJECT_DIRECTORY": os.path.join(source.path, "objects")}
    said = here.quarantined(has).git("cat-file", "--batch-check=%(objectname)", stdin=asked)
    lost = {line.split()[0].decode() for line in said.splitlines() if line.endswith(b" missing")}
    if lost:
        names = ", ".join(sorted(ref for ref, tag in moved.items() if tag in lost)[:5])
        raise SetupError(
            f"what the server has pinned is not in its repository any more: {names}",
            hint="Fetch the tags into it again from a clone that has them, then mirror.",
        )
    _lend(source.path, here)
    return {**wanted, **moved}, len(moved)


def _brought(
    target: Location,
    workspace: str,
    there: Repository,
    wanted: Mapping[str, str],
    head: str | None,
    show: Progress,
) -> int:
    """Make what the target lacks; returns how many refs that were."""
    written, was_empty = 0, False
    for attempt in range(_TRIES):
        _fetch(target, workspace, there)
        before = _copied(there)
        was_empty = was_empty if attempt else not before
        served = {**before, **target.pins}
        moved = [
            ref
            for ref in wanted
            if ref.startswith(TAGS) and served.get(ref, wanted[ref]) != wanted[ref]
        ]
        if moved:
            raise Conflict(
                f"{len(moved)} version tags are other ones at {target.name}: {', '.join(sorted(moved)[:5])}",
                hint="A published version never moves: look which of the two is right.",
            )
        updates = [
            RefUpdate(ref, before.get(ref, ZERO), oid)
            for ref, oid in sorted(wanted.items(), key=_branches_first)
            if before.get(ref) != oid
        ]
        _refuse_lost(target, there, updates)
        if head is not None:
            there.git("symbolic-ref", "HEAD", head)
        size = _ENTRY if isinstance(target.driver, RefLog) else _CHUNK
        try:
            for start in range(0, len(updates), size):
                show(f"writing {target.name}", start, len(updates))
                chunk = updates[start : start + size]
                target.driver.push(workspace, there, chunk)
                written += len(chunk)
                if isinstance(target.driver, RefLog):
                    _fetch(target, workspace, there)  # the next entry follows from this one
                else:
                    update_refs(there, chunk, message="gitprompt mirror")
                there.git("pack-refs", "--all")
            show(f"writing {target.name}", len(updates), max(len(updates), 1))
            if target.path and was_empty and head is not None and head in wanted:
                Repository.open(target.path).git("symbolic-ref", "HEAD", head)
            return written
        except Stale:
            if attempt + 1 == _TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _refuse_lost(target: Location, there: Repository, updates: Sequence[RefUpdate]) -> None:
    """A branch or a label that went on there must not be put back."""
    lost = []
    for ref, old, new in updates:
        try:
            if old != ZERO and not there.descends(new, old):
                lost.append(ref)
        except GitError:
            lost.append(ref)
    if lost:
        raise Conflict(
            f"{len(lost)} branches or labels went on at {target.name}, and would be put back: {', '.join(lost[:5])}",
            hint="Copy the other way, or delete there what is not wanted.",
        )


def _branches_first(item: tuple[str, str]) -> tuple[bool, str]:
    return not item[0].startswith("refs/heads/"), item[0]


def _verified(
    target: Location, workspace: str, check: Repository, wanted: Mapping[str, str], show: Progress
) -> str:
    """Read the target anew, and hold it against what was wanted: refs, and that all objects are there."""
    show(f"verifying {target.name}", 0, 1)
    _fetch(target, workspace, check)
    found = {ref: oid for ref, oid in _copied(check).items() if ref in wanted}
    digest = _digest(wanted)
    if _digest(found) != digest:
        raise OriginUnreachable(
            f"{target.name} has not what was written to it: somebody else writes there",
            hint="Run it once more.",
        )
    try:
        check.git("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    except GitError as error:
        raise OriginUnreachable(
            f"{target.name} lacks objects: {error.message}", stderr=error.stderr
        ) from error
    show(f"verifying {target.name}", 1, 1)
    return digest


def _digest(refs: Mapping[str, str]) -> str:
    """As `git show-ref | sha256sum` has it. A ref names all that it leads to by its content."""
    lines = "".join(f"{oid} {ref}\n" for ref, oid in sorted(refs.items()))
    return hashlib.sha256(os.fsencode(lines)).hexdigest()


def _copied(repository: Repository) -> dict[str, str]:
    return {ref: oid for ref, oid in repository.refs().items() if ref.startswith(_COPIED)}


def _fetch(place: Location, workspace: str, repository: Repository) -> None:
    place.driver.claim(workspace, repository)
    place.driver.expect(workspace)
    place.driver.fetch(workspace, repository)


def _bare(folder: str, name: str, *, objects_of: Repository | None = None) -> Repository:
    path = os.path.join(folder, f"{name}.git")
    _init(path)
    made = Repository.open(path)
    if objects_of is not None:
        _lend(objects_of.git_dir, made)
    return made


def _init(path: str) -> None:
    git(["init", "-q", "--bare", "-b", "main", path], env=environment(inherit=False))


def _lend(git_dir: str, borrower: Repository) -> None:
    """Let a repository see the objects of another one, too."""
    with open(os.path.join(borrower.git_dir, "objects", "info", "alternates"), "a") as file:
        file.write(os.path.join(git_dir, "objects") + "\n")
