# SPDX-License-Identifier: Apache-2.0
"""`gitprompt serve`, as far as it goes without listening, `gitprompt sync` and `gitprompt ui`."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from gitprompt import hosting
from gitprompt.config import ServerSettings
from tests.cli.commands import Cli
from tests.world import Clone, Server


@pytest.fixture
def data(clone: Clone) -> Path:
    """An empty data folder inside the clone, which is where the commands run."""
    folder = clone.path / "data"
    folder.mkdir()
    return folder


def test_every_setting_that_is_not_secret_has_an_option_that_names_its_variable(cli: Cli) -> None:
    text = " ".join(cli("serve", "--help").out.split())
    options, _, epilog = text.partition("Webhook secrets and the salt")
    for setting in fields(ServerSettings):
        option, variable = f"--{setting.name.replace('_', '-')} ", setting.metadata["env"]
        if setting.metadata["secret"]:
            assert (option in options, variable in epilog) == (False, True), option
        else:
            assert (option in options, f"[env: {variable}; default: " in options) == (True, True)


def test_a_secret_is_not_taken_as_an_argument(cli: Cli) -> None:
    refused = cli("serve", "--salt", "0123456789abcdef")
    assert (refused.code, "No such option" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        (("--poll-seconds", "soon"), {}, "--poll-seconds: 'soon' is not a float"),
        ((), {"PORT": "many"}, "PORT: 'many' is not a int"),
        ((), {"DATABASE_URL": "mysql://db/x"}, "names no database that is known"),
    ],
)
def test_a_wrong_setting_is_usage_and_makes_nothing(
    cli: Cli, clone: Clone, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...],
    environ: dict[str, str], message: str,
) -> None:  # fmt: skip
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    refused = cli("serve", *options)
    assert (refused.code, message in refused.err) == (2, True), refused
    assert os.listdir(clone.path) == [".git"]


def test_a_server_greets_with_where_to_push_and_what_to_scrape(server: Server) -> None:
    assert server.process is not None
    assert server.process.stdout is not None
    lines = [server.process.stdout.readline().split() for _ in range(4)]
    assert lines == [
        [
            "push",
            "to",
            f"{server.url}/git/default.git",
            *["(the", "password", "is", "an", "API", "key)"],
        ],
        ["make", "a", "key", "gitprompt", "keys", "create", "--data", str(server.data)],
        ["look", "at", "it", "gitprompt", "ui", "--data", str(server.data), f"({server.url}/ui)"],
        ["metrics", f"{server.url}/metrics"],
    ]


def test_a_sync_without_a_server_is_done_here(cli: Cli, published: Clone, data: Path) -> None:
    state = json.loads(cli("sync", "--data", "data", "--repo", ".", "--json").out)
    assert state["counts"] == {"prompts": 1, "versions": 1, "labels": 0, "suites": 0}
    assert (state["workspace"], state["rejected"], state["tampered"]) == ("default", [], [])
    assert (data / "index.db").exists()


def test_a_sync_names_what_was_rejected_and_why(cli: Cli, published: Clone, data: Path) -> None:
    published.tag("missing", "1.0.0")
    lines = cli("sync", "--data", "data", "--repo", ".").out.splitlines()
    assert lines[0].startswith("rejected refs/tags/prompts/missing/1.0.0: ")
    assert "prompts/missing.yaml" in lines[0]
    assert lines[1:] == ["✓ 1 prompts, 1 versions, 0 labels; 1 refs rejected, 0 tags tampered with"]


def test_a_sync_reports_a_deleted_tag_whose_version_is_still_served(
    cli: Cli, published: Clone, data: Path
) -> None:
    command = ("sync", "--data", "data", "--repo", ".")
    assert cli(*command).code == 0
    published.git("tag", "-d", "prompts/welcome/1.0.0")
    assert cli(*command).out.splitlines() == [
        "deleted refs/tags/prompts/welcome/1.0.0: what was first published is served",
        "✓ 1 prompts, 1 versions, 0 labels; 0 refs rejected, 1 tags tampered with",
    ]


def test_a_folder_that_is_not_there_is_not_made_by_a_sync(cli: Cli, clone: Clone) -> None:
    refused = cli("sync", "--data", "nowhere")
    assert (refused.code, "there is no data folder nowhere" in refused.err) == (1, True)
    assert not (clone.path / "nowhere").exists()


def test_a_folder_that_another_process_holds_is_not_synced_here(cli: Cli, data: Path) -> None:
    with hosting.hold(str(data), "restore by process 1"):
        refused = cli("sync", "--data", "data")
    assert (refused.code, "is in use by restore by process 1" in refused.err) == (1, True)
    assert os.listdir(data) == ["lock"]


def test_a_repository_in_place_must_be_one(cli: Cli, clone: Clone, data: Path) -> None:
    refused = cli("sync", "--data", "data", "--repo", "prompts")
    assert (refused.code, "prompts is not a directory" in refused.err) == (1, True), refused


def test_ui_prints_a_link_that_signs_in_once(server: Server, cli: Cli) -> None:
    printed = cli("ui", "--data", str(server.data), "--print")
    assert printed.code == 0
    link = printed.out.strip()
    assert link.startswith(f"{server.url}/ui/login?ticket=")
    assert httpx.get(link).status_code == 200
    answer = cli(
        "ui",
        "--data",
        str(server.data),
        "--json",
        "--change",
        "--url",
        "https://prompts.example/x/",
    )
    found = json.loads(answer.out)
    assert found["url"].startswith("https://prompts.example/x/ui/login?ticket=")
    assert (found["seconds"], found["changes"]) == (60, True)


def test_ui_says_what_to_do_where_no_server_runs(cli: Cli, tmp_path: Path) -> None:
    refused = cli("ui", "--data", str(tmp_path / "none"))
    assert refused.code == 1
    assert "gitprompt serve" in refused.err
