# SPDX-License-Identifier: Apache-2.0
"""A team's working week: two people, a forge, CI, a hotfix, a promotion, and a proxy in front."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.prometheus import free_port
from tests.world import WELCOME, Clone, Server, eventually, run

SECRET = "a secret of the forge"
NAMES = [f"support/p{number}" for number in range(12)]

needs_nginx = pytest.mark.skipif(
    not shutil.which("nginx"), reason="nginx is not installed (apt-get install nginx-light)"
)


@pytest.fixture
def forge(tmp_path: Path) -> Clone:
    """A bare repository elsewhere, as a hosted forge has it: no hook of ours judges there."""
    run("git", "init", "-q", "--bare", "-b", "main", "forge.git", cwd=tmp_path)
    run("git", "config", "uploadpack.allowFilter", "true", cwd=tmp_path / "forge.git")
    return Clone(tmp_path / "forge.git")


@pytest.fixture
def ada(forge: Clone, tmp_path: Path) -> Clone:
    """A person's clone, set up as the README says."""
    run("git", "clone", "-q", str(forge.path), "ada", cwd=tmp_path)
    clone = Clone(tmp_path / "ada")
    clone.gitprompt("init")
    clone.commit("Start", welcome=WELCOME)
    clone.gitprompt("publish", "welcome", "--version", "1.0.0", "--push")
    return clone


@pytest.fixture
def sidecar(ada: Clone, forge: Clone, tmp_path: Path) -> Iterator[Server]:
    env = {"GITHUB_WEBHOOK_SECRET": SECRET, "GITPROMPT_ORIGIN": str(forge.path)}
    server = Server(tmp_path / "data", "--trusted-proxies", "127.0.0.1", env=env).start()
    yield server
    server.stop()


def newest(server: Server, name: str = "welcome") -> str:
    answer = server.request(f"/v1/prompts/{name}?render=false")
    return str(answer.json()["version"]["version_tag"]) if answer.status_code == 200 else "none"


def test_the_week_of_a_team(ada: Clone, forge: Clone, sidecar: Server, tmp_path: Path) -> None:
    assert newest(sidecar) == "1.0.0"

    # Monday: Ada publishes a new major and labels it; the forge's webhook brings both.
    ada.gitprompt("label", "set", "welcome", "staging", "1.0.0", "--push")
    ada.commit("New", welcome=WELCOME.replace("name", "person"))
    said = ada.gitprompt("publish", "welcome", "--bump", "auto", "--push")
    assert "welcome · 2.0.0" in said
    assert sidecar.pushed(SECRET) == 200
    eventually(lambda: newest(sidecar) == "2.0.0")

    # Tuesday: Ben mends the old version on a branch; it is 1.0.1 and takes nothing back.
    run("git", "clone", "-q", str(forge.path), "ben", cwd=tmp_path)
    ben = Clone(tmp_path / "ben")
    ben.gitprompt("hooks", "install")
    ben.git("switch", "-q", "-c", "hotfix", "prompts/welcome/1.0.0")
    ben.commit("Mend", welcome=WELCOME.replace("Hello", "Dear"))
    assert "welcome · 1.0.1" in ben.gitprompt("publish", "welcome", "--bump", "auto", "--push")
    assert sidecar.pushed(SECRET) == 200
    eventually(
        lambda: sidecar.request("/v1/prompts/welcome?version=1.0.1&render=false").status_code == 200
    )
    assert newest(sidecar) == "2.0.0"

    # Wednesday: CI has a shallow checkout without tags, and publishes what was merged.
    ada.commit("Merged", welcome=WELCOME.replace("name", "person").replace("Hello", "Good day"))
    ada.git("push", "-q", "origin", "main")
    url = f"file://{forge.path}"
    run("git", "clone", "-q", "--depth", "1", "--no-tags", url, "ci", cwd=tmp_path)
    ci = Clone(tmp_path / "ci")
    ci.git("checkout", "-q", "--detach")
    said = ci.gitprompt("publish", "--changed", "--bump", "auto", "--push")
    assert "welcome · 2.0.1" in said, said

    # Thursday: twelve prompts are promoted in one push, all or nothing.
    ada.commit("Twelve", **dict.fromkeys(NAMES, WELCOME))
    ada.gitprompt("publish", "--prefix", "support/", "--push")
    for name in NAMES:
        ada.gitprompt("label", "set", name, "staging", "1.0.0")
    ada.git("push", "-q", "origin", "refs/labels/*:refs/labels/*")
    said = ada.gitprompt(
        "label", "set", "--prefix", "support/", "--from", "staging", "production", "--push"
    )
    assert said.count("production: none → 1.0.0") == 12
    assert sidecar.pushed(SECRET) == 200
    eventually(
        lambda: all(
            sidecar.request(f"/v1/prompts/{name}/labels/production").status_code == 200
            for name in NAMES
        )
    )

    # Friday night: Ben moves a label over HTTP, and Ada's next push builds on it.
    answer = sidecar.request(
        "/v1/prompts/welcome/labels/staging", method="PUT",
        headers={"Content-Type": "application/json"},
        content=json.dumps({"version_tag": "1.0.1", "reason": "Complaints"}).encode(),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    said = ada.gitprompt("label", "set", "welcome", "staging", "2.0.0", "--push")
    assert "welcome staging: 1.0.1 → 2.0.0" in said
    assert "Complaints" in ada.gitprompt("label", "log", "welcome", "staging")
    assert sidecar.request("/v1/sync").json()["rejected"] == []


NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location /prompts/ {{
      proxy_pass {upstream}/;
      proxy_http_version 1.0;
      proxy_set_header Host $host:$server_port;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host:$server_port;
      proxy_set_header X-Forwarded-Prefix /prompts;
    }}
  }}
}}
"""


@pytest.fixture
def proxied(sidecar: Server, tmp_path: Path) -> Iterator[str]:
    """The sidecar behind a real nginx that serves it below a path and speaks HTTP/1.0 to it."""
    folder, port = tmp_path / "nginx", free_port()
    folder.mkdir()
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, port=port, upstream=sidecar.url))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(conf)])
    url = f"http://127.0.0.1:{port}/prompts"
    deadline = time.monotonic() + 10
    while True:
        try:
            httpx.get(f"{url}/health")
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline, (folder / "error.log").read_text()
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait()


@pytest.mark.clients
@needs_nginx
def test_nginx_serves_it_below_a_path(
    ada: Clone, sidecar: Server, proxied: str, tmp_path: Path
) -> None:
    key = {"X-API-Key": sidecar.key()}
    answer = httpx.get(f"{proxied}/v1/prompts/welcome?variables[name]=Ada", headers=key)
    assert answer.json()["content"]["messages"][0]["content"] == "Hello Ada!"
    again = httpx.get(
        f"{proxied}/v1/prompts/welcome?variables[name]=Ada",
        headers={**key, "If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304
    listed = httpx.get(f"{proxied}/v1/prompts?limit=1", headers=key).json()
    assert listed["items"][0]["name"] == "welcome"
    page = httpx.get(f"{proxied}/docs").text
    scripts = re.findall(r'src="([^"]+)"', page)
    assert len(scripts) == 2
    for script in scripts:
        assert httpx.get(f"{proxied}/{script}").status_code == 200
    assert httpx.get(f"{proxied}/openapi.json").status_code == 200
    assert httpx.get(f"{proxied}/").json()["docs"].endswith("docs")
    assert httpx.get(f"{proxied}/nothing", headers=key).json()["code"] == "NOT_FOUND"
    # git too: a clone, a push that is refused with its reason, and one that goes in
    host = proxied.removeprefix("http://")
    remote = f"http://x:{sidecar.key()}@{host}/git/default.git"
    run("git", "clone", "-q", remote, "proxied", cwd=tmp_path)
    clone = Clone(tmp_path / "proxied")
    clone.commit("Bad", bad="messages: 1\n")
    assert "prompts/bad.yaml:1:11" in clone.refusal("push", "origin", "main")
    clone.git("reset", "-q", "--hard", "HEAD~1")
    clone.commit("Good", good=WELCOME)
    clone.gitprompt("publish", "good", "--push")
    assert newest(sidecar, "good") == "1.0.0"
    audit = httpx.get(f"{proxied}/v1/audit-logs?limit=1", headers=key).json()["items"]
    assert audit[0]["ip_address"] == "127.0.0.1"
