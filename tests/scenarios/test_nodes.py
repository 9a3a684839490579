# SPDX-License-Identifier: Apache-2.0
"""Three sidecars, each with a data folder of its own, on one PostgreSQL and behind one origin."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.postgres import cluster, name_of, new_url
from tests.server.client import Client, fresh
from tests.world import Clone, Refused, Server, eventually, run

pytestmark = pytest.mark.postgres
SALT = "the-same-salt-on-every-node"


class Nodes:
    """Sidecars that serve one repository; a key of one is a key of all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = new_url()
        self.origin = folder / "origin.git"
        run("git", "init", "-q", "--bare", "-b", "main", str(self.origin), cwd=folder)
        self.servers = [self.node(f"node{at}").start() for at in range(3)]
        self.clients = [Client(one) for one in self.servers]

    def node(self, name: str, **env: str) -> Server:
        made = {"DATABASE_URL": self.url, "API_KEY_SALT": SALT, **env}
        return Server(self.folder / name, "--origin", str(self.origin), env=made)

    def stop(self) -> None:
        for one in self.servers:
            one.stop()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    found = Nodes(tmp_path_factory.mktemp("nodes"))
    yield found
    found.stop()


def prompt(name: str, version: str = "1.0.0", text: str = "Hello") -> dict[str, Any]:
    return {"name": name, "version": version, "messages": [{"role": "user", "content": text}]}


def seconds_until(client: Client, path: str, holds: Any) -> float:
    begun = time.monotonic()

    def there() -> bool:
        answer = client.http.get(path)
        return answer.status_code == 200 and bool(holds(answer.json()))

    eventually(there, seconds=10)
    return time.monotonic() - begun


def within_a_second(times: Callable[[], float]) -> None:
    """One time of three: on a busy machine another program may take a second."""
    taken = []
    for _ in range(3):
        taken.append(times())
        if taken[-1] < 1:
            return
    raise AssertionError(taken)


def test_a_key_of_one_node_is_a_key_of_all(nodes: Nodes) -> None:
    made = nodes.clients[0].post("/v1/api-keys", {"name": "app", "scopes": "read"})
    headers = {"X-API-Key": made["key"]}
    for one in nodes.servers:
        assert httpx.get(f"{one.url}/v1/prompts", headers=headers).status_code == 200


def test_a_key_that_is_revoked_on_one_node_is_refused_by_all_within_a_second(nodes: Nodes) -> None:
    def revoked() -> float:
        made = nodes.clients[0].post("/v1/api-keys", {"name": "app", "scopes": "read"})
        headers = {"X-API-Key": made["key"]}

        def status(one: Server) -> int:
            return httpx.get(f"{one.url}/v1/prompts", headers=headers).status_code

        assert [status(one) for one in nodes.servers] == [200, 200, 200]
        assert nodes.clients[1].call("DELETE", f"/v1/api-keys/{made['id']}") is None
        begun = time.monotonic()
        eventually(lambda: [status(one) for one in nodes.servers] == [401, 401, 401])
        return time.monotonic() - begun

    within_a_second(revoked)


def test_what_is_published_on_one_node_is_served_by_the_others_within_a_second(
    nodes: Nodes,
) -> None:
    first, second, third = nodes.clients

    def published() -> float:
        name = fresh("shared")
        first.post("/v1/prompts", prompt(name))
        return max(
            seconds_until(client, f"/v1/prompts/{name}", lambda body: body["content"])
            for client in (second, third)
        )

    def labelled() -> float:
        name = fresh("labelled")
        second.post("/v1/prompts", prompt(name))
        second.post(f"/v1/prompts/{name}/labels", {"name": "production", "version_tag": "1.0.0"})
        path = f"/v1/prompts/{name}/labels/production"
        return max(
            seconds_until(client, path, lambda body: body["version_tag"] == "1.0.0")
            for client in (first, third)
        )

    within_a_second(published)
    within_a_second(labelled)


def test_a_push_to_one_node_is_served_by_the_others_within_a_second(
    nodes: Nodes, tmp_path: Path
) -> None:
    run("git", "clone", "-q", nodes.servers[2].remote(), "c", cwd=tmp_path)
    clone = Clone(tmp_path / "c")

    def pushed() -> float:
        name = fresh("pushed")
        clone.commit("x", **{name: "messages:\n  - {role: user, content: Hi}\n"})
        clone.tag(name, "1.0.0")
        clone.git("push", "-q", "origin", "HEAD:main", f"refs/tags/prompts/{name}/1.0.0")
        return max(
            seconds_until(client, f"/v1/prompts/{name}", lambda body: body["content"])
            for client in nodes.clients[:2]
        )

    within_a_second(pushed)


def test_label_moves_that_are_raced_from_all_nodes_have_one_winner_each(nodes: Nodes) -> None:
    name = fresh("raced")
    for minor in range(6):
        nodes.clients[0].post("/v1/prompts", prompt(name, f"1.{minor}.0", f"Hello {minor}"))
    for client in nodes.clients:
        seconds_until(client, f"/v1/prompts/{name}?version=1.5.0", lambda body: body["content"])
    path = f"/v1/prompts/{name}/labels/production"
    current = None
    for _ in range(5):
        wanted = [f"1.{at}.0" for at in range(6) if f"1.{at}.0" != current][:3]

        def move(at: int, wanted: list[str] = wanted, expected: str | None = current) -> int:
            body = {"version_tag": wanted[at], "expected": expected}
            return nodes.clients[at].http.put(path, json=body).status_code

        with ThreadPoolExecutor(3) as pool:
            statuses = list(pool.map(move, range(3)))
        assert sorted(statuses) == [200, 409, 409], statuses
        current = wanted[statuses.index(200)]
        for client in nodes.clients:
            seconds_until(client, path, lambda body, v=current: body["version_tag"] == v)


def test_telemetry_of_all_nodes_is_one(nodes: Nodes) -> None:
    workspace = fresh("tele")
    clients = [Client(one, **{"X-Workspace-Id": workspace}) for one in nodes.servers]

    def send(client: Client) -> None:
        for _ in range(40):
            client.post("/v1/logs", {"prompt_name": "p", "version_tag": "1", "tokens_in": 3})

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        (row,) = client.get("/v1/metrics/summary")["items"]
        assert (row["calls"], row["tokens_in"]) == (120, 360)
        assert client.get("/v1/logs")["total"] == 120


def test_a_node_that_is_killed_is_replaced_by_an_empty_one_that_serves_the_same(
    nodes: Nodes,
) -> None:
    name = fresh("kept")
    nodes.clients[0].post("/v1/prompts", prompt(name))
    path = f"/v1/prompts/{name}?version=1.0.0&render=false"
    seconds_until(nodes.clients[2], path, lambda body: body["content"])
    served = nodes.clients[2].get(path)
    nodes.servers[2].stop(signal.SIGKILL)
    shutil.rmtree(nodes.servers[2].data)
    nodes.servers[2].start()
    nodes.clients[2] = Client(nodes.servers[2])
    assert nodes.clients[2].get(path) == served
    nodes.clients[2].post("/v1/prompts", prompt(name, "1.0.1", "Hello again"))
    seconds_until(nodes.clients[0], f"/v1/prompts/{name}?version=1.0.1", lambda body: body)


def test_an_empty_node_serves_what_the_origin_has_lost(nodes: Nodes, tmp_path: Path) -> None:
    """A tag was moved upstream and its old commit is gone: no node that comes now can fetch that."""
    name = fresh("lost")
    run("git", "clone", "-q", str(nodes.origin), "c", cwd=tmp_path)
    clone = Clone(tmp_path / "c")
    clone.git("checkout", "-q", "--orphan", "alone")
    clone.write(f"prompts/_fragments/{name}.md", "Be brief.")
    included = "{{> " + name + "}}"
    clone.commit("x", **{name: f"messages:\n  - role: user\n    content: '{included} Hi'\n"})
    clone.tag(name, "1.0.0")
    clone.git("push", "-q", "origin", f"refs/tags/prompts/{name}/1.0.0")
    nodes.clients[0].post("/v1/sync", {})
    path = f"/v1/prompts/{name}?version=1.0.0&render=false"
    seconds_until(nodes.clients[0], path, lambda body: body["content"])
    served = nodes.clients[0].get(path)
    clone.git("checkout", "-q", "--orphan", "again")
    clone.write(f"prompts/_fragments/{name}.md", "Be verbose.")
    clone.commit("y", **{name: "messages:\n  - {role: user, content: Another}\n"})
    clone.git("tag", "-f", f"prompts/{name}/1.0.0")
    clone.git("push", "-q", "-f", "origin", f"refs/tags/prompts/{name}/1.0.0")
    run("git", "reflog", "expire", "--expire=now", "--all", cwd=nodes.origin)
    run("git", "gc", "-q", "--prune=now", cwd=nodes.origin)
    empty = nodes.node(fresh("empty")).start()
    try:
        client = Client(empty)
        assert client.get(path) == served
        tampered = [item["ref"] for item in client.get("/v1/sync")["tampered"]]
        assert f"refs/tags/prompts/{name}/1.0.0" in tampered
    finally:
        empty.stop()


def test_a_run_that_begins_on_one_node_and_ends_on_another_is_active_on_none(nodes: Nodes) -> None:
    def active() -> list[float]:
        pages = [one.request("/metrics", key=None).text.splitlines() for one in nodes.servers]
        return [
            float(line.split()[1])
            for page in pages
            for line in page
            if line.startswith("gitprompt_pipelines_active ")
        ]

    first, second, third = nodes.clients
    runs = [first.post("/v1/runs", {"workflow_name": "w"})["run_id"] for _ in range(2)]
    assert active() == [2, 2, 2]
    for client, run_id in ((second, runs[0]), (third, runs[1])):
        client.http.patch(f"/v1/runs/{run_id}", json={"status": "completed"}).raise_for_status()
    assert active() == [0, 0, 0]


def test_a_node_with_another_salt_does_not_start(nodes: Nodes) -> None:
    other = nodes.node("other", API_KEY_SALT="another-salt-than-the-others")
    with pytest.raises(Refused, match="is not the one with which the API keys") as caught:
        other.start()
    assert "API_KEY_SALT" in str(caught.value)


def test_a_node_says_where_its_database_is_and_never_the_password(nodes: Nodes) -> None:
    logged = nodes.servers[0].logged()
    port = urlsplit(nodes.url).port
    assert f"database {name_of(nodes.url)} on 127.0.0.1:{port}" in logged
    config = nodes.clients[0].get("/v1/config")
    assert "s3cret" not in logged + str(config)


def test_a_process_that_slept_for_a_minute_notices_that_its_place_was_taken(nodes: Nodes) -> None:
    workspace = fresh("slept")
    slept, client = nodes.servers[0], Client(nodes.servers[0], **{"X-Workspace-Id": workspace})
    log = {"prompt_name": "p", "version_tag": "1", "tokens_in": 3}
    client.post("/v1/logs", log)
    assert slept.process is not None
    slept.process.send_signal(signal.SIGSTOP)
    try:  # a minute passes, as the database sees it
        boot = (slept.data / "node").read_text()
        sql = f"UPDATE gitprompt.node SET seen_at = seen_at - 100 WHERE boot = '{boot}'"
        cluster().execute(sql, name_of(nodes.url))
        other = nodes.node(fresh("heir")).start()
    finally:
        slept.process.send_signal(signal.SIGCONT)
    try:
        heir = Client(other, **{"X-Workspace-Id": workspace})
        for one in (client, heir, client):
            one.post("/v1/logs", log)
        for one in (client, heir):
            (row,) = one.get("/v1/metrics/summary")["items"]
            assert (row["calls"], row["tokens_in"]) == (4, 12)
        assert "another took its place" in slept.logged()
        rows = cluster().execute("SELECT boot FROM gitprompt.node", name_of(nodes.url))
        boots = [str(boot) for (boot,) in rows]
        for server in (slept, other):
            assert boots.count((server.data / "node").read_text()) == 1
    finally:
        other.stop()


def test_clocks_that_differ_by_minutes_part_nobody(nodes: Nodes, tmp_path: Path) -> None:
    """Who lives is said by the clock of the database alone."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nreal = time.time\ntime.time = lambda: real() + 600\n"
    )
    ahead = nodes.node(fresh("ahead"), PYTHONPATH=f"{tmp_path}:{os.getcwd()}").start()
    try:
        boots = [(one.data / "node").read_text() for one in (ahead, nodes.servers[1])]
        clients = [Client(ahead), nodes.clients[1]]
        name, workspace = fresh("skewed"), fresh("skewed")
        begun = Client(ahead, **{"X-Workspace-Id": workspace})
        ended = Client(nodes.servers[1], **{"X-Workspace-Id": workspace})
        run_id = begun.post("/v1/runs", {"workflow_name": "w"})["run_id"]
        ended.http.patch(f"/v1/runs/{run_id}", json={"status": "completed"}).raise_for_status()
        assert begun.get(f"/v1/runs/{run_id}")["status"] == "completed"
        path = f"/v1/prompts/{name}/labels/production"
        for at, client in enumerate(clients * 2):
            client.post("/v1/prompts", prompt(name, f"1.{at}.0", f"Hello {at}"))
            client.http.put(path, json={"version_tag": f"1.{at}.0"}).raise_for_status()
            for other in clients:
                seconds_until(other, path, lambda body, v=f"1.{at}.0": body["version_tag"] == v)
        for at, client in enumerate(clients * 2):
            client.post(
                "/v1/logs", {"prompt_name": name, "version_tag": "1.0.0", "log_id": str(at)}
            )
        assert [(one.data / "node").read_text() for one in (ahead, nodes.servers[1])] == boots
        pending = (
            "SELECT count(*) FROM gitprompt.audit WHERE outcome <> 'done' AND prompt_name = '{}'"
        )
        assert cluster().execute(pending.format(name), name_of(nodes.url)) == [(0,)]
    finally:
        ahead.stop()


def test_two_nodes_never_share_a_data_folder(nodes: Nodes) -> None:
    with pytest.raises(Refused, match="is in use by"):
        nodes.node(nodes.servers[0].data.name).start()
    assert nodes.clients[0].get("/v1/prompts") is not None


def test_prompts_are_served_while_the_database_is_away(tmp_path: Path) -> None:
    from tests.postgres import Cluster

    own = Cluster()
    server = Server(tmp_path / "data", env={"DATABASE_URL": own.url(own.database())})
    try:
        server.start()
        client = Client(server)
        client.post("/v1/prompts", prompt("p"))
        own.stop("immediate")
        assert client.get("/v1/prompts/p")["content"]
        began = time.monotonic()
        body = {"prompt_name": "p", "version_tag": "1"}
        refused = client.http.post("/v1/logs", json=body, timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
        assert time.monotonic() - began < 20
        assert int(refused.headers["retry-after"]) >= 1
        deep = client.http.get("/health/deep")
        assert (deep.status_code, deep.json()["status"]) == (503, "degraded")
        assert client.get("/v1/prompts/p")["content"]
        own.start()
        eventually(lambda: client.http.get("/health/deep").status_code == 200, seconds=20)
        client.post("/v1/logs", body)
        assert client.get("/v1/logs")["total"] >= 1
    finally:
        server.stop()
        own.remove()
