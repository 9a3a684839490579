# SPDX-License-Identifier: Apache-2.0
"""A bucket that has documents and no Git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitprompt.drivers.bucket import Bucket
from gitprompt.errors import UsageError
from gitprompt.transfer.mirroring import Location
from tests.drivers.three_nodes import document
from tests.transfer.copies import a_bucket, copy, refs_of
from tests.world import Server


def filled() -> tuple[Location, Bucket]:
    place, store = a_bucket()
    for version in ("1.0.0", "1.1.0"):
        store.create(f"p/prompts/a/b/{version}.json", json.dumps(document("a/b", version)).encode())
    store.create("p/prompts/c/2.0.0.json", json.dumps(document("c", "2.0.0")).encode())
    move = {"name": "a/b", "label": "production", "version_tag": "1.0.0"}
    store.create("p/labels/a/b/production.json", json.dumps(move).encode())
    return place, store


def test_files_become_versions_and_labels(tmp_path: Path) -> None:
    place, _ = filled()
    copied = copy(place, str(tmp_path / "copy.git"))
    assert copied.taken_over == 3
    server = Server(tmp_path / "data", "--repo", str(tmp_path / "copy.git")).start()
    try:
        for path in ("a%2Fb?version=1.1.0", "a%2Fb?label=production", "c"):
            assert server.request(f"/v1/prompts/{path}").status_code == 200, path
        served = server.request("/v1/prompts/a%2Fb?label=production").json()
        assert served["version"]["version_tag"] == "1.0.0"
    finally:
        server.stop()
    again = copy(place, str(tmp_path / "copy.git"))
    assert again == copied._replace(written=0)
    # Into itself: from then on there is Git.
    assert copy(place, place).taken_over == 3
    assert copy(place, str(tmp_path / "copy.git")).taken_over == 0


def test_what_is_no_version_is_left_out(tmp_path: Path) -> None:
    place, store = filled()
    store.create("p/prompts/d/1.0.0.json", b"{")
    store.create("p/prompts/e/latest.json", json.dumps(document("e")).encode())
    store.create("p/prompts/f/1.0.0.json", json.dumps(document("another")).encode())
    store.create("p/prompts/readme.txt", b"hello")
    store.create("p/labels/c/staging.json", b'{"version_tag": "9.9.9"}')
    assert copy(place, str(tmp_path / "copy.git")).taken_over == 3
    assert len(refs_of(tmp_path / "copy.git")) == 5


def test_a_bucket_with_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has nothing of the workspace 'default'"):
        copy(a_bucket()[0], str(tmp_path / "copy.git"))
