# SPDX-License-Identifier: Apache-2.0
"""A repository on disk: opened once, with the environment that git needs to work on it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property

from gitprompt.errors import GitError, SetupError
from gitprompt.git import peek
from gitprompt.git.objects import ObjectReader
from gitprompt.git.process import LOCATION, environment, git, git_fields
from gitprompt.git.refs import Refs, list_refs

_PATIENCE = 120.0


class NoRepository(SetupError):
    """There is none where one was looked for."""


def cure_of(git_dir: str) -> str:
    """What to do where objects are damaged or gone."""
    return (
        "Restore a backup (gitprompt restore), or get the objects from a clone:"
        f" git -C {git_dir} fetch --refetch CLONE"
    )


class Repository:
    """`git_dir` has HEAD, `common_dir` the refs and objects (the same but in linked work trees).
    `work_tree` is None for a bare repository. `root` is the folder that has the prompts where the
    settings of a commit name none."""

    def __init__(
        self, git_dir: str, common_dir: str, work_tree: str | None, env: Mapping[str, str]
    ) -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.work_tree = work_tree
        self.root = ""
        self.patience: float | None = None  # seconds for one git command; None: a person waits
        self.labels_of: str | None = None  # the remote whose labels stand in for absent ones
        self._env = dict(env)

    @classmethod
    def discover(cls, start: str = ".") -> Repository:
        """The repository that contains `start`, or the one a hook's environment names."""
        return cls._opened(start, environment(inherit=True))

    @classmethod
    def open(cls, path: str) -> Repository:
        """The repository at `path`, whatever the environment says; raises SetupError."""
        repository = cls._opened(path, environment(inherit=False))
        repository.patience = _PATIENCE
        return repository

    @classmethod
    def _opened(cls, path: str, env: Mapping[str, str]) -> Repository:
        if not os.path.isdir(path):
            raise SetupError(f"{path} is not a directory")
        if not any(name in env for name in LOCATION) and peek.is_plain_bare(path):
            folder = os.path.realpath(path)
            return cls(folder, folder, None, env)
        facts = ("--absolute-git-dir", "--git-common-dir", "--is-bare-repository")
        try:
            answer = git(["rev-parse", *facts, "--show-object-format"], cwd=path, env=env)
        except GitError as error:
            raise _not_usable(path, error) from error
        git_dir, common, bare, object_format = os.fsdecode(answer).splitlines()
        if object_format != "sha1":
            raise SetupError(
                f"{path} uses the {object_format} object format; gitprompt reads sha1 repositories",
                hint="Make a new repository: git init --object-format=sha1",
            )
        common = os.path.realpath(os.path.join(path, common))
        work_tree = None
        if bare != "true" and os.path.basename(path) != ".git":
            top = git(["rev-parse", "--show-toplevel"], cwd=path, env=env, accept=(0, 128))
            work_tree = os.fsdecode(top).strip() or None
        if os.path.isdir(os.path.join(common, "reftable")):
            raise _reftable(path)
        return cls(git_dir, common, work_tree, env)

    def quarantined(self, extra: Mapping[str, str]) -> Repository:
        """The same repository, seeing also the objects of a push that is not accepted yet."""
        there = Repository(self.git_dir, self.common_dir, self.work_tree, {**self._env, **extra})
        there.labels_of = self.labels_of
        there.root, there.patience = self.root, self.patience
        return there

    @property
    def environment(self) -> dict[str, str]:
        return dict(self._env)

    def git(
        self,
        *args: str,
        stdin: bytes = b"",
        accept: Sequence[int] = (0,),
        seconds: float | None = None,
    ) -> bytes:
        """Run git here, for so long or as long as its user waits; see `process.git`."""
        cwd = self.work_tree or self.git_dir
        patience = None if self.patience is None else seconds or self.patience
        return git(args, cwd=cwd, env=self._env, stdin=stdin, accept=accept, seconds=patience)

    def texts(self, oids: Sequence[str]) -> dict[str, bytes]:
        """The objects that are there of some, whole, by their names: blobs, commits or tags."""
        answer = self.git("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in oids).encode())
        found: dict[str, bytes] = {}
        at = 0
        for oid in oids:
            end = answer.index(b"\n", at)
            header = answer[at:end].split(b" ")
            at = end + 1
            if len(header) == 3:
                size = int(header[2])
                found[oid] = answer[at : at + size]
                at += size + 1
        return found

    def fields(self, *args: str, most: int, what: str) -> list[bytes]:
        """What git answers, ended by NULs. Raises PayloadTooLarge once there are more than `most`."""
        cwd = self.work_tree or self.git_dir
        return git_fields(args, cwd=cwd, env=self._env, most=most, what=what)

    def line(self, *args: str) -> str:
        """The first line of git's answer; empty if it fails with 1 (as `git config` does)."""
        return os.fsdecode(self.git(*args, accept=(0, 1))).partition("\n")[0].strip()

    def descends(self, new: str, old: str) -> bool:
        """Whether a commit has another one in its history, or is it."""
        return self.line("merge-base", old, new) == old

    @property
    def is_shallow(self) -> bool:
        """Whether the history ends somewhere because nobody has fetched the rest."""
        return os.path.exists(os.path.join(self.common_dir, "shallow"))

    def reader(self) -> ObjectReader:
        return ObjectReader(self.git_dir, self._env, root=self.root, patience=self.patience)

    def refs(self, before: Refs | None = None) -> Refs:
        return list_refs(self.git_dir, self.common_dir, before=before, remote=self.labels_of)

    def is_unchanged(self, since: Refs) -> bool:
        return since.is_current(self.git_dir, self.common_dir)

    def hooks_dir(self) -> str:
        """Where git looks for hooks, `core.hooksPath` respected."""
        path = os.fsdecode(self.git("rev-parse", "--git-path", "hooks")).strip()
        return os.path.join(self.work_tree or self.git_dir, path)

    def shown(self, path: str) -> str:
        """A path below the top of the work tree, as seen from where the person stands."""
        return os.path.relpath(os.path.join(self._seen_from, path)) if self._seen_from else path

    @cached_property
    def _seen_from(self) -> str:
        """The top of the work tree; nothing for who stands outside of it."""
        here = os.path.realpath(".") + os.sep
        is_inside = self.work_tree and here.startswith(os.path.realpath(self.work_tree) + os.sep)
        return self.work_tree if self.work_tree is not None and is_inside else ""

    def remotes(self) -> list[str]:
        return os.fsdecode(self.git("remote")).split()


def _not_usable(path: str, error: GitError) -> SetupError:
    if "refstorage" in error.stderr.lower() or "reftable" in error.stderr.lower():
        return _reftable(path)
    if "objectformat" in error.stderr.lower():
        return SetupError(f"{path} uses an object format that this git does not know")
    if "not a git repository" in error.stderr:
        return NoRepository(
            f"{os.path.abspath(path)} is not inside a Git repository",
            hint="Make one: gitprompt init.",
        )
    return error


def _reftable(path: str) -> SetupError:
    return SetupError(
        f"{path} stores its refs as reftable; gitprompt reads the files format",
        hint="Convert a copy: git clone --ref-format=files",
    )
