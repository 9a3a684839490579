# SPDX-License-Identifier: Apache-2.0
"""Any store of obstore: what the log needs of it, and what files need that are replaced."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from gitprompt.config import server_settings
from gitprompt.drivers.bucket import Bucket, said
from gitprompt.drivers.s3 import bucket as made
from gitprompt.errors import OriginUnreachable


@pytest.fixture(params=["memory", "folder"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "memory":
        return Bucket(MemoryStore(), "memory")
    return Bucket(LocalStore(str(tmp_path / "bucket"), mkdir=True), "folder")


def test_a_key_is_created_once(bucket: Bucket) -> None:
    assert bucket.get("a/b") is None
    assert bucket.create("a/b", b"one")
    assert not bucket.create("a/b", b"two")
    assert bucket.get("a/b") == b"one"
    bucket.remove("a/b")
    assert bucket.get("a/b") is None


def test_keys_are_found_in_the_order_of_bytes(bucket: Bucket) -> None:
    for at in (3, 1, 20, 11):
        bucket.create(f"log/{at:04}", b"")
    bucket.create("logs/1", b"")
    bucket.create("w/b/1", b"")
    assert bucket.first_after("log/", "log/") == "log/0001"
    assert bucket.first_after("log/", "log/0003") == "log/0011"
    assert bucket.first_after("log/", "log/0020") is None
    listed = dict(bucket.listed("log/"))
    assert sorted(listed) == ["log/0001", "log/0003", "log/0011", "log/0020"]
    assert all(abs(when - time.time()) < 60 for when in listed.values())
    assert sorted(bucket.folders("")) == ["log", "logs", "w"]
    assert bucket.folders("w/") == ["b"]


def test_what_is_replaced_is_what_was_read() -> None:
    bucket = Bucket(MemoryStore(), "memory")
    assert bucket.get_tagged("a") is None
    bucket.create("a", b"one")
    found = bucket.get_tagged("a")
    assert found is not None
    assert found[0] == b"one"
    assert bucket.replace("a", b"two", found[1])
    assert not bucket.replace("a", b"three", found[1])
    assert bucket.get("a") == b"two"
    bucket.remove("a")
    assert not bucket.replace("a", b"four", found[1])


def test_a_store_that_fails_is_unreachable_and_says_so_in_a_line() -> None:
    bucket = made(
        server_settings(
            {},
            {
                "S3_BUCKET": "abc",
                "S3_ENDPOINT": "http://127.0.0.1:9",
                "S3_ACCESS_KEY": "x",
                "S3_SECRET_KEY": "y",
            },
        )
    )
    with pytest.raises(OriginUnreachable, match=r"^s3://abc: [^\n]*\Z"):
        bucket.get("a")
    assert said(ValueError("one\ntwo")) == "one"
