# SPDX-License-Identifier: Apache-2.0
"""Runs the git binary. Nothing here goes through a shell, and nothing prompts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache

from gitprompt.errors import GitError, PayloadTooLarge, SetupError

MINIMUM = (2, 39)

# What says which repository git works on; a hook inherits these, a server must not.
LOCATION = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
)  # fmt: skip
_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
# What the names of variables with secrets have in common: our own, and those of an origin's client.
_SECRET = re.compile(
    r"(?i)SALT|SECRET|TOKEN|PASS(WORD|PHRASE)|(API|ACCESS|PRIVATE)_?KEY|CREDENTIAL|_HEADERS\Z"
    r"|DATABASE_URL|\APGPASS"
)


@cache
def git_path() -> str:
    """The path of the git binary, or SetupError. Its age is asked for if it fails: see
    `require_git`."""
    path = shutil.which("git")
    if path is None:
        raise SetupError(
            "git was not found on PATH",
            hint="Install git 2.39 or newer (apt install git, brew install git).",
        )
    return path


@cache
def require_git() -> str:
    """The version of a git binary that is new enough, or SetupError. Takes a process: a server asks
    when it starts, and everybody before telling what git says of a failure."""
    answer = subprocess.run(
        [git_path(), "--version"], stdout=subprocess.PIPE, text=True, check=False
    ).stdout
    match = re.search(r"(\d+)\.(\d+)", answer)
    if match is None or (int(match[1]), int(match[2])) < MINIMUM:
        raise SetupError(
            f"{answer.strip() or git_path()} is too old; gitprompt needs git 2.39 or newer",
            hint="Upgrade git.",
        )
    return answer.strip()


def environment(extra: Mapping[str, str] | None = None, *, inherit: bool) -> dict[str, str]:
    """The environment for a git process. `inherit` is for a person's own git, and keeps which
    repository it is. Without it the process is a server's, and its hooks get none of our secrets."""
    env = dict(os.environ)
    for name in () if inherit else [*env]:
        if name in LOCATION or _SECRET.search(name):
            del env[name]
    index = env.get("GIT_INDEX_FILE")
    if index:
        # Git gives a hook one as seen from the work tree; not every process of ours stands there.
        env["GIT_INDEX_FILE"] = os.path.abspath(index)
    env.update({"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(extra or {})})
    # A replacement (refs/replace/…) would put other bytes under the name of a published object.
    env["GIT_NO_REPLACE_OBJECTS"] = "1"
    return env


def git(
    args: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    accept: Sequence[int] = (0,),
    seconds: float | None = None,
) -> bytes:
    """Standard output of `git <args>`. Raises GitError, with what git printed, for an exit code
    that is not in `accept`, and if git cannot be started or takes longer than `seconds`. `env` is the
    whole environment; by default, an inherited one."""
    try:
        completed = subprocess.run(
            [git_path(), *args],
            cwd=cwd,
            env=dict(env) if env is not None else environment(inherit=True),
            input=stdin or None,
            stdin=None if stdin else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except OSError as error:
        raise not_started(error) from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {_command(args)} did not end within {seconds:g} s") from error
    if completed.returncode not in accept:
        require_git()
        raise failure(args, completed.stderr)
    return completed.stdout


def not_started(error: OSError) -> GitError:
    """The error for a git that is not there any more, or for which there is no room."""
    where = f": {error.filename}" if error.filename else ""
    return GitError(f"git cannot be started: {error.strerror}{where}")


def git_fields(
    args: Sequence[str], *, cwd: str, env: Mapping[str, str], most: int, what: str
) -> list[bytes]:
    """Like `git`, for an answer of fields that end in NULs. Git is ended, and PayloadTooLarge raised,
    once there are more than `most`."""
    parts: list[bytes] = []
    count = 0
    try:
        started = subprocess.Popen(
            [git_path(), *args],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise not_started(error) from error
    with started as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while part := process.stdout.read(1 << 16):
            parts.append(part)
            count += part.count(b"\0")
            if count > most:
                process.kill()
                raise PayloadTooLarge(f"there are more than {most:,} {what}")
        said = process.stderr.read()
    if process.returncode:
        require_git()
        raise failure(args, said)
    return b"".join(parts).split(b"\0")


def failure(args: Sequence[str], stderr: bytes) -> GitError:
    """The error for a git command that failed, in its own words, without credentials."""
    message = _CREDENTIALS.sub(r"\1", stderr.decode("utf-8", "replace")).strip()
    return GitError(
        f"git {_command(args)}: {_reason(message)}", stderr=message, hint=_hint(message)
    )


def _command(args: Sequence[str]) -> str:
    words = [arg for at, arg in enumerate(args) if at == 0 or args[at - 1] != "-c"]
    return next((arg for arg in words if not arg.startswith("-")), "")


def _reason(said: str) -> str:
    """Why git failed: what it marks as that, wherever it stands among its advice; for a transport that
    failed, as ssh, what that has said before. Else its last line."""
    lines = [line for line in map(str.strip, said.splitlines()) if line]
    marked = [at for at, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))]
    if not marked:
        return lines[-1] if lines else "no message"
    if marked[0] and lines[marked[0]] == _TRANSPORT_FAILED:
        marked.insert(0, marked[0] - 1)
    return "; ".join(dict.fromkeys(lines[at] for at in marked[-_REASONS:]))


_TRANSPORT_FAILED = "fatal: Could not read from remote repository."
_REASONS = 4  # more of git's complaints than this tell nobody more


# What git says where a remote wants to know who asks, and nothing or the wrong thing answers.
SIGN_IN = ("Authentication failed", "could not read Username", "could not read Password")


def _hint(said: str) -> str:
    if "dubious ownership" in said:
        return "Run: git config --global --add safe.directory <path>"
    if any(phrase in said for phrase in SIGN_IN):
        return (
            "git could not sign in. At a gitprompt server the password is an API key, from gitprompt"
            " keys create; git asks git config credential.helper for it (git help credentials)."
        )
    if "error: 403" in said:
        return "This key lacks a scope: read to fetch, write to push, both to move labels."
    if "Could not resolve host" in said or "unable to access" in said:
        return "The remote cannot be reached; what is local is unchanged. Try again later."
    if "Please tell me who you are" in said or "empty ident" in said:
        return 'Run: git config user.name "…" and git config user.email "…"'
    if "File exists" in said and ".lock" in said:
        return "Another git process is at work, or one died: `gitprompt doctor` tells which."
    return ""
