# SPDX-License-Identifier: Apache-2.0
"""One version with where it comes from, and two beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.client import Client, publish
from tests.server.ui.browsing import Browser
from tests.world import Clone, Server

FIRST = """\
# Kept in Git alone
messages:
  - {role: system, content: Be brief.}
  - {role: user, content: "Hello {{name}}!"}
variables:
  name: {type: string, required: true, description: Whom to greet}
model_config: {model: gpt-4o, temperature: 0.7}
"""


@pytest.fixture(scope="module")
def browser(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    clone = Clone.init(tmp_path_factory.mktemp("versions") / "clone")
    clone.commit("Add greet", greet=FIRST)
    clone.git("tag", "-a", "-m", "The first greeting", "prompts/greet/1.0.0")
    second = FIRST.replace("Be brief.", "Be precise.").replace("0.7", "0.3")
    second = second.replace("variables:\n", "variables:\n  locale: {type: string, default: en}\n")
    clone.commit("Greet precisely", greet=second)
    clone.git("tag", "-a", "-m", "Precise", "prompts/greet/1.0.1")
    clone.push_all(server.remote(workspace="compared"))
    client = Client(server, **{"X-Workspace-Id": "compared"})
    client.post("/v1/prompts/greet/labels", {"name": "production", "version_tag": "1.0.1"})
    for version, status, ms in (
        ("1.0.0", "ok", 1_180),
        ("1.0.1", "ok", 640),
        ("1.0.1", "error", 640),
    ):
        client.post("/v1/logs", {"prompt_name": "greet", "version_tag": version, "status": status,
                                 "latency_ms": ms, "model": "m"})  # fmt: skip
    publish(client, "alone")
    return Browser(server, workspace="compared")


def test_a_version_says_where_it_comes_from(browser: Browser) -> None:
    page = browser.page("prompts/greet/versions/1.0.0")
    for part in (
        "The first greeting", "Add greet", "prompts/greet/1.0.0", "Be brief.", "# Kept in Git alone",
        "Whom to greet", "temperature", "First seen here", "1 few", "1.0.1 ▸",
    ):  # fmt: skip
        assert part in page, part
    newer = browser.page("prompts/greet/versions/1.0.1")
    assert "production" in newer
    assert "What changed since 1.0.0" in newer


def test_a_version_by_other_spellings_is_not_there(browser: Browser) -> None:
    for version in ("1.0", "9.9.9", "production", "1.0.0;x"):
        assert browser.get(f"prompts/greet/versions/{version}").status_code == 404


def test_two_versions_say_what_changed_and_what_that_deserves(browser: Browser) -> None:
    page = browser.page("prompts/greet/diff", **{"from": "1.0.0", "to": "1.0.1"})
    assert (
        "⚠ More than the number says. The changes deserve a minor version, and were published as a patch."
        in page
    )
    assert "Be brief . Be precise ." in page
    assert "locale + added" in page
    assert "model_config.temperature ~ changed 0.7 0.3" in page
    assert "error rate 0 % 50 % +50.00 pp few" in page
    assert "1,180 ms 640 ms −46 % few" in page
    assert "“Precise”" in page


def test_the_choice_is_in_the_address(browser: Browser) -> None:
    assert "Compare 1.0.0 with 1.0.1" in browser.page("prompts/greet/diff")
    page = browser.page(
        "prompts/greet/diff", **{"from": "1.0.1", "to": "1.0.0", "view": "unified", "all": "1"}
    )
    assert "is not above 1.0.1" in page
    assert "Hello {{name}}!" in page  # unchanged text, too
    by_label = browser.page("prompts/greet/diff", **{"from": "1.0.0", "to": "production"})
    assert "Compare 1.0.0 with 1.0.1" in by_label
    spaces = browser.get("prompts/greet/diff", white="1").text
    assert "<del>brief</del>" in spaces
    assert (
        browser.get("prompts/greet/diff", **{"from": "1.0.0", "to": "nothing"}).status_code == 404
    )


def test_one_version_has_nothing_to_be_compared_with(browser: Browser) -> None:
    assert "nothing to compare it with" in browser.page("prompts/alone/diff")
    assert browser.get("prompts/nothing/diff").status_code == 404


def test_what_git_has_lost_is_said(server: Server, tmp_path: Path) -> None:
    client = Client(server, **{"X-Workspace-Id": "lost"})
    publish(client, "gone")
    repository = server.data / "repos/lost.git"
    for path in (repository / "objects").glob("??/*"):
        path.unlink()
    for path in (repository / "objects/pack").glob("*"):
        path.unlink()
    page = Browser(server, workspace="lost").page("prompts/gone/versions/1.0.0")
    assert "The file cannot be read from Git; what is served is above." in page
