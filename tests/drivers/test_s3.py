# SPDX-License-Identifier: Apache-2.0
"""DRIVER=s3: a bucket is the origin. The store is a real one."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers.s3 import bucket
from gitprompt.errors import SetupError
from tests.drivers.three_nodes import document, send, share, survive
from tests.seaweed import SECRET, seaweed
from tests.world import Refused, Server, eventually

pytestmark = pytest.mark.stores


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "DRIVER=s3 needs S3_BUCKET"),
        ({"S3_BUCKET": "a/b"}, "'a/b' is no name of a bucket"),
        ({"S3_BUCKET": "ab"}, "'ab' is no name of a bucket"),
        ({"S3_BUCKET": "abc", "S3_PREFIX": "../x"}, "'../x' is no path"),
        ({"S3_BUCKET": "abc", "S3_PREFIX": "a b"}, "'a b' is no path"),
        ({"S3_BUCKET": "abc", "S3_ENDPOINT": "minio:9000"}, "S3_ENDPOINT is no URL"),
        ({"S3_BUCKET": "abc", "S3_ENDPOINT": "http://u:p@minio"}, "S3_ENDPOINT is no URL"),
        ({"S3_BUCKET": "abc", "S3_ENDPOINT": "http://["}, "S3_ENDPOINT is no URL"),
        ({"S3_BUCKET": "abc", "S3_ACCESS_KEY": "x"}, "go together"),
        (
            {"S3_BUCKET": "abc", "GITPROMPT_ORIGIN": "/x"},
            "DRIVER=s3 and --origin exclude each other",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(env: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError) as caught:
        drivers.make(server_settings({}, {"DRIVER": "s3", **env}))
    assert said in str(caught.value)


@pytest.fixture
def prefix() -> str:
    return f"team/{uuid.uuid4().hex}"


def node(folder: Path, prefix: str, name: str = "node", **env: str) -> Server:
    return Server(folder / name, env={**seaweed().environment(prefix), **env})


def test_three_nodes_publish_race_die_and_are_replaced(prefix: str, tmp_path: Path) -> None:
    survive([node(tmp_path, prefix, f"node{at}") for at in range(3)])


def test_a_push_and_a_workspace_reach_the_other_node(prefix: str, tmp_path: Path) -> None:
    share(tmp_path, lambda name: node(tmp_path, prefix, name))


def test_readers_without_git_find_what_is_served(prefix: str, tmp_path: Path) -> None:
    store = bucket(server_settings({}, seaweed().environment(prefix)))
    first, second = (node(tmp_path, prefix, name).start() for name in ("a", "b"))

    def says(version: str | None) -> bool:
        data = store.get(f"{prefix}/labels/shown/production.json")
        return data is not None and bool(json.loads(data)["version_tag"] == version)

    try:
        for version in ("1.0.0", "1.1.0"):
            sent = send(first, "POST", "/v1/prompts", document("shown", version), "default")
            assert sent.status_code == 201
        path = "/v1/prompts/shown/labels/production"
        eventually(lambda: second.request("/v1/prompts/shown?version=1.1.0").status_code == 200)
        for server, version in ((first, "1.0.0"), (second, "1.1.0"), (first, "1.0.0")):
            moved = send(server, "PUT", path, {"version_tag": version}, "default")
            assert moved.status_code == 200, moved.text
            eventually(partial(says, version))
        data = store.get(f"{prefix}/prompts/shown/1.1.0.json")
        assert data is not None
        served = first.request("/v1/prompts/shown?version=1.1.0&render=false").json()
        assert json.loads(data)["messages"] == served["content"]["messages"]
        store.remove(f"{prefix}/prompts/shown/1.1.0.json")
    finally:
        first.stop()
        second.stop()
    again = node(tmp_path, prefix, "c").start()  # it looks for what is missing
    try:
        eventually(lambda: store.get(f"{prefix}/prompts/shown/1.1.0.json") == data)
    finally:
        again.stop()


def test_wrong_keys_are_refused_at_the_start_and_shown_to_nobody(
    prefix: str, tmp_path: Path
) -> None:
    wrong = node(tmp_path, prefix, S3_SECRET_KEY="wrong-s3cret")
    with pytest.raises(Refused, match="lacked the necessary privileges") as caught:
        wrong.start()
    assert "wrong-s3cret" not in str(caught.value) + wrong.logged()
    right = node(tmp_path, prefix, "right").start()
    try:
        shown = right.request("/v1/config").text + right.logged()
        assert SECRET not in shown
    finally:
        right.stop()


def test_a_start_without_the_store_serves_what_is_here(prefix: str, tmp_path: Path) -> None:
    server = node(tmp_path, prefix).start()
    assert send(server, "POST", "/v1/prompts", document("kept"), "default").status_code == 201
    server.stop()
    away = node(tmp_path, prefix, S3_ENDPOINT="http://127.0.0.1:9").start()
    try:
        assert away.request("/v1/prompts/kept").status_code == 200
        refused = send(away, "POST", "/v1/prompts", document("other"), "default")
        assert (refused.status_code, refused.json()["code"]) == (503, "ORIGIN_UNREACHABLE")
        deep = away.request("/health/deep")
        assert (deep.status_code, deep.json()["status"]) == (503, "degraded")
    finally:
        away.stop()
