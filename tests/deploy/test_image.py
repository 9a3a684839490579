# SPDX-License-Identifier: Apache-2.0
"""deploy/Dockerfile, built and run: as the user that it names, on a file system that cannot be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gitprompt import __version__
from tests.deploy.engine import OURS, Engine, needs_engine
from tests.pages import blocks
from tests.prometheus import free_port
from tests.world import eventually

pytestmark = [pytest.mark.deploy, needs_engine, pytest.mark.timeout(900)]

HARDENED = (
    "--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges",
)  # fmt: skip
SALT = "a salt that is long enough for tests"


class Running:
    """A container of our image."""

    def __init__(self, containers: Engine, *options: str) -> None:
        self.engine = containers
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.id = containers.podman(
            "run", "--detach", *HARDENED, "--publish", f"127.0.0.1:{port}:3000", *options, OURS
        ).splitlines()[-1]

    def output(self, *command: str) -> str:
        return self.engine.podman("exec", self.id, *command)

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def running(containers: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """As the seed starts it: a folder of the machine at /app/data, `sqlite:./pm.db`."""
    data = tmp_path_factory.mktemp("image") / "data"
    data.mkdir()
    data.chmod(0o777)
    environment = ("--env", f"API_KEY_SALT={SALT}", "--env", "DATABASE_URL=sqlite:./pm.db")
    container = Running(containers, *environment, "--volume", f"{data}:/app/data")
    eventually(container.is_healthy, seconds=60)
    yield container
    containers.podman("rm", "--force", container.id)


def test_the_demo_checks_itself_in_it(containers: Engine) -> None:
    output = containers.podman("run", "--rm", *HARDENED, OURS, "demo", "--check")
    assert "Everything works." in output


def test_what_it_says_of_itself(containers: Engine) -> None:
    (image,) = json.loads(containers.podman("image", "inspect", OURS))
    config = image["Config"]
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/app/data")
    assert set(config["ExposedPorts"]) == {"3000/tcp"}
    assert image["Healthcheck"] == {
        "Test": ["CMD", "curl", "-f", "http://localhost:3000/health"],
        "Interval": 30_000_000_000,
        "Timeout": 5_000_000_000,
        "Retries": 3,
    }
    assert not [word for word in config["Env"] if "SALT" in word or "PIP" in word]
    assert __version__ in containers.podman("run", "--rm", OURS, "--version")


def test_it_serves_as_a_user_of_its_own_and_keeps_what_it_has_on_the_volume(
    running: Running,
) -> None:
    key = running.output("gitprompt", "keys", "create", "--scopes", "read,write").split()[-1]
    prompt = {
        "name": "welcome",
        "version": "1.0.0",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    headers = {"X-API-Key": key}
    published = httpx.post(f"{running.url}/v1/prompts", json=prompt, headers=headers)
    assert published.status_code == 201, published.text
    assert running.output("id", "--user") == "1000"
    assert running.output("stat", "--format", "%U %a", "/app/data/pm.db") == "gitprompt 600"
    assert (
        running.output("gitprompt", "backup", "/tmp/b.tar")
        .splitlines()[0]
        .startswith("✓ /tmp/b.tar")
    )
    running.engine.podman("restart", running.id)
    eventually(running.is_healthy, seconds=60)
    answer = httpx.get(f"{running.url}/v1/prompts/welcome", headers=headers)
    assert answer.json()["version"]["version_tag"] == "1.0.0"


def test_the_page_says_how_it_is_run_without_compose(containers: Engine, tmp_path: Path) -> None:
    port = free_port()
    (commands,) = blocks("docs/deploy.md", "sh image")
    commands = commands.replace("3000:3000", f"127.0.0.1:{port}:3000")
    as_docker = 'set -eu; sudo() { "$@"; }; docker() { podman --log-level error "$@"; }\n'
    try:
        output = containers.run("bash", "-c", as_docker + commands, cwd=tmp_path)
        key = next(word for word in output.split() if word.startswith("pm_"))
        url = f"http://127.0.0.1:{port}/v1/prompts"

        def answers() -> bool:
            try:
                return httpx.get(url, headers={"X-API-Key": key}).status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, seconds=60)
    finally:
        containers.podman("rm", "--force", "gitprompt")


def test_its_own_health_check_passes_and_fails(running: Running) -> None:
    (image,) = json.loads(running.engine.podman("image", "inspect", OURS))
    command = image["Healthcheck"]["Test"][1:]
    assert '{"status":"ok"}' in running.output(*command)
    with_nothing_there = [word.replace("3000", "3001") for word in command]
    running.engine.refused("exec", running.id, *with_nothing_there)


def test_nothing_but_the_volume_and_tmp_can_be_written(running: Running) -> None:
    for place in ("/x", "/opt/gitprompt/x", "/app/x", "/home/x"):
        assert "Read-only file system" in running.engine.refused("exec", running.id, "touch", place)


def test_there_is_no_installer_and_no_cache_in_it(containers: Engine) -> None:
    look = (
        "ls /opt/gitprompt/bin /var/lib/apt/lists /; find /opt /root -name '*.whl' -o -name 'pip*'"
    )
    user = ("--user", "0:0", "--entrypoint", "sh")
    output = containers.podman("run", "--rm", *user, OURS, "-ec", look).split()
    assert "gitprompt" in output
    assert not {"pip", "pip3", "src"} & set(output)
    assert not [name for name in output if name.endswith((".whl", "_Packages.lz4"))]


def test_the_orphans_of_git_are_buried(running: Running) -> None:
    running.output("sh", "-c", "(sleep 0.1 &) ; exit 0")
    states = "cat /proc/[0-9]*/stat | awk '{print $3}'"
    eventually(lambda: "Z" not in running.output("sh", "-c", states).split(), seconds=10)


def test_a_folder_that_is_not_its_own_is_refused_with_what_to_do(
    containers: Engine, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    output = containers.refused(
        "run", "--rm", *HARDENED, "--volume", f"{tmp_path}/data:/app/data", OURS
    )
    assert "/app/data cannot be written: Permission denied" in output
    assert "chown 1000:1000 /app/data" in output
