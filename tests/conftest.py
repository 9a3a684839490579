# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gitprompt.cli.main import run_cli
from gitprompt.cli.outcome import guarded
from tests.github import WEBHOOK_SECRET, FakeGithub
from tests.server.client import OPEN, Client
from tests.world import IDENTITY, WELCOME, Clone, Server, run

settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("house")


@pytest.fixture(autouse=True, scope="session")
def a_clean_environment() -> Iterator[None]:
    """No setting of the person who runs the tests reaches them."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("GIT_", "GITPROMPT_")) or name in (
            "HOST",
            "PORT",
            "DRIVER",
            "DATABASE_URL",
        ):
            del os.environ[name]
    # Some hundred servers and commands would each compile the package anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.update(IDENTITY, NO_COLOR="1")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """An empty repository with a work tree."""
    return Clone.init(tmp_path / "clone")


@pytest.fixture
def published(clone: Clone) -> Clone:
    """A repository where welcome 1.0.0 is published."""
    clone.commit("Add welcome", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    return clone


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running sidecar, shared by the tests of a module; each uses prompts or workspaces of its
    own."""
    running = Server(tmp_path_factory.mktemp("server") / "data").start()
    yield running
    running.stop()


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}{self.err}"


@pytest.fixture
def forge(published: Clone, tmp_path: Path) -> Clone:
    """A bare repository elsewhere, with welcome 1.0.0 and its label; `published` pushes to it."""
    run("git", "init", "-q", "--bare", "-b", "main", "forge.git", cwd=tmp_path)
    published.git("remote", "add", "origin", str(tmp_path / "forge.git"))
    published.gitprompt("label", "set", "welcome", "production", "1.0.0")
    published.push_all("origin", "refs/labels/*:refs/labels/*")
    return Clone(tmp_path / "forge.git")


@pytest.fixture
def cli(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """The command line in this process, in the clone; as fast as it is real."""

    def command(*args: str, cwd: Path | None = None) -> Outcome:
        monkeypatch.chdir(cwd or clone.path)
        capfd.readouterr()
        code = guarded(lambda: run_cli(args))
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return command


@pytest.fixture(autouse=True, scope="module")
def close_clients() -> Iterator[None]:
    yield
    for http in OPEN:
        http.close()


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server)


@pytest.fixture
def github(forge: Clone, tmp_path: Path) -> Iterator[FakeGithub]:
    """Of which `forge` is the repository."""
    run("git", "config", "http.receivepack", "true", cwd=forge.path)
    found = FakeGithub(tmp_path)
    yield found
    found.close()


@pytest.fixture
def asked(github: FakeGithub, monkeypatch: pytest.MonkeyPatch) -> FakeGithub:
    """The environment of who asks it."""
    for name, value in {
        "GITHUB_REPO": "acme/forge", "GITHUB_API_URL": github.api_url, "GITHUB_TOKEN": github.token,
        "GITHUB_WEBHOOK_SECRET": f"{WEBHOOK_SECRET},old",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return github
