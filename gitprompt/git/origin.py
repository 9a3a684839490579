# SPDX-License-Identifier: Apache-2.0
"""Git talks to where a repository comes from, with nobody there to be asked."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from gitprompt.errors import GitError, OriginUnreachable, SetupError
from gitprompt.git.process import git
from gitprompt.git.refs import ZERO, RefUpdate, packed_refs
from gitprompt.git.repository import Repository

MARK = "gitprompt.origin"  # in the configuration of a mirror: the URL of what it follows
TAGS = "refs/tags/prompts/"
_ANY_TAG = "refs/tags/"
_FEW = 50  # new tags that a push names one by one
EVERY_SECONDS = 60.0  # between two looks at an origin of which nobody says that it has news
# Nobody wants a repository to be packed behind their back, nor waits for ever.
_OPTIONS = (
    "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=30",
)  # fmt: skip
_SILENT = {
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",  # never ext::, which runs a command
}


class Origin(NamedTuple):
    """`url` has no password: that is in `secret`, settings of git which no process list shows."""

    url: str
    secret: Mapping[str, str] = {}


def parse_origin(text: str) -> Origin:
    """An origin as an operator writes it: the URL or path of a repository. Raises SetupError."""
    if text.startswith("-") or _HELPER.match(text) or not text.isprintable():
        raise _no_origin("is no URL or path of a repository")
    if "://" not in text:
        is_ssh = re.match(r"[^/]+:", text) is not None and not os.path.exists(text)
        return Origin(text if is_ssh else os.path.abspath(text))
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError as error:
        raise _no_origin(f"is no URL: {error}") from None
    if parts.scheme != "file" and not host:
        raise _no_origin("names no host")
    if not parts.path.strip("/"):
        raise _no_origin("names no repository, only where one would be")
    if parts.scheme not in ("http", "https") and parts.password is not None:
        raise _no_origin(
            f"has a password, which {parts.scheme}: does not take: use a key, or https"
        )
    if parts.scheme not in ("http", "https") or parts.username is None:
        return Origin(text)
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return with_password(url, unquote(parts.username), unquote(parts.password or ""))


def http_parts(url: str) -> SplitResult | None:
    """The parts of a URL of HTTP, in which no person is named; None for any other text."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
    except ValueError:
        return None
    return parts if is_one else None


def with_password(url: str, user: str, password: str) -> Origin:
    """The origin at a URL of HTTP that asks who comes."""
    person = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Origin(
        url,
        {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {person}",
        },
    )


_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")  # as ext::, which would run a command


def _no_origin(why: str) -> SetupError:
    """The origin is not shown: there may be a password in it."""
    return SetupError(
        f"the origin {why}", hint="For example: --origin https://github.com/acme/prompts.git"
    )


def ask(repository: Repository, *args: str, secret: Mapping[str, str] | None = None) -> bytes:
    """What `git <args>` answers that talks to an origin. Raises OriginUnreachable, with its reason."""
    try:
        return git(
            [*_OPTIONS, *args],
            cwd=repository.work_tree or repository.git_dir,
            env={**repository.environment, **_SILENT, **(secret or {})},
        )
    except GitError as error:
        raise OriginUnreachable(error.message, stderr=error.stderr, hint=error.hint) from error


def fetch(
    repository: Repository, remote: str, *specs: str, secret: Mapping[str, str] | None = None
) -> None:
    """Bring refs from a remote, by its name or URL. Raises OriginUnreachable."""
    ask(
        repository, "fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
        remote, *specs, secret=secret,
    )  # fmt: skip


def begin(
    repository: Repository,
    url: str,
    folders: Sequence[str],
    *,
    secret: Mapping[str, str] | None = None,
) -> str | None:
    """Bring all branches, and all refs of the folders, into a repository that has none; returns the branch that the remote's HEAD names.
    A fetch would make a file of each ref, one after the other, which for thousands takes longer than all else. Raises
    OriginUnreachable."""
    objects = os.path.join(repository.common_dir, "objects")
    # A folder of such a name is what a killed push leaves, and is removed as that.
    with tempfile.TemporaryDirectory(prefix="incoming-", dir=objects) as folder:
        clone = os.path.join(folder, "c")
        beside = [one for one in folders if one != "refs/heads/"]  # which any bare clone has
        specs = [f"remote.origin.fetch=+{one}*:{one}*" for one in beside]
        settings = [f"include.path={repository.common_dir}/config", *specs]
        options = [part for setting in settings for part in ("-c", setting)]
        ask(
            repository, "clone", "--quiet", "--bare", "--no-tags", "--no-local", *options, url, clone,
            secret=secret,
        )  # fmt: skip
        if os.path.exists(os.path.join(clone, "shallow")):
            raise OriginUnreachable(
                "it is a shallow clone: it has not its whole history",
                hint=f"git -C {url} fetch --unshallow",
            )
        packs = os.path.join(clone, "objects", "pack")
        for name in sorted(os.listdir(packs), key=lambda name: name.endswith(".idx")):
            os.rename(os.path.join(packs, name), os.path.join(objects, "pack", name))
        refs = os.path.join(clone, "packed-refs")
        if os.path.exists(refs):
            os.rename(refs, os.path.join(repository.common_dir, "packed-refs"))
        with open(os.path.join(clone, "HEAD"), encoding="utf-8", errors="surrogateescape") as file:
            head = file.read().strip()
    return head.removeprefix("ref: ") if head.startswith("ref: refs/heads/") else None


def listed(
    repository: Repository,
    remote: str,
    folders: Sequence[str],
    *,
    secret: Mapping[str, str] | None = None,
) -> tuple[str | None, dict[str, str]]:
    """The branch that a remote's HEAD names, and the object of each of its refs in the folders. Raises
    OriginUnreachable."""
    patterns = ["HEAD", *(f"{folder}*" for folder in folders)]
    answer = ask(repository, "ls-remote", "--symref", remote, *patterns, secret=secret)
    head: str | None = None
    refs: dict[str, str] = {}
    for line in answer.decode("utf-8", "surrogateescape").splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/heads/"):
            head = value.removeprefix("ref: ")
        elif name.startswith(tuple(folders)) and not name.endswith("^{}"):
            refs[name] = value
    return head, refs


def has_moved_tags(error: OriginUnreachable) -> bool:
    """Whether a fetch has left out tags that are here already, with other objects."""
    return "would clobber existing tag" in error.stderr


def push(
    repository: Repository,
    url: str,
    updates: Sequence[RefUpdate],
    *,
    secret: Mapping[str, str] | None = None,
) -> None:
    """Make updates at an origin, by compare-and-swap, all of them or none. Raises OriginUnreachable."""
    new = {one.ref: one.new for one in updates if one.ref.startswith(_ANY_TAG) and one.old == ZERO}
    if len(new) <= _FEW:
        leases, specs = push_arguments(updates)
        ask(repository, "push", "--atomic", *leases, url, *specs, secret=secret)
        return
    # Git compares each name that it is given with each ref there: the square of thousands. What a pattern matches
    # it looks up, and a tag that is there already it refuses without a lease.
    leases, specs = push_arguments([update for update in updates if update.ref not in new])
    specs.append(f"{_ANY_TAG}*:{_ANY_TAG}*")
    objects = repository.environment.get("GIT_OBJECT_DIRECTORY", f"{repository.common_dir}/objects")
    with _apart(repository, new) as folder:
        env = {"GIT_DIR": folder, "GIT_OBJECT_DIRECTORY": objects, **(secret or {})}
        ask(repository, "push", "--atomic", *leases, url, *specs, secret=env)


@contextmanager
def _apart(repository: Repository, refs: Mapping[str, str]) -> Iterator[str]:
    """The folder of a repository that has these refs alone, and no objects of its own."""
    with tempfile.TemporaryDirectory(prefix="gitprompt-push-") as folder:
        for part in ("refs", "objects"):
            os.mkdir(os.path.join(folder, part))
        for name, text in (
            ("HEAD", b"ref: refs/heads/none\n"),
            ("config", b"[include]\n\tpath = %b/config\n" % os.fsencode(repository.common_dir)),
            ("packed-refs", packed_refs(refs)),
        ):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(text)
        yield folder


def push_arguments(updates: Sequence[RefUpdate]) -> tuple[list[str], list[str]]:
    """What `git push` is given for updates: a lease for each old value, and the refspecs."""
    leases = [
        f"--force-with-lease={update.ref}:{'' if update.old == ZERO else update.old}"
        for update in updates
    ]
    specs = [f"{'' if update.new == ZERO else update.new}:{update.ref}" for update in updates]
    return leases, specs


def words(error: GitError) -> list[str]:
    """The lines that a remote has said to a push."""
    said = (line for line in error.stderr.splitlines() if line.startswith("remote: "))
    return [line.removeprefix("remote: ").rstrip() for line in said]
