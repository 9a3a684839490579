# SPDX-License-Identifier: Apache-2.0
"""deploy/compose.yaml, and the seed's, brought up by podman-compose: one node; three behind one name with
PostgreSQL and Prometheus. Of the images of others there are stand-ins (images/Dockerfile); Grafana has none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.engine import DEPLOY, TOOLS, Engine, needs_engine
from tests.prometheus import free_port
from tests.world import eventually

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]

SEED = """\
version: "3.8"
services:
  promptmetrics:
    image: gitprompt/gitprompt:latest
    ports:
      - "3000:3000"
    environment:
      - API_KEY_SALT=${API_KEY_SALT}
      - DATABASE_URL=${DATABASE_URL:-sqlite:./pm.db}
      - DRIVER=${DRIVER:-filesystem}
    volumes:
      - ./data:/app/data
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:3000/health"]
      interval: 30s
      timeout: 5s
      retries: 3
"""
PROMPT = {"name": "welcome", "version": "1.0.0", "messages": [{"role": "user", "content": "Hi"}]}


class Composition:
    """A folder with a compose file, and what it brought up."""

    def __init__(self, containers: Engine, folder: Path, env: Mapping[str, str]) -> None:
        self._containers, self.folder = containers, folder
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))

    def __call__(self, *arguments: str) -> str:
        command = ("podman-compose", "--podman-args=--log-level=error", *arguments)
        return self._containers.run(*command, cwd=self.folder)

    def key(self, service: str) -> str:
        said = self(
            "exec", "-T", service, "gitprompt", "keys", "create", "--scopes", "read,write,admin"
        )
        return next(word for word in said.split() if word.startswith("pm_"))


@contextmanager
def composition(
    containers: Engine, folder: Path, env: Mapping[str, str], *options: str
) -> Iterator[Composition]:
    """`env` is its .env; `options` come before `up`."""
    one = Composition(containers, folder, env)
    try:
        one(*options, "up", "--detach", "--no-build")
        yield one
    finally:
        one(*options, "down", "--volumes")


def copied(to: Path) -> Path:
    """deploy/ as it is, but for what only newer podmans know."""
    shutil.copytree(DEPLOY, to)
    file = to / "compose.yaml"
    file.write_text(file.read_text().replace("    start_interval: 1s\n", ""))
    return to


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_it_keeps_to_the_specification_and_is_hardened() -> None:
    judge = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    judged = subprocess.run(
        [*judge, "compose.yaml"], cwd=DEPLOY, check=False, capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stdout
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in ("gitprompt", "gitprompt-2", "gitprompt-3", "data"):
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"], name
    for name, service in services.items():
        for port in service.get("ports", ()):
            is_private = port.startswith("127.0.0.1:")
            assert is_private == (name in ("prometheus", "grafana")), (name, port)


def test_without_a_salt_it_says_what_to_do() -> None:
    command = [str(TOOLS / "podman-compose"), "config"]
    done = subprocess.run(command, cwd=DEPLOY, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "The first lines of compose.yaml say how" in done.stdout + done.stderr


@needs_engine
def test_the_file_of_the_seed_works_as_printed(containers: Engine, tmp_path: Path) -> None:
    """With our image in it, and a folder that is that of the image's user."""
    port = free_port()
    (tmp_path / "docker-compose.yml").write_text(SEED.replace('"3000:3000"', f'"{port}:3000"'))
    (tmp_path / "data").mkdir()
    shutil.chown(tmp_path / "data", 1000, 1000)
    with composition(containers, tmp_path, {"API_KEY_SALT": "a salt that is long enough"}) as one:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_up(url), seconds=60)
        headers = {"X-API-Key": one.key("promptmetrics")}
        assert httpx.post(f"{url}/v1/prompts", json=PROMPT, headers=headers).status_code == 201
    assert (tmp_path / "data" / "pm.db").exists()


@needs_engine
def test_one_node_needs_a_salt_alone(containers: Engine, tmp_path: Path) -> None:
    """The folder is made by the engine, as root, and is the node's all the same; `down` keeps it."""
    folder, port = copied(tmp_path / "deploy"), free_port()
    env = {"API_KEY_SALT": "a salt that is long enough", "GITPROMPT_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with composition(containers, folder, env) as one:
        eventually(lambda: is_up(url), seconds=60)
        headers = {"X-API-Key": one.key("gitprompt")}
        assert httpx.post(f"{url}/v1/prompts", json=PROMPT, headers=headers).status_code == 201
    with composition(containers, folder, env):
        eventually(lambda: is_up(url), seconds=60)
        found = httpx.get(f"{url}/v1/prompts/welcome", headers=headers)
        assert found.json()["version"]["version_tag"] == "1.0.0"


@pytest.fixture(scope="module")
def others(containers: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Images by the names in compose.yaml."""
    context = tmp_path_factory.mktemp("images") / "images"
    shutil.copytree(Path(__file__).parent / "images", context)
    shutil.copy(TOOLS / "caddy", context / "caddy")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for service, stage in (
        ("gateway", "caddy"),
        ("prometheus", "prometheus"),
        ("postgres", "postgres"),
    ):
        tag = f"docker.io/{services[service]['image']}"
        containers.build(context / "Dockerfile", context, tag, "--target", stage)


@needs_engine
@pytest.mark.usefixtures("others")
def test_three_nodes_behind_one_name_with_postgresql_and_prometheus(
    containers: Engine, tmp_path: Path
) -> None:
    """What is published through the gateway every node serves, also once two of them are gone."""
    folder, port, prometheus = copied(tmp_path / "deploy"), free_port(), free_port()
    file = folder / "compose.yaml"
    services = yaml.safe_load(file.read_text())
    del services["services"]["grafana"]  # there is no package of it
    file.write_text(yaml.safe_dump(services))
    env = {
        "API_KEY_SALT": "a salt that is long enough",
        "DRIVER": "postgres",
        "DATABASE_URL": "postgres://gitprompt:s3cret@postgres:5432/gitprompt",
        "POSTGRES_PASSWORD": "s3cret",
        "GITPROMPT_PORT": str(free_port()),
        "GATEWAY_PORT": str(port),
        "PROMETHEUS_PORT": str(prometheus),
    }
    profiles = [
        word for name in ("postgres", "nodes", "monitoring") for word in ("--profile", name)
    ]
    nodes = ("gitprompt", "gitprompt-2", "gitprompt-3")
    with composition(containers, folder, env, *profiles) as one:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_up(url), seconds=120)
        headers = {"X-API-Key": one.key("gitprompt")}
        assert httpx.post(f"{url}/v1/prompts", json=PROMPT, headers=headers).status_code == 201
        for node in nodes:
            ask = f"curl -sf -H 'X-API-Key: {headers['X-API-Key']}' http://localhost:3000/v1/prompts/welcome"
            patient = f"until {ask}; do sleep 0.2; done"
            said = one(*profiles, "exec", "-T", node, "timeout", "30", "sh", "-c", patient)
            assert '"version_tag":"1.0.0"' in said, node
        query = {"query": "count(gitprompt_index_last_success_timestamp_seconds)"}
        counted = f"http://127.0.0.1:{prometheus}/api/v1/query"

        def scraped() -> bool:
            result = httpx.get(counted, params=query).json()["data"]["result"]
            return bool(result) and result[0]["value"][1] == "3"

        eventually(scraped, seconds=90)
        for node in nodes[:2]:
            one(*profiles, "stop", node)
        found = httpx.get(f"{url}/v1/prompts/welcome", headers=headers, timeout=30)
        assert found.json()["version"]["version_tag"] == "1.0.0"
