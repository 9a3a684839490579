# SPDX-License-Identifier: Apache-2.0
"""One archive with all that a data folder cannot do without, made while it is served, and a folder
made from it again.

It holds the durable database, every hosted repository with its hidden refs, and the salt, encrypted.
The database is copied first: what it pins has its bytes in the repositories that are copied after.
index.db is left out, since the first sync derives it from the rest. An archive is a stranger's until
it is checked: only the members that are expected are read, and none of them chooses a path.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gitprompt.clock import now
from gitprompt.core.names import WORKSPACE
from gitprompt.errors import GitpromptError, Invalid, SetupError, Unauthorized
from gitprompt.git.process import environment, git
from gitprompt.git.refs import ROOTS
from gitprompt.hosting import Hosting
from gitprompt.store import snapshot

FORMAT = 1
UNFINISHED = "restoring"  # a file that is there while a folder is being replaced
_MANIFEST, _DATABASE, _SALT = "manifest.json", "telemetry.db", "salt.json"
_MAX_SMALL = 1 << 20  # bytes of a manifest or an encrypted salt
_BUNDLING = 3_600.0  # seconds for the bundle of one repository
_PARTS = (
    "index.db", "index.db-wal", "index.db-shm", "repos", "hooks", "keys.generation",
    "salt.fingerprint",
)  # fmt: skip

Progress = Callable[[str, int, int], None]


class Contents(NamedTuple):
    """What an archive says it has. `salt`: is one in it, encrypted."""

    created_at: int
    heads: dict[str, str]
    salt: bool


def back_up(
    data: str, database: str, target: str, *, passphrase: str | None, progress: Progress
) -> Contents:
    """Write the archive; it appears whole. `database` is the path of the SQLite file. `passphrase` None
    leaves the salt out. Raises SetupError."""
    if os.path.exists(target):
        raise SetupError(f"{target} exists already", hint="Choose another name.")
    folder = os.path.dirname(os.path.abspath(target))
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=folder) as work:
        copied = os.path.join(work, _DATABASE)
        snapshot.back_up(
            database,
            copied,
            progress=lambda done, total: progress(os.path.basename(database), done, total),
        )
        hosting = Hosting(data)
        workspaces = hosting.workspaces()
        members = [(copied, _DATABASE)]
        heads: dict[str, str] = {}
        for at, workspace in enumerate(workspaces):
            progress("repositories", at, len(workspaces))
            repository = hosting.open(workspace)
            heads[workspace] = repository.line("symbolic-ref", "--quiet", "HEAD")
            if repository.git("for-each-ref", "--count=1"):
                bundle = os.path.join(work, f"{workspace}.bundle")
                repository.git("bundle", "create", "--quiet", bundle, "--all", seconds=_BUNDLING)
                members.append((bundle, f"repos/{workspace}.bundle"))
        progress("repositories", len(workspaces), len(workspaces))
        if passphrase is not None:
            members.append((_written(work, _SALT, _sealed(_salt(data), passphrase)), _SALT))
        contents = Contents(now(), heads, passphrase is not None)
        manifest = {"format": FORMAT, **contents._asdict()}
        members.insert(0, (_written(work, _MANIFEST, manifest), _MANIFEST))
        temporary = os.path.join(work, "archive")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                for path, name in members:
                    archive.add(path, name, filter=_nobodys)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    return contents


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _written(folder: str, name: str, value: Any) -> str:
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


def _salt(data: str) -> bytes:
    with open(os.path.join(data, "salt"), "rb") as file:
        return file.read(4096).strip()


# The salt, encrypted: Fernet with a key that scrypt derives from the passphrase


def _fernet(passphrase: str, seed: bytes) -> Any:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    key = Scrypt(salt=seed, length=32, n=1 << 15, r=8, p=1).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def _sealed(salt: bytes, passphrase: str) -> dict[str, str]:
    seed = secrets.token_bytes(16)
    return {"seed": seed.hex(), "sealed": _fernet(passphrase, seed).encrypt(salt).decode()}


def _unsealed(value: Any, passphrase: str) -> bytes:
    from cryptography.fernet import InvalidToken

    try:
        seed, token = bytes.fromhex(value["seed"]), value["sealed"].encode()
        return bytes(_fernet(passphrase, seed).decrypt(token))
    except InvalidToken:
        raise Unauthorized(
            "the passphrase does not open the salt of this backup",
            hint="Give the one it was made with; or --without-salt, and set API_KEY_SALT.",
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SetupError(
            "the salt in this backup is damaged", hint="--without-salt goes on without it."
        ) from None


# Back again


def is_archive(path: str) -> bool:
    """Whether a file is one of these, and not a database alone, as backups once were."""
    with open(path, "rb") as file:
        return not file.read(16).startswith(b"SQLite format 3\0")


def contents_of(path: str) -> Contents:
    """What an archive has. Raises SetupError for what is not one."""
    with _opened(path) as archive:
        return _contents(path, archive)


@contextmanager
def _opened(path: str) -> Iterator[tarfile.TarFile]:
    """The archive; whatever is wrong with its bytes, wherever they are read, is a SetupError."""
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise SetupError(f"{path} is cut short, or is not a backup: {error}") from None


def _contents(path: str, archive: tarfile.TarFile) -> Contents:
    try:
        value = json.loads(_small(archive, _MANIFEST))
        heads = value["heads"]
        if value["format"] != FORMAT or not all(WORKSPACE.match(name) for name in heads):
            raise Invalid("its format is not known")
        for head in heads.values():
            if head and not head.startswith(f"{ROOTS[0]}/"):
                raise Invalid("a HEAD is not a branch")
        return Contents(int(value["created_at"]), dict(heads), value["salt"] is True)
    except (GitpromptError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise SetupError(
            f"{path} is not a backup that this gitprompt reads: {error}",
            hint="It may be cut short, or of a newer gitprompt.",
        ) from None


def _small(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.getmember(name)
    if not member.isreg() or member.size > _MAX_SMALL:
        raise Invalid(f"{name} is not what it should be")
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def restore(
    path: str, data: str, database: str, *, passphrase: str | None, progress: Progress
) -> Contents:
    """Make a data folder what it was; what is there is replaced only when all of the new is ready.
    `database` is what its SQLite file is to be called. `passphrase` None leaves the salt as it is. Only for
    the holder of the folder's lock. Raises SetupError; Unauthorized for a wrong passphrase."""
    with _opened(path) as archive, tempfile.TemporaryDirectory(prefix=".restore-", dir=data) as new:
        contents = _contents(path, archive)
        if contents.salt and passphrase is not None:
            salt = _unsealed(json.loads(_small(archive, _SALT)), passphrase)
            with open(os.open(f"{new}/salt", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(salt)
        copied = _extracted(path, archive, _DATABASE, new)
        snapshot.put_back(copied, f"{copied}.new")
        os.unlink(copied)
        os.replace(f"{copied}.new", f"{new}/{database}")
        os.mkdir(f"{new}/repos", 0o700)
        for at, (workspace, head) in enumerate(contents.heads.items()):
            progress("repositories", at, len(contents.heads))
            _restore_repository(path, archive, workspace, head, new)
        progress("repositories", len(contents.heads), len(contents.heads))
        _give_to_owner(new, data)
        _exchange(data, new, database)
    return contents


def _extracted(path: str, archive: tarfile.TarFile, name: str, folder: str) -> str:
    target = os.path.join(folder, os.path.basename(name))
    try:
        member = archive.getmember(name)
        source = archive.extractfile(member) if member.isreg() else None
        if source is None:
            raise KeyError(name)
        with open(target, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except (KeyError, tarfile.TarError, OSError) as error:
        raise SetupError(f"{path} is cut short or damaged: {name}: {error}") from None
    return target


def _restore_repository(
    path: str, archive: tarfile.TarFile, workspace: str, head: str, new: str
) -> None:
    hosting = Hosting(new)
    name = f"repos/{workspace}.bundle"
    if name in archive.getnames():
        bundle = _extracted(path, archive, name, new)
        env = environment(inherit=False)
        # The history is what it was, even if a stricter git would complain of it today.
        options = ["-c", "core.fsync=all", "-c", "transfer.fsckObjects=false"]
        command = ["clone", "--quiet", "--mirror", "--template=", bundle, hosting.path(workspace)]
        git([*options, *command], env=env)
        git(["config", "--remove-section", "remote.origin"], cwd=hosting.path(workspace), env=env)
        os.unlink(bundle)
    repository = hosting.create(workspace)
    if head:
        repository.git("symbolic-ref", "HEAD", head)


def _give_to_owner(new: str, data: str) -> None:
    """What root restores belongs to whoever the folder belongs to, and the lock that root made for it, too: a server
    is not root."""
    owner = os.stat(data)
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.lchown(os.path.join(data, "lock"), owner.st_uid, owner.st_gid)
        for folder, _, files in os.walk(new):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.lchown(path, owner.st_uid, owner.st_gid)


def _exchange(data: str, new: str, database: str) -> None:
    """Put the parts of `new` in the place of what is in `data`. A server does not start in between,
    nor after a restore that was cut short here: it has to be run once more."""
    marker = os.path.join(data, UNFINISHED)
    with open(marker, "w", encoding="utf-8") as file:
        file.flush()
        os.fsync(file.fileno())
    with tempfile.TemporaryDirectory(prefix=".replaced-", dir=data) as old:
        parts = [database, f"{database}-wal", f"{database}-shm", *_PARTS]
        if os.path.exists(f"{new}/salt"):
            parts.append("salt")
        for part in parts:
            if os.path.lexists(f"{data}/{part}"):
                os.rename(f"{data}/{part}", f"{old}/{part}")
            if os.path.lexists(f"{new}/{part}"):
                os.rename(f"{new}/{part}", f"{data}/{part}")
        os.sync()
        os.unlink(marker)
