# SPDX-License-Identifier: Apache-2.0
"""The commands of a clone, asked of a server by whoever has none."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import Cli
from tests.server.client import fresh
from tests.world import Clone, Server

FIRST = 'messages:\n  - {role: user, content: "Hi {{name}}"}\n'
SECOND = 'messages:\n  - {role: user, content: "Hello {{name}}, {{mood}}"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is in no repository."""
    path = tmp_path / "away"
    path.mkdir()
    return path


@pytest.fixture
def cli(cli: Cli, folder: Path) -> Cli:
    """The command line in that folder."""
    return partial(cli, cwd=folder)


@pytest.fixture
def at(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The options that name the server."""
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())
    return "--server", server.url


@pytest.fixture
def prompt(cli: Cli, at: tuple[str, ...], folder: Path) -> str:
    """A prompt with two versions, published from a file."""
    name = fresh("away")
    file = folder / f"{name}.yaml"
    file.write_text(FIRST)
    assert cli("publish", file.name, *at).out.startswith(f"✓ {name} · 1.0.0 · ")
    file.write_text(SECOND)
    assert cli("publish", file.name, *at).out.startswith(f"✓ {name} · 1.1.0 · ")
    return name


def test_a_file_is_published_as_what_it_deserves(
    cli: Cli, at: tuple[str, ...], prompt: str, folder: Path
) -> None:
    file = folder / f"{prompt}.yaml"
    assert "has not changed since 1.1.0" in cli("publish", file.name, *at).err
    said = cli("publish", file.name, "--version", "3.0.0", "--json", *at)
    (item,) = json.loads(said.out)
    assert (item["name"], item["version"], item["pushed"]) == (prompt, "3.0.0", True)
    assert "· 3.0.1 ·" in cli("publish", file.name, "--bump", "patch", *at).out
    file.write_text(f"name: {prompt}-other\nversion: 0.1.0\n{FIRST}")
    assert cli("publish", file.name, *at).out.startswith(f"✓ {prompt}-other · 0.1.0 · ")


def test_many_files_are_published_or_none_is(
    cli: Cli, at: tuple[str, ...], prompt: str, folder: Path
) -> None:
    one, two = fresh("one"), fresh("two")
    for name in (one, two):
        (folder / f"{name}.yaml").write_text(FIRST)
    files = [f"{name}.yaml" for name in (one, two, prompt)]
    assert f"{prompt} has not changed since 1.1.0" in cli("publish", *files, *at).err
    assert "404 Prompt not found" in cli("versions", one, *at).err
    said = cli("publish", *files[:2], "--json", *at)
    assert [item["name"] for item in json.loads(said.out)] == [one, two]
    again = cli("publish", files[0], "--version", "1.0.0", *at)
    assert again.err.startswith(f"error: {files[0]}: 409 Prompt already exists: Versions are")
    assert again.err.endswith("  Nothing was published.\n")


def test_what_only_a_clone_can_do_is_not_left_out_silently(
    cli: Cli, at: tuple[str, ...], prompt: str, folder: Path
) -> None:
    for option in (["--sign"], ["--push"], ["-m", "x"], ["--remote", "origin"]):
        assert cli("publish", f"{prompt}.yaml", *option, *at).code == 2
    assert "gitprompt publish FILE… --server" in cli("publish", *at).err
    (folder / "notes.txt").write_text("hi")
    assert "notes.txt is no file of a prompt" in cli("publish", "notes.txt", *at).err


def test_fragments_beside_a_file_are_written_out(
    cli: Cli, at: tuple[str, ...], folder: Path
) -> None:
    name = fresh("shared")
    prompts = folder / "prompts"
    (prompts / "team").mkdir(parents=True)
    (prompts / "_fragments").mkdir()
    (prompts / "_fragments" / "tone.md").write_text("Be brief.\n")
    (prompts / "team" / f"{name}.yaml").write_text(
        'messages:\n  - {role: user, content: "{{> tone}}"}\n'
    )
    published = cli("publish", f"prompts/team/{name}.yaml", *at)
    assert published.out.startswith(f"✓ team/{name} · 1.0.0"), published
    assert cli("render", f"team/{name}", *at).out == "[user]\nBe brief.\n"


def test_what_is_not_valid_is_told_with_its_line_and_not_sent(
    cli: Cli, at: tuple[str, ...], folder: Path
) -> None:
    (folder / "bad.yaml").write_text("messages: 1\n")
    said = cli("publish", "bad.yaml", *at)
    assert (said.code, "bad.yaml:1:11: error: messages" in said.err) == (1, True)
    name = fresh("before")
    (folder / f"{name}.yaml").write_text(FIRST)
    assert cli("publish", f"{name}.yaml", "bad.yaml", *at).code == 1
    assert "404 Prompt not found" in cli("versions", name, *at).err
    assert cli("publish", "absent.yaml", *at).code == 1
    said = cli("publish", "--changed", *at)
    assert (said.code, "gitprompt publish FILE… --server URL" in said.err) == (2, True)


def test_it_is_read_as_in_a_clone(cli: Cli, at: tuple[str, ...], prompt: str) -> None:
    listed = [line.split("\t")[0] for line in cli("versions", prompt, *at).out.splitlines()]
    assert listed == ["1.1.0", "1.0.0"]
    facts = json.loads(cli("versions", prompt, "--json", *at).out)[0]
    assert [facts[key] for key in ("tag", "blob", "path")] == [None] * 3
    assert cli("versions", f"{prompt}.yaml", *at).out == cli("versions", prompt, *at).out
    assert cli("render", f"{prompt}@1.0.0", "--var", "name=Ada", *at).out == "[user]\nHi Ada\n"
    assert "name: " + prompt in cli("show", prompt, *at).out
    assert f"{prompt}\t1.1.0\t" in cli("list", *at).out
    changed = cli("diff", f"{prompt}@1.0.0", prompt, *at).out
    assert ("+ variables.mood" in changed, "a minor version" in changed) == (True, True)
    assert "404 Version not found" in cli("show", f"{prompt}@9.0.0", *at).err
    assert "404 Prompt not found" in cli("versions", "no/such/prompt", *at).err
    assert "is in a work tree, and this asks a server" in cli("show", f"{prompt}@.", *at).err


def test_labels_are_moved_explained_and_taken_back(
    cli: Cli, at: tuple[str, ...], prompt: str
) -> None:
    assert cli("label", "set", prompt, "staging", "1.0.0", *at).out == (
        f"✓ {prompt} staging: none → 1.0.0\n"
    )
    cli("label", "set", prompt, "staging", "1.1.0", "-m", "Better", *at)
    assert cli("label", "set", prompt, "live", "staging", *at).out.endswith("none → 1.1.0\n")
    refused = cli("label", "set", prompt, "live", "1.0.0", "--expect", "1.0.0", *at)
    assert (refused.code, "is at 1.1.0, not at 1.0.0" in refused.err) == (1, True)
    assert cli("label", "rollback", prompt, "staging", *at).out.endswith("1.1.0 → 1.0.0\n")
    assert "went back to 1.0.0 already" in cli("label", "rollback", prompt, "staging", *at).err
    moves = json.loads(cli("label", "log", prompt, "staging", "--json", *at).out)
    assert [move["version"] for move in moves] == ["1.0.0", "1.1.0", "1.0.0"]
    assert moves[1]["reason"] == "Better"
    listed = json.loads(cli("label", "list", prompt, "--json", *at).out)
    assert {item["name"]: item["version_tag"] for item in listed} == {
        "live": "1.1.0",
        "staging": "1.0.0",
    }
    promoted = cli("label", "set", "--prefix", prompt, "--from", "staging", "live", *at)
    assert promoted.out == f"✓ {prompt} live: 1.1.0 → 1.0.0\n"
    assert "1 are there already" in (
        cli("label", "set", "--prefix", prompt, "--from", "staging", "live", *at).out
    )
    removed = cli("label", "rm", prompt, "live", "-m", "Over", *at)
    assert removed.out == f"✓ {prompt} live: removed\n"
    assert "1.0.0 → none" in cli("label", "log", prompt, "live", *at).out.splitlines()[0]
    assert json.loads(cli("label", "log", prompt, "live", "--json", *at).out)[0]["reason"] == "Over"
    assert "has no label never" in cli("label", "log", prompt, "never", *at).err
    assert cli("label", "set", prompt, "staging", "1.0.0", "--sign", *at).code == 2


def test_a_configured_server_counts_where_no_repository_is(
    cli: Cli, at: tuple[str, ...], prompt: str, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITPROMPT_SERVER", at[1])
    assert cli("versions", prompt).out == cli("versions", prompt, *at).out
    said = cli("versions", prompt, cwd=clone.path)
    assert (said.code, f"Prompt {prompt} not found" in said.err, at[1] in said.err) == (
        1,
        True,
        False,
    )


def test_without_either_both_are_named(cli: Cli) -> None:
    said = cli("versions", "welcome")
    assert (said.code, "gitprompt init" in said.err, "--server URL" in said.err) == (1, True, True)


def test_keys_are_made_listed_and_revoked_at_a_server(
    cli: Cli, at: tuple[str, ...], server: Server
) -> None:
    made = cli("keys", "create", "--name", "ci", "--scopes", "read", *at)
    assert made.out.startswith("pm_")
    listed = json.loads(cli("keys", "list", "--json", *at).out)
    number = max(item["id"] for item in listed)
    assert f"key {number} for default: read" in made.err
    answered = server.request("/v1/prompts", key=made.out.strip()).status_code
    assert cli("keys", "revoke", str(number), *at).out == f"✓ key {number} is revoked\n"
    after = server.request("/v1/prompts", key=made.out.strip()).status_code
    assert (answered, after) == (200, 401)
    assert cli("keys", "revoke", "local", *at).code == 2
