# SPDX-License-Identifier: Apache-2.0
"""deploy/compose.yaml, and the seed's, brought up by podman-compose: one node; three behind one name with
PostgreSQL and Prometheus. Of the images of others there are stand-ins (images/Dockerfile); Grafana has none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.engine import TOOLS, Engine, needs_engine
from tests.pages import DEPLOY, blocks
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
NODES = ("gitprompt", "gitprompt-2", "gitprompt-3")
PROMPT = {"name": "welcome", "version": "1.0.0", "messages": [{"role": "user", "content": "Hi"}]}


AS_DOCKER = """\
set -euo pipefail
docker() {
  shift
  arguments=(--podman-args=--log-level=error) waits=
  for word in "$@"; do
    case $word in
      --wait) waits=yes ;;
      --build) arguments+=(--no-build) ;;
      exec) arguments+=(exec -T) ;;
      *) arguments+=("$word") ;;
    esac
  done
  case "$*,$(cat .env)" in up*PROFILES=postgres*)  # this podman does not wait for what others depend on
    podman-compose "${arguments[@]}" postgres 2>> log
    until podman-compose exec -T postgres pg_isready -h 127.0.0.1; do sleep 0.2; done > log 2>&1 ;;
  esac
  podman-compose "${arguments[@]}" 2>> log
  if [ "$waits" ]; then until curl -sf "$FRONT/health" > /dev/null; do sleep 0.2; done; fi
}
"""


class Composition:
    """A folder with a compose file, and what it brought up. `front` is where requests go."""

    def __init__(self, containers: Engine, folder: Path, front: str) -> None:
        self._containers, self.folder, self.front = containers, folder, front
        self.headers: dict[str, str] = {}

    def __call__(self, *arguments: str) -> str:
        command = ("podman-compose", "--podman-args=--log-level=error", *arguments)
        return self._containers.run(*command, cwd=self.folder)

    def run(self, commands: str, cwd: Path) -> None:
        """What somebody would paste who has Docker. The key that comes of it is used from then on."""
        script = AS_DOCKER + commands
        output = self._containers.run("bash", "-c", script, cwd=cwd, env={"FRONT": self.front})
        self.headers = {
            "X-API-Key": next(word for word in output.split() if word.startswith("pm_"))
        }

    def publish(self) -> None:
        answer = httpx.post(f"{self.front}/v1/prompts", json=PROMPT, headers=self.headers)
        assert answer.status_code == 201, answer.text

    def newest(self) -> str:
        url = f"{self.front}/v1/prompts/welcome"
        return str(
            httpx.get(url, headers=self.headers, timeout=30).json()["version"]["version_tag"]
        )


@contextmanager
def composition(containers: Engine, folder: Path, front: str) -> Iterator[Composition]:
    """Whatever it brings up is taken down at the end."""
    one = Composition(containers, folder, front)
    try:
        yield one
    finally:
        one("down", "--volumes")


def copied(to: Path) -> Path:
    """deploy/ as it is, but for what only newer podmans know, and for Grafana, of which there is no package."""
    shutil.copytree(DEPLOY, to, ignore=shutil.ignore_patterns(".env", "*.env", "data*"))
    file = to / "compose.yaml"
    text = file.read_text().replace("    start_interval: 1s\n", "")
    before, grafana, after = text.partition("  grafana:\n")
    assert grafana
    file.write_text(before + after[after.index("\nvolumes:\n") :])
    return to


def test_it_keeps_to_the_specification_and_is_hardened() -> None:
    judge = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    judged = subprocess.run(
        [*judge, "compose.yaml"], cwd=DEPLOY, check=False, capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stdout
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in (*NODES, "data"):
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"], name
    for name, service in services.items():
        for port in service.get("ports", ()):
            is_private = port.startswith("127.0.0.1:")
            assert is_private == (name in ("prometheus", "grafana")), (name, port)


def test_without_a_salt_it_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "compose.yaml", tmp_path)
    env = {name: value for name, value in os.environ.items() if name != "API_KEY_SALT"}
    command = [str(TOOLS / "podman-compose"), "config"]
    process = subprocess.run(
        command, cwd=tmp_path, env=env, check=False, capture_output=True, text=True
    )
    assert process.returncode != 0
    assert "The first lines of compose.yaml say how" in process.stdout + process.stderr


@needs_engine
def test_the_file_of_the_seed_works_as_printed(containers: Engine, tmp_path: Path) -> None:
    """With our image in it, and a folder that is that of the image's user."""
    front = f"http://localhost:{free_port()}"
    file = SEED.replace('"3000:3000"', f'"{front.rpartition(":")[2]}:3000"')
    (tmp_path / "docker-compose.yml").write_text(file)
    (tmp_path / ".env").write_text("API_KEY_SALT=a salt that is long enough\n")
    (tmp_path / "data").mkdir()
    shutil.chown(tmp_path / "data", 1000, 1000)
    with composition(containers, tmp_path, front) as one:
        one.run(
            "docker compose up --detach --wait\n"
            "docker compose exec promptmetrics gitprompt keys create",
            tmp_path,
        )
        one.publish()
        assert one.newest() == "1.0.0"
    assert (tmp_path / "data" / "pm.db").exists()


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
def test_what_the_page_says_brings_up_one_node_and_then_three(
    containers: Engine, tmp_path: Path
) -> None:
    """The folder is made by the engine, as root, and is the node's all the same; `down` keeps it. Of three nodes
    each serves what was published through the gateway, and Prometheus has them all; two of them may go."""
    folder = copied(tmp_path / "deploy")
    ports = {
        name: str(free_port()) for name in ("GITPROMPT_PORT", "GATEWAY_PORT", "PROMETHEUS_PORT")
    }
    (folder / ".env").write_text("".join(f"{name}={port}\n" for name, port in ports.items()))
    places = {
        "localhost:3000": f"localhost:{ports['GITPROMPT_PORT']}",
        "localhost:8080": f"localhost:{ports['GATEWAY_PORT']}",
    }
    first, second = blocks("docs/deploy.md", "sh compose")
    for printed, place in places.items():
        first, second = first.replace(printed, place), second.replace(printed, place)
    with composition(containers, folder, f"http://{places['localhost:3000']}") as one:
        one.run(first, tmp_path)
        one.publish()
        one("down")
        one.run(first.split("\n", 2)[2], folder)  # in the folder, and with its salt
        assert one.newest() == "1.0.0"
    with composition(containers, folder, f"http://{places['localhost:8080']}") as three:
        three.run(second, folder)
        three.publish()
        ask = f"curl -sf -H 'X-API-Key: {three.headers['X-API-Key']}' http://localhost:3000/v1/prompts/welcome"
        for node in NODES:
            patient = f"until {ask}; do sleep 0.2; done"
            output = three("exec", "-T", node, "timeout", "30", "sh", "-c", patient)
            assert '"version_tag":"1.0.0"' in output, node
        query = {"query": "count(gitprompt_index_last_success_timestamp_seconds)"}
        counted = f"http://localhost:{ports['PROMETHEUS_PORT']}/api/v1/query"

        def scraped() -> bool:
            result = httpx.get(counted, params=query).json()["data"]["result"]
            return bool(result) and result[0]["value"][1] == "3"

        eventually(scraped, seconds=90)
        for node in NODES[:2]:
            three("stop", node)
        assert three.newest() == "1.0.0"
