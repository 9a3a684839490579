# SPDX-License-Identifier: Apache-2.0
"""A mirror of a repository elsewhere: what is there comes, what is written here is there first."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.world import WELCOME, Clone, Refused, Server, run

DOCUMENT = {
    "name": "fresh", "version": "1.0.0", "messages": [{"role": "user", "content": "Hi"}],
}  # fmt: skip


@pytest.fixture
def mirror(forge: Clone, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", env={"GITPROMPT_ORIGIN": str(forge.path)}).start()
    yield server
    server.stop()


def send(server: Server, method: str, path: str, body: object) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return server.request(path, method=method, headers=headers, content=json.dumps(body).encode())


def sync(server: Server) -> httpx.Response:
    return server.request("/v1/sync", method="POST")


def text(server: Server, query: str = "") -> str:
    answer = server.request(f"/v1/prompts/welcome?render=false&{query}")
    if answer.status_code != 200:
        return str(answer.status_code)
    content: str = answer.json()["content"]["messages"][0]["content"]
    return content


def test_doctor_tells_whether_the_origin_answers(
    forge: Clone, mirror: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    env = {"GITPROMPT_ORIGIN": str(forge.path)}
    assert f"ok   origin {forge.path}\n" in forge.gitprompt(
        "doctor", "--data", str(folder), env=env
    )
    forge.path.rename(tmp_path / "moved")
    with pytest.raises(Refused, match=f"!!   origin {forge.path}: git ls-remote: .*{forge.path}"):
        Clone(tmp_path).gitprompt("doctor", "--data", str(folder))


def test_what_is_at_the_origin_is_served_and_follows_it(
    published: Clone, forge: Clone, mirror: Server
) -> None:
    assert text(mirror, "label=production") == "Hello {{name}}!"
    published.commit("Next", welcome=WELCOME.replace("Hello", "Next"))
    published.gitprompt("publish", "welcome", "--bump", "minor", "--push")
    published.gitprompt("label", "set", "welcome", "production", "1.1.0", "--push")
    published.gitprompt("label", "set", "welcome", "gone", "1.1.0", "--push")
    assert sync(mirror).status_code == 200
    assert text(mirror, "label=production") == "Next {{name}}!"
    assert text(mirror, "label=gone") == "Next {{name}}!"
    forge.git("update-ref", "-d", "refs/labels/welcome@gone")
    sync(mirror)
    assert text(mirror, "label=gone") == "404"


def test_what_is_written_here_is_at_the_origin_first(
    published: Clone, forge: Clone, mirror: Server
) -> None:
    answer = send(mirror, "POST", "/v1/prompts", DOCUMENT)
    assert (answer.status_code, answer.json()["on_branch"]) == (201, True)
    assert forge.git("cat-file", "-t", "refs/tags/prompts/fresh/1.0.0") == "tag"
    assert "prompts/fresh.json" in forge.git("ls-tree", "-r", "--name-only", "main")
    moved = send(mirror, "PUT", "/v1/prompts/fresh/labels/live", {"version_tag": "1.0.0"})
    assert moved.status_code == 200
    assert "fresh: live → 1.0.0" in forge.git("log", "-1", "--format=%s", "refs/labels/fresh@live")
    published.git("pull", "-q", "--rebase", "origin", "main")
    published.commit("Pushed", welcome=WELCOME.replace("Hello", "Pushed"))
    published.tag("welcome", "2.0.0")
    published.git("push", "-q", mirror.remote(), "main", "prompts/welcome/2.0.0")
    assert forge.git("rev-parse", "main") == published.git("rev-parse", "main")
    assert forge.git("cat-file", "-t", "refs/tags/prompts/welcome/2.0.0") == "tag"
    assert text(mirror) == "Pushed {{name}}!"


def test_whoever_was_faster_at_the_origin_is_not_overwritten(
    published: Clone, forge: Clone, mirror: Server
) -> None:
    published.commit("Theirs", other=WELCOME)
    published.git("push", "-q", "origin", "main")
    published.gitprompt("label", "set", "welcome", "live", "1.0.0", "--push")
    path, body = "/v1/prompts/welcome/labels/live", {"version_tag": "1.0.0"}
    theirs = forge.git("rev-parse", "refs/labels/welcome@live")
    moved = send(mirror, "PUT", path, {**body, "expected": None})
    assert (moved.status_code, moved.json()["code"]) == (409, "CONFLICT"), moved.text
    # Who does not say what is there moves it on from what they have made of it.
    assert send(mirror, "PUT", path, body).status_code == 200
    assert forge.git("rev-parse", "refs/labels/welcome@live^") == theirs
    assert mirror.request("/v1/prompts/fresh").status_code == 404
    # A publication is built again on what they have pushed.
    answer = send(mirror, "POST", "/v1/prompts", DOCUMENT)
    assert answer.status_code == 201, answer.text
    assert forge.git("rev-parse", "main~1") == published.git("rev-parse", "main")


def test_an_origin_that_is_away_stops_reading_of_nothing_and_nothing_is_written(
    forge: Clone, mirror: Server
) -> None:
    away = forge.path.rename(forge.path.with_name("away.git"))
    answer = send(mirror, "POST", "/v1/prompts", DOCUMENT)
    assert (answer.status_code, answer.json()["code"]) == (503, "ORIGIN_UNREACHABLE")
    assert text(mirror) == "Hello {{name}}!"
    assert mirror.request("/v1/prompts/fresh").status_code == 404
    assert sync(mirror).status_code == 503
    deep = mirror.request("/health/deep")
    assert (deep.status_code, deep.json()["checks"]["driver"] == "ok") == (503, False)
    away.rename(forge.path)
    assert sync(mirror).status_code == 200
    assert send(mirror, "POST", "/v1/prompts", DOCUMENT).status_code == 201


def test_a_start_without_the_origin_serves_what_is_here(
    forge: Clone, mirror: Server, tmp_path: Path
) -> None:
    mirror.stop()
    (tmp_path / "data" / "index.db").unlink()
    forge.path.rename(forge.path.with_name("away.git"))
    mirror.start()
    assert text(mirror, "label=production") == "Hello {{name}}!"


def test_a_moved_tag_is_told_and_not_taken(published: Clone, forge: Clone, mirror: Server) -> None:
    published.commit("Other", welcome=WELCOME.replace("Hello", "Other"))
    published.git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0")
    published.tag("welcome", "1.2.0")
    published.git(
        "push", "-q", "--force", "origin", "prompts/welcome/1.0.0", "prompts/welcome/1.2.0"
    )
    moved = published.git("rev-parse", "prompts/welcome/1.0.0")
    assert sync(mirror).status_code == 200
    (found,) = mirror.get("/v1/sync")["tampered"]
    assert (found["ref"], found["seen"]) == ("refs/tags/prompts/welcome/1.0.0", moved)
    assert text(mirror, "version=1.0.0") == "Hello {{name}}!"
    assert text(mirror) == "Other {{name}}!", "what is sound has come all the same"
    (row,) = [
        one for one in mirror.get("/v1/audit-logs")["items"] if one["action"] == "tag:tampered"
    ]
    assert row["prompt_name"] == "welcome"
    published.git("push", "-q", "--force", "origin", f"{found['pinned']}:{found['ref']}")
    sync(mirror)
    assert mirror.get("/v1/sync")["tampered"] == []
    published.git("push", "-q", "origin", f":{found['ref']}")
    sync(mirror)
    (gone,) = mirror.get("/v1/sync")["tampered"]
    assert (gone["ref"], gone["seen"]) == (found["ref"], None)
    mirror.stop()
    mirror.start()
    assert [one["ref"] for one in mirror.get("/v1/sync")["tampered"]] == [found["ref"]]
    assert text(mirror, "version=1.0.0") == "Hello {{name}}!"


def test_the_default_branch_may_be_renamed(published: Clone, forge: Clone, mirror: Server) -> None:
    forge.git("branch", "-m", "main", "trunk")
    sync(mirror)
    assert send(mirror, "POST", "/v1/prompts", DOCUMENT).status_code == 201
    assert "prompts/fresh.json" in forge.git("ls-tree", "-r", "--name-only", "trunk")
    assert forge.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/trunk"


def test_a_password_of_the_origin_is_shown_to_nobody(published: Clone, tmp_path: Path) -> None:
    upstream = Server(tmp_path / "upstream").start()
    mirror = Server(tmp_path / "data", env={"GITPROMPT_ORIGIN": upstream.remote()})
    key = upstream.key()
    try:
        published.git("remote", "add", "origin", upstream.remote())
        published.push_all("origin")
        mirror.start()
        assert text(mirror) == "Hello {{name}}!"
        assert send(mirror, "POST", "/v1/prompts", DOCUMENT).status_code == 201
        assert upstream.get("/v1/prompts/fresh")["version"]["version_tag"] == "1.0.0"
        shown = mirror.request("/v1/config").text
        upstream.stop()
        assert sync(mirror).status_code == 503
        said = mirror.request("/v1/sync").text + mirror.logged() + shown
        processes = subprocess.run(
            ["ps", "axww"], capture_output=True, text=True, check=True
        ).stdout
        files = "".join(
            path.read_text(errors="replace")
            for path in (tmp_path / "data" / "repos").rglob("*onfig*")
        )
        assert key not in said + processes + files
    finally:
        mirror.stop()
        upstream.stop()


@pytest.mark.parametrize(
    "origin", ["ext::sh -c touch% x", "--upload-pack=touch x", "https://example.com/a\nb"]
)
def test_an_origin_that_is_none_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(Refused, match="the origin is no URL or path"):
        Server(tmp_path / "data", env={"GITPROMPT_ORIGIN": origin}).start()


def test_a_mirror_and_a_repository_in_place_exclude_each_other(
    published: Clone, tmp_path: Path
) -> None:
    here = str(published.path)
    with pytest.raises(Refused, match="--origin and --repo exclude each other"):
        Server(tmp_path / "data", "--origin", here, "--repo", here).start()


def test_a_repository_of_its_own_is_never_made_a_mirror(forge: Clone, tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = Server(data).start()
    assert send(server, "POST", "/v1/prompts", DOCUMENT).status_code == 201
    moved = send(server, "PUT", "/v1/prompts/fresh/labels/live", {"version_tag": "1.0.0"})
    assert moved.status_code == 200
    server.stop()
    repository = Clone(data / "repos" / "default.git")
    before = repository.git("for-each-ref")
    with pytest.raises(Refused, match="is a repository of its own"):
        Server(data, env={"GITPROMPT_ORIGIN": str(forge.path)}).start()
    assert repository.git("for-each-ref") == before


def test_a_mirror_follows_the_origin_that_it_was_made_for(
    forge: Clone, mirror: Server, tmp_path: Path
) -> None:
    mirror.stop()
    run("git", "init", "-q", "--bare", "other.git", cwd=tmp_path)
    other = Server(tmp_path / "data", env={"GITPROMPT_ORIGIN": str(tmp_path / "other.git")})
    with pytest.raises(Refused, match=r"default\.git mirrors "):
        other.start()
    mirror.start()
    assert text(mirror) == "Hello {{name}}!"
    mirror.stop()
    alone = Server(tmp_path / "data").start()
    assert send(alone, "POST", "/v1/prompts", DOCUMENT).status_code == 201
    alone.stop()
    with pytest.raises(Refused, match="is a repository of its own"):
        mirror.start()


def test_what_is_at_the_origin_and_could_not_be_written_here_is_told_and_served_later(
    forge: Clone, mirror: Server
) -> None:
    lock = mirror.data / "repos/default.git/refs/tags/prompts/fresh/1.0.0.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    answer = send(mirror, "POST", "/v1/prompts", DOCUMENT)
    assert answer.status_code == 503, answer.text
    assert "it is published at the origin, and could not be written here" in answer.json()["error"]
    assert "Do not send it again" in answer.json()["hint"]
    assert "prompts/fresh/1.0.0" in forge.git("tag")
    assert mirror.request("/v1/prompts/fresh").status_code == 404
    lock.unlink()
    assert sync(mirror).status_code == 200
    assert mirror.request("/v1/prompts/fresh").status_code == 200
