# SPDX-License-Identifier: Apache-2.0
"""The repositories that the sidecar hosts: `repos/<workspace>.git` in the data directory.

They are bare, fsync everything, check every object, and refuse what would rewrite history. Their
hooks are the shims in `hooks/`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gitprompt import resources
from gitprompt.errors import BadRequest, NotFound, SetupError
from gitprompt.git.process import environment, git
from gitprompt.git.repository import Repository

WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
DEFAULT_WORKSPACE = "default"
LOOSE_REFS_BEFORE_PACKING = 1_000

_SETTINGS = {
    "core.filesRefLockTimeout": "5000",  # milliseconds; pack-refs holds the lock of each ref for a moment
    "core.fsync": "all",
    "core.packedRefsTimeout": "10000",
    "core.useReplaceRefs": "false",
    "http.receivepack": "true",
    "receive.advertisePushOptions": "true",
    "receive.autogc": "false",
    "transfer.fsckObjects": "true",
    "transfer.hideRefs": "refs/gitprompt",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
}
_SERVER_HOOKS = ("pre-receive", "post-receive")
_MARK = "gitprompt hook"


def check_workspace(name: str) -> str:
    if not WORKSPACE.match(name):
        raise BadRequest(
            "Invalid workspace", hint="X-Workspace-Id is 1 to 128 of A-Z a-z 0-9 _ and -."
        )
    return name


class Hosting:
    """The folder `repos/` of a data directory. Whoever holds the directory's lock may write."""

    def __init__(self, data: str) -> None:
        self.root = os.path.join(data, "repos")

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
        return Repository.open(path)

    def create(self, workspace: str) -> Repository:
        """The repository of a workspace, made if absent. Idempotent; half-made ones are finished."""
        path = self.path(workspace)
        try:
            os.makedirs(self.root, exist_ok=True)
            git(
                ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", path],
                env=environment(inherit=False),
            )
        except OSError as error:
            raise SetupError(
                f"{self.root} cannot be written: {error.strerror}",
                hint="Choose another folder with --data, or mend its permissions.",
            ) from error
        self._configure(path)
        install_server_hooks(path)
        return Repository.open(path)

    def _configure(self, path: str) -> None:
        """Write our settings in one go; `git config` would start a process for each."""
        lines: dict[str, list[str]] = {}
        for key, value in _SETTINGS.items():
            section, _, name = key.partition(".")
            lines.setdefault(section, []).append(f"\t{name} = {value}\n")
        text = "".join(f"[{section}]\n{''.join(body)}" for section, body in lines.items())
        _replace(os.path.join(path, "gitprompt.config"), text)
        env = environment(inherit=False)
        git(["config", "--local", "include.path", "gitprompt.config"], cwd=path, env=env)

    def mend(self) -> list[str]:
        """Clear what a killed process left behind: locks and quarantined pushes. Only for the
        holder of the data directory's lock, before it serves. Returns what was removed."""
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


def pack_objects(repository: Repository) -> None:
    """Pack the objects of a repository that we own, where git finds that there are many."""
    repository.git("gc", "--auto", "--quiet")


def follow_first_branch(repository: Repository) -> None:
    """Let HEAD name the only branch where it names an unborn one.

    Otherwise a second branch would leave the repository without a default branch, and so without
    the policy that its settings make.
    """
    refs = repository.refs()
    branch, tip = refs.head
    if branch and tip and refs.get(branch) == tip:
        current = repository.line("symbolic-ref", "HEAD")
        if current != branch:
            repository.git("symbolic-ref", "HEAD", branch)


# Hooks


def install_server_hooks(git_dir: str) -> list[str]:
    return install_hooks(os.path.join(git_dir, "hooks"), _SERVER_HOOKS)


def install_client_hooks(repository: Repository) -> list[str]:
    return install_hooks(repository.hooks_dir(), ("pre-commit", "pre-push"))


def install_hooks(folder: str, names: tuple[str, ...]) -> list[str]:
    """Install our shims; a hook that is there already runs first, as `<name>.local`.

    Idempotent. The shim embeds the path of this interpreter, so that it works without PATH.
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
        text = resources.read("hooks", name).replace("@PYTHON@", sys.executable)
        _replace(path, text, executable=True)
        installed.append(path)
    return installed


def compose_hooks(folder: str, own: str) -> None:
    """Make `folder` a hooks directory with the hooks of `own`, and our pre-receive after its."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in os.listdir(own) if os.path.isdir(own) else ():
        if not name.endswith(".sample"):
            alias = f"{name}.local" if name == "pre-receive" else name
            os.symlink(os.path.abspath(os.path.join(own, name)), os.path.join(folder, alias))
    install_hooks(folder, ("pre-receive",))


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


def _replace(path: str, text: str, *, executable: bool = False) -> None:
    """Write a file so that it is the old one or the new one at every moment."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if executable:
        os.chmod(temporary, 0o755)  # noqa: S103 - a hook is run by whoever pushes
    os.replace(temporary, path)


# The data directory's lock


@contextmanager
def hold(data: str, note: str) -> Iterator[None]:
    """Hold a data directory: two servers on one would both write. Raises SetupError, naming the
    holder. The kernel lets go of the lock when the process dies, however it dies."""
    import fcntl

    try:
        os.makedirs(data, exist_ok=True)
        file = open(os.path.join(data, "lock"), "a+", encoding="utf-8")  # noqa: SIM115 - held open
    except OSError as error:
        raise SetupError(
            f"{data} cannot be written: {error.strerror}",
            hint="Choose another folder with --data, or mend its permissions.",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(200).strip() or "another process"
            raise SetupError(
                f"{os.path.abspath(data)} is in use by {holder}",
                hint="Stop it first, or choose another folder with --data.",
            ) from None
        file.truncate(0)
        file.write(f"{note}\n")
        file.flush()
        yield


def is_held(data: str) -> str | None:
    """Who holds a data directory, or None."""
    if not os.path.exists(os.path.join(data, "lock")):
        return None
    try:
        with hold(data, ""):
            return None
    except SetupError as error:
        return error.message
