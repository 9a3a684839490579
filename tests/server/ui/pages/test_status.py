# SPDX-License-Identifier: Apache-2.0
"""Status: what failed first, what was rejected, tampered with, or answers though no label names it."""

from __future__ import annotations

from pathlib import Path

from tests.server.client import Client, publish
from tests.server.ui.browsing import Browser, words
from tests.world import WELCOME, Clone, Server, run


def test_all_is_well(server: Server) -> None:
    publish(Client(server, **{"X-Workspace-Id": "well"}), "welcome")
    browser = Browser(server, workspace="well")
    page = browser.page("status")
    for part in (
        "Everything that was pushed is served",
        "No version tag was moved",
        "is what labels name",
        "filesystem",
    ):
        assert part in page
    answer = browser.post("status")
    assert answer.headers["location"] == "/ui/w/well/status?synced=1"
    assert "Synced." in words(browser.http.get(answer.headers["location"]))


def test_what_is_wrong_is_said_with_its_reason(server: Server, tmp_path: Path) -> None:
    client = Client(server, **{"X-Workspace-Id": "unwell"})
    publish(client, "welcome")
    publish(client, "welcome", "1.1.0", "Again")
    client.post("/v1/prompts/welcome/labels", {"name": "production", "version_tag": "1.1.0"})
    for version in ("1.1.0", "1.1.0", "1.1.0", "1.0.0"):
        client.post("/v1/logs", {"prompt_name": "welcome", "version_tag": version})
    repository = server.data / "repos/unwell.git"
    run("git", "update-ref", "-d", "refs/tags/prompts/welcome/1.0.0", cwd=repository)
    blob = run("git", "hash-object", "-w", "--stdin", cwd=repository, stdin="messages: <b>").strip()
    run("git", "update-ref", "refs/tags/prompts/broken/1.0.0", blob, cwd=repository)
    browser = Browser(server, workspace="unwell")
    assert browser.post("status").status_code == 303
    page = browser.page("status")
    assert "Rejected (1)" in page
    assert "refs/tags/prompts/broken/1.0.0" in page
    assert "Tampered with (1)" in page
    assert "deleted" in page
    assert "Drift (1)" in page
    assert "production 1.1.0 1.0.0, 1 call 25 %" in page
    assert "2 to look at" in browser.page("prompts")


def test_nothing_was_pushed_yet(server: Server) -> None:
    browser = Browser(server, workspace="unborn")
    assert "never" in browser.page("status")
    answer = browser.post("status")
    assert answer.status_code == 404
    assert "The sync failed." in words(answer)


def test_a_prompt_served_in_place_has_a_status_too(tmp_path: Path) -> None:
    clone = Clone.init(tmp_path / "c")
    clone.commit("x", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    server = Server(tmp_path / "data", "--repo", str(clone.path)).start()
    try:
        assert "Versions 1" in Browser(server).page("status")
    finally:
        server.stop()
