# SPDX-License-Identifier: Apache-2.0
"""Prompts become Git: what breaks a rule is rejected and kept, what is there stays."""

from __future__ import annotations

import pytest

from tests.transfer.moving_in import House, losses, prompt


def test_prompts_that_break_our_rules_are_rejected_with_their_reason_and_kept(house: House) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLE"[:16]
    records = [
        prompt("Support Triage!", 1, labels=["production", "Production"]),
        prompt("welcome", 1), prompt("Welcome", 1, "Hello"), prompt("welcome", 1, "other"),
        prompt("welcome", "1.0.0", "same precedence"),
        prompt("big", 1, "x" * 2_000_000), prompt("key", 1, f"My key is {secret}"),
        prompt("a/1.0.0/b", 1), prompt("über/größe", 1), prompt("no", "v1"),
        {**prompt("odd", 1), "type": "chat", "prompt": [{"role": "wizard", "content": "x"}]},
    ]  # fmt: skip
    path = house.write("x.jsonl", *records)
    dry = house.migrate(path, options=("--dry-run",))
    report = house.migrate(path)
    again = house.migrate(path)
    assert report["losses"] == dry["losses"] == again["losses"]
    assert again["counts"]["prompt versions"]["new"] == again["counts"]["labels"]["new"] == 0
    names = {one["name"] for one in house.client.get("/v1/prompts")["items"]}
    assert {"Support-Triage", "Welcome"} <= names
    (twin,) = [name for name in names if name.startswith("welcome-")]
    assert house.client.get(f"/v1/prompts/{twin}?render=false")["content"]["metadata"] == {
        "langfuse_name": "welcome"
    }
    rejected = {
        f"{one['record']['name']} {one['record']['version']}": one["reason"] for one in house.kept
    }
    assert {"welcome 1", "welcome 1.0.0", "big 1", "no v1", "odd 1"} <= rejected.keys()
    assert all(reason.startswith("rejected: ") for reason in rejected.values())
    assert house.client.get("/v1/sync")["rejected"] == []


@pytest.mark.parametrize(
    ("option", "current", "told"), [("keep", "1", True), ("move", "2", False), ("skip", "1", False)]
)
def test_a_label_that_exists_is_moved_only_if_that_is_said(
    house: House, option: str, current: str, *, told: bool
) -> None:
    house.migrate(house.write("x.jsonl", prompt("a", 1, labels=["production"])))
    path = house.write(
        "y.jsonl", prompt("a", 1), prompt("a", 2, "Two", labels=["production", "staging"])
    )
    report = house.migrate(path, options=("--labels", option))
    labels = {
        one["name"]: one["version_tag"] for one in house.client.get("/v1/prompts/a/labels")["items"]
    }
    assert labels["production"] == current
    assert ("staging" in labels) == (option != "skip")
    assert ("it points at another version" in str(report["losses"])) == told
    if option == "move":
        assert len(house.client.get("/v1/prompts/a/labels/production/history")["items"]) == 2


def test_what_is_published_otherwise_stays(house: House) -> None:
    house.client.post(
        "/v1/prompts",
        {"name": "a", "version": "1", "messages": [{"role": "user", "content": "Mine"}]},
    )
    report = house.migrate(house.write("x.jsonl", prompt("a", 1, "Theirs"), prompt("a", 2, "Two")))
    assert "it stays" in losses(report)["prompt.version"]
    assert (
        house.client.get("/v1/prompts/a?version=1")["content"]["messages"][0]["content"] == "Mine"
    )
    assert house.client.get("/v1/prompts/a")["version"]["version_tag"] == "2"


def test_a_key_of_somebody_goes_into_no_commit(house: House) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLE"
    report = house.migrate(
        house.write("x.jsonl", prompt("key", 1, f"My key is {secret}"), prompt("fine", 1))
    )
    assert "rejected" in losses(report)["prompt"]
    assert [one["name"] for one in house.client.get("/v1/prompts")["items"]] == ["fine"]
    assert secret in house.rejected.read_text()


def test_of_two_versions_with_one_label_the_newest_has_it(house: House) -> None:
    path = house.write(
        "x.jsonl",
        prompt("a", 9, "Nine", labels=["production"]),
        prompt("a", 10, "Ten", labels=["production"]),
    )
    assert "two versions have it" in str(house.migrate(path)["losses"])
    assert house.client.get("/v1/prompts/a?label=production")["version"]["version_tag"] == "10"
