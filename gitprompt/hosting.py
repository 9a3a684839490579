# SPDX-License-Identifier: Apache-2.0
"""The repositories that the sidecar hosts: `repos/<workspace>.git` in the data directory.

They are bare, fsync everything, check every object, and refuse what would rewrite history. Their
hooks are the shims in `hooks/`.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import IO

from gitprompt import resources
from gitprompt.core.names import WORKSPACE
from gitprompt.errors import BadRequest, NotFound, SetupError
from gitprompt.git.process import environment, git
from gitprompt.git.refs import ref_of_text
from gitprompt.git.repository import Repository

LOOSE_REFS_BEFORE_PACKING = 1_000
_GLANCES = (0.02, 0.05, 0.1)  # seconds to wait for somebody who only looks whether it is held

_SETTINGS = {
    "core.filesRefLockTimeout": "5000",  # milliseconds; pack-refs holds the lock of each ref for a moment
    "core.fsync": "all",
    "core.packedRefsTimeout": "10000",
    "core.useReplaceRefs": "false",
    "http.receivepack": "true",
    "receive.advertisePushOptions": "true",
    "receive.autogc": "false",
    "receive.denyDeleteCurrent": "ignore",  # our rules say when
    # Old histories have these, and git reads them all the same (docs/origins.md).
    "receive.fsck.badTimezone": "ignore",
    "receive.fsck.missingSpaceBeforeDate": "ignore",
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "transfer.fsckObjects": "true",
    "transfer.hideRefs": "refs/gitprompt",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
}
CLIENT_HOOKS = ("pre-commit", "pre-push")
_SERVER_HOOKS = ("pre-receive", "post-receive")
_JUDGE_HOOKS = ("pre-receive", "proc-receive")  # of what comes through the server
_MARK = "gitprompt hook"
_OF_A_HOOK = 0o755  # it is run by whoever pushes


def check_workspace(name: str) -> str:
    if not WORKSPACE.match(name):
        raise BadRequest(
            "Invalid workspace", hint="X-Workspace-Id is 1 to 128 of A-Z a-z 0-9 _ and -."
        )
    return name


class Hosting:
    """The folders `repos/` and `hooks/` of a data directory. Whoever holds the directory's lock may
    write."""

    def __init__(self, data: str) -> None:
        self.root = os.path.join(data, "repos")
        self.hooks = os.path.join(data, "hooks")
        self._nothing: Repository | None = None

    def path(self, workspace: str) -> str:
        return os.path.join(self.root, f"{check_workspace(workspace)}.git")

    def workspaces(self) -> list[str]:
        try:
            names = os.listdir(self.root)
        except FileNotFoundError:
            return []
        return sorted(
            name[:-4] for name in names if name.endswith(".git") and WORKSPACE.match(name[:-4])
        )

    def open(self, workspace: str) -> Repository:
        path = self.path(workspace)
        if not os.path.isdir(path):
            raise NotFound(f"Workspace {workspace} not found")
        _check_owner(path)
        return Repository.open(path)

    def create(self, workspace: str) -> Repository:
        """The repository of a workspace, made if absent. Idempotent; half-made ones are finished."""
        return self._create(self.path(workspace))

    def nothing(self) -> Repository:
        """A repository that stays empty: what is told of a workspace that nobody has written to."""
        if self._nothing is None:
            self._nothing = self._create(os.path.join(os.path.dirname(self.root), "nothing.git"))
        return self._nothing

    def _create(self, path: str) -> Repository:
        try:
            os.makedirs(self.root, exist_ok=True)
            _check_owner(path)
            git(
                ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", path],
                env=environment(inherit=False),
            )
        except OSError as error:
            raise SetupError(
                f"{self.root} cannot be written: {error.strerror}",
                hint="Choose another folder with --data, or repair its permissions.",
            ) from error
        self._configure(path)
        install_server_hooks(path)
        return Repository.open(path)

    def _configure(self, path: str) -> None:
        """Write our settings in one go; `git config` would start a process for each."""
        lines: dict[str, list[str]] = {}
        for key, value in _SETTINGS.items():
            section, _, name = key.rpartition(".")
            section, dot, subsection = section.partition(".")
            section = f'{section} "{subsection}"' if dot else section
            lines.setdefault(section, []).append(f"\t{name} = {value}\n")
        text = "".join(f"[{section}]\n{''.join(body)}" for section, body in lines.items())
        replace(os.path.join(path, "gitprompt.config"), text)
        env = environment(inherit=False)
        git(["config", "--local", "include.path", "gitprompt.config"], cwd=path, env=env)

    def repair(self) -> list[str]:
        """Clear what a killed process left behind: locks, quarantined pushes, hooks that are made
        again. Only for the holder of the data directory's lock, before it serves. Returns what was
        removed of repositories."""
        shutil.rmtree(self.hooks, ignore_errors=True)
        removed = []
        for workspace in self.workspaces():
            path = self.path(workspace)
            for leftover in _leftovers(path):
                if os.path.isdir(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    os.unlink(leftover)
                removed.append(leftover)
        return removed


def _check_owner(path: str) -> None:
    """Git refuses a repository of another user, whose hooks and settings it would run as ours."""
    if not os.path.isdir(path):
        return
    owner, user = os.stat(path).st_uid, os.geteuid()
    if owner != user:
        raise SetupError(
            f"{path} belongs to {_user(owner)}, and this server runs as {_user(user)}: git refuses"
            " the repositories of another owner",
            hint=f"Run it as that user, or: chown -R {user} {os.path.dirname(os.path.dirname(path))}",
        )


def _user(uid: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user {uid}"


def _leftovers(path: str) -> Iterator[str]:
    objects = os.path.join(path, "objects")
    for folder, folders, files in os.walk(path):
        if folder == objects:
            for name in folders:
                if name.startswith(("tmp_objdir-", "incoming-")):
                    yield os.path.join(folder, name)
            folders[:] = [name for name in folders if name == "pack"]
        for name in files:
            temporary = folder.startswith(objects) and name.startswith("tmp_")
            if name.endswith(".lock") or temporary:
                yield os.path.join(folder, name)


def pack_refs(repository: Repository) -> None:
    """Pack the refs of a repository that we own: many loose ones make every look at them slow."""
    repository.git("pack-refs", "--all")


_PACKING = 3_600.0  # seconds


def pack_objects(repository: Repository) -> None:
    """Pack the objects of a repository that we own, if git finds that there are many."""
    repository.git("gc", "--auto", "--quiet", seconds=_PACKING)


def follow_first_branch(repository: Repository) -> None:
    """Let HEAD name the only branch if it names an unborn one.

    Otherwise a second branch would leave the repository without a default branch, and so without
    the policy that its settings make.
    """
    refs = repository.refs()
    branch, tip = refs.head
    if branch and tip and refs.get(branch) == tip:
        current = repository.line("symbolic-ref", "HEAD")
        if current != ref_of_text(branch):
            repository.git("symbolic-ref", "HEAD", ref_of_text(branch))


# Hooks


def install_server_hooks(git_dir: str) -> list[str]:
    return install_hooks(os.path.join(git_dir, "hooks"), _SERVER_HOOKS)


def install_client_hooks(repository: Repository) -> list[str]:
    """Raises SetupError if git looks for hooks outside of the clone: they would run everywhere."""
    folder = os.path.realpath(repository.hooks_dir())
    if _is_below(folder, repository.common_dir):
        return install_hooks(folder, CLIENT_HOOKS)
    if repository.work_tree is not None and _is_below(folder, repository.work_tree):
        # Somebody commits these files, for people with other interpreters.
        return install_hooks(folder, CLIENT_HOOKS, program="gitprompt")
    raise SetupError(
        f"core.hooksPath is {folder}, outside of this repository: hooks there would run in others too",
        hint="To have hooks of its own here: git config --local core.hooksPath"
        f" {os.path.join(repository.common_dir, 'hooks')} && gitprompt hooks install",
    )


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath((path, os.path.realpath(folder))) == os.path.realpath(folder)


def install_hooks(folder: str, names: tuple[str, ...], *, program: str = "") -> list[str]:
    """Install our shims; a hook that is there already runs first, as `<name>.local`. They run
    `program`, or this interpreter, which needs no PATH.

    Idempotent.
    """
    os.makedirs(folder, exist_ok=True)
    installed = []
    for name in names:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and not _is_ours(path):
            if os.path.lexists(path + ".local"):
                raise SetupError(
                    f"{path} is not ours, and {name}.local exists already",
                    hint="Merge the two by hand, then install again.",
                )
            os.rename(path, path + ".local")
        replace(path, _shim(name, program), mode=_OF_A_HOOK)
        installed.append(path)
    return installed


def composed_hooks(root: str, own: str) -> str:
    """A hooks folder for pushes that come through the server: the hooks of `own`, which go on
    running, and ours after them. It is made whole or not at all, is never changed, and is used again
    for as long as `own` has the same hooks: git takes a hook that is missing for consent."""
    links = _links(own)
    shims = {name: _shim(name, "") for name in _JUDGE_HOOKS}
    key = hashlib.sha256(repr((sorted(links.items()), shims)).encode()).hexdigest()[:16]
    folder = os.path.join(os.path.abspath(root), key)
    if os.path.isdir(folder):
        return folder
    os.makedirs(root, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix="new-", dir=root)
    for name, target in links.items():
        os.symlink(target, os.path.join(temporary, name))
    for name, text in shims.items():
        replace(os.path.join(temporary, name), text, mode=_OF_A_HOOK)
    try:
        os.rename(temporary, folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not os.path.isdir(folder):
            raise
    return folder


def _links(own: str) -> dict[str, str]:
    """What a composed folder has of `own`: name there → file. Hooks of ours give way to what they
    would run first, `<name>.local`; a pre-receive comes before ours under that name; what git would
    ask in place of our proc-receive is left out."""
    links: dict[str, str] = {}
    for name in os.listdir(own) if os.path.isdir(own) else ():
        path = os.path.abspath(os.path.join(own, name))
        stem = name.removesuffix(".local")
        is_shadowed = stem != name and not _is_ours(os.path.join(own, stem))
        if name.endswith(".sample") or stem == "proc-receive" or is_shadowed or _is_ours(path):
            continue
        links["pre-receive.local" if stem == "pre-receive" else stem] = path
    return links


@cache
def _shim(name: str, program: str) -> str:
    """The text of one of our hooks, which runs `program` or else this interpreter."""
    arguments = "" if program else " -P -m gitprompt"
    quoted = shlex.quote(program or sys.executable)
    text = resources.read("hooks", name).replace("@GITPROMPT@", quoted + arguments)
    return text.replace("@PROGRAM@", quoted)


def uninstall_hooks(folder: str, names: tuple[str, ...]) -> list[str]:
    """Remove our shims and put back what was there before."""
    removed = []
    for name in names:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and _is_ours(path):
            os.unlink(path)
            removed.append(path)
            if os.path.lexists(path + ".local"):
                os.rename(path + ".local", path)
    return removed


def _is_ours(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _MARK in file.read(400)
    except OSError:
        return False


def replace(path: str, text: str, *, mode: int | None = None) -> None:
    """Write a file so that it is the old one or the new one at every moment."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        os.chmod(temporary, mode)
    os.replace(temporary, path)


# The data directory's lock


def make_data_folder(data: str) -> None:
    """Make it if it is not there. One that is made inside a work tree is nothing to commit: it ignores
    itself. Raises OSError."""
    if os.path.isdir(data):
        return
    os.makedirs(data, exist_ok=True)
    replace(os.path.join(data, ".gitignore"), "*\n")


def check_database(data: str, file: str | None) -> None:
    """Raise SetupError if `file` would be a new database beside another one, whose keys nobody would miss until
    they are refused. None is a database that is no file."""
    if file is None or os.path.exists(file) or not os.path.isdir(data):
        return
    others = sorted({name for name in os.listdir(data) if name.endswith(".db")} - {"index.db"})
    if others:
        other = os.path.join(data, others[0])
        raise SetupError(
            f"there is no {file}, but {other}",
            hint=f"If that is the database: DATABASE_URL=sqlite:{other}. If a new one is meant, move it away.",
        )


class Hold:
    """A data directory that is held. Somebody may delete the file of the lock all the same."""

    def __init__(self, path: str, file: IO[str], note: str) -> None:
        self._path, self._file, self._note = path, file, note

    @property
    def is_lost(self) -> bool:
        """Whether the file was deleted, or another is in its place: a second server could start."""
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file.fileno()).st_ino
        except OSError:
            return True

    def retake(self) -> bool:
        """Hold the directory by a new file. False if another process has it already."""
        import fcntl

        file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115 - held open
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file.close()
        self._file = file
        self.sign()
        return True

    def sign(self) -> None:
        """Say in the file who holds it."""
        self._file.truncate(0)
        self._file.write(f"{self._note}\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@contextmanager
def hold(data: str, note: str) -> Iterator[Hold]:
    """Hold a data directory: two servers on one would both write. Raises SetupError, naming the
    holder. The kernel lets go of the lock when the process dies, however it dies."""
    import fcntl

    path = os.path.join(data, "lock")
    try:
        make_data_folder(data)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - held open
    except OSError as error:
        hint = "Choose another folder with --data."
        if isinstance(error, PermissionError):
            user = f"{os.getuid()}:{os.getgid()}"
            hint = (
                f"It must be that of the user who runs this: chown {user} {data} (in a container: the folder or"
                " volume that is mounted there)."
            )
        raise SetupError(f"{data} cannot be written: {error.strerror}", hint=hint) from error
    held = Hold(path, file, note)
    with closing(held):
        for wait in (*_GLANCES, None):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if wait is None:
                    raise _in_use(data, file) from None
                time.sleep(wait)
        held.sign()
        yield held


def _in_use(data: str, file: IO[str]) -> SetupError:
    file.seek(0)
    return SetupError(
        f"{os.path.abspath(data)} is in use by {file.read(200).strip() or 'another process'}",
        hint="Stop it first, or choose another folder with --data.",
    )


def is_held(data: str) -> str | None:
    """Who holds a data directory, or None. Changes nothing there."""
    import fcntl

    try:
        with open(os.path.join(data, "lock"), encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _in_use(data, file).message
    except OSError:
        pass
    return None
