# SPDX-License-Identifier: Apache-2.0
"""The world of the tests: real clones, a real server process, real git between them."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from gitprompt.cli.main import run_cli
from gitprompt.cli.outcome import guarded
from gitprompt.git.repository import Repository
from tests import databases

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Test",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Test",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}
# Reading the authorities of the machine takes a tenth of a second, and nothing here is https.
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SEED = {
    "name": "welcome",
    "version": "1.0.0",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello {{name}}!"},
    ],
    "variables": {"name": {"type": "string", "required": True}},
    "model_config": {"model": "gpt-4o", "temperature": 0.7},
    "tags": ["greeting"],
}
WELCOME = """\
messages:
  - role: user
    content: "Hello {{name}}!"
variables:
  name: {type: string, required: true}
"""


class Refused(Exception):
    """A command ended with another code than 0; `said` is what it wrote."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"exit {code}:\n{said}")
        self.code = code
        self.said = said


def run(
    *command: str, cwd: Path | str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> str:
    """Both streams of a command that must end with 0; else Refused."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Refused(done.returncode, said)
    return said


def in_this_process(*args: str, env: Mapping[str, str]) -> str:
    """What a command prints that must succeed: the real one, half a second sooner."""
    said = io.StringIO()
    mask = os.umask(0o022)
    try:
        with mock.patch.dict(os.environ, env), redirect_stdout(said), redirect_stderr(said):
            code = guarded(lambda: run_cli(args))
    finally:
        os.umask(mask)
    if code:
        raise Refused(code, said.getvalue())
    return said.getvalue()


class Clone:
    """A repository with a work tree."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def init(cls, path: Path) -> Clone:
        path.mkdir(parents=True)
        run("git", "init", "-q", "-b", "main", cwd=path)
        return cls(path)

    def git(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        return run("git", *args, cwd=self.path, stdin=stdin, env=env).strip()

    def gitprompt(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """The real command in a process of its own."""
        return run(sys.executable, "-m", "gitprompt", *args, cwd=self.path, stdin=stdin, env=env)

    def write(self, path: str, text: str | bytes) -> Path:
        full = self.path / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text if isinstance(text, bytes) else text.encode())
        return full

    def commit(self, message: str = "Change", **files: str | bytes) -> str:
        """Commit everything, and the given files (prompt name → text); returns the commit."""
        for name, text in files.items():
            self.write(f"prompts/{name}.yaml", text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, version: str, at: str = "HEAD") -> str:
        self.git("tag", "-a", "-m", f"{name} {version}", f"prompts/{name}/{version}", at)
        return self.git("rev-parse", f"refs/tags/prompts/{name}/{version}")

    def push_all(self, remote: str, *more: str) -> str:
        return self.git("push", remote, "main", "refs/tags/*:refs/tags/*", *more)

    def refusal(self, *args: str) -> str:
        """What git says to a command that must fail."""
        try:
            said = self.git(*args)
        except Refused as refused:
            return refused.said
        raise AssertionError(f"git {' '.join(args)} was not refused: {said}")


class Server:
    """A sidecar in a process of its own, really listening."""

    def __init__(self, data: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.options = options
        self.env = {**databases.environment(data), **(env or {})}
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self._keys: dict[tuple[str, str], str] = {}

    def start(self) -> Server:
        command = [sys.executable, "-m", "gitprompt", "serve", "--data", str(self.data)]
        path = self.data.parent / f"{self.data.name}.log"
        self.log = path.open("a")
        self.process = subprocess.Popen(
            [*command, "--port", "0", *self.options],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, **self.env},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if " serves at " not in line:
            self.process.communicate()
            self.log.close()
            code, self.process = self.process.returncode, None
            raise Refused(code, line + self.logged())
        self.url = line.split()[-1]
        return self

    def logged(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text()

    def stop(self, how: int = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(how)
        self.process.communicate()
        self.log.close()
        code = self.process.returncode
        self.process = None
        return code

    def key(self, scopes: str = "read,write,admin", workspace: str = "default") -> str:
        known = self._keys.get((scopes, workspace))
        if known is None:
            command = ["keys", "create", "--data", str(self.data), "--scopes", scopes]
            said = in_this_process(*command, "--workspace", workspace, env=self.env)
            known = self._keys[scopes, workspace] = said.split()[-1]
        return known

    def remote(self, scopes: str = "read,write,admin", workspace: str = "default") -> str:
        """The URL to push to, with a key in it."""
        host = self.url.removeprefix("http://")
        return f"http://x:{self.key(scopes, workspace)}@{host}/git/{workspace}.git"

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request; `key` None sends none, '' an admin's."""
        sent = dict(headers or {})
        if key is not None:
            sent["X-API-Key"] = key or self.key()
        with httpx.Client(timeout=30, verify=_PLAIN) as client:
            return client.request(method, self.url + path, headers=sent, content=content)

    def pushed(self, secret: str) -> int:
        """The status of the webhook that a forge sends after a push."""
        body = b'{"ref": "refs/tags/prompts/welcome/1.1.0"}'
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": "push"}
        return self.request(
            "/webhooks/github", method="POST", key=None, headers=headers, content=body
        ).status_code

    def get(self, path: str, **headers: str) -> Any:
        response = self.request(path, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    def text(self, path: str) -> str:
        """The last message of a rendered prompt."""
        content: str = self.get(path)["content"]["messages"][-1]["content"]
        return content


def empty_repository(path: Path) -> Repository:
    """A new bare one, of which HEAD is `trunk`."""
    run("git", "init", "-q", "--bare", "-b", "trunk", str(path), cwd=path.parent)
    return Repository.open(str(path))


def eventually(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds that another process brings about."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
