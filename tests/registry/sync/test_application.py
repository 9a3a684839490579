# SPDX-License-Identifier: Apache-2.0
"""What is served of what Git has: versions, labels, suites, settings; ties, pins, tampering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitprompt.core.variables import render
from gitprompt.registry.sync import Outcome
from gitprompt.store.database import Database
from tests.registry.moving import move
from tests.registry.sidecar import Sidecar
from tests.world import WELCOME, Clone


def test_a_published_version_is_indexed_once(sidecar: Sidecar) -> None:
    assert sidecar.reconcile() == Outcome(True, versions=1)
    assert sidecar.reconcile() == Outcome()
    stored = sidecar.reader.version("default", "welcome", "1.0.0")
    assert stored is not None
    assert stored.document is not None
    assert json.loads(stored.document)["messages"][0]["content"] == "Hello {{name}}!"
    assert stored.version.commit == sidecar.clone.git("rev-parse", "HEAD")
    assert stored.version.author == "Ada Test <ada@example.com>"


def test_all_forms_of_a_version_tag(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    clone.write(
        "prompts/old/1.0.0.json", json.dumps({"messages": [{"role": "user", "content": "a"}]})
    )
    clone.write(
        "prompts/old/2.0.0.json", json.dumps({"messages": [{"role": "user", "content": "b"}]})
    )
    clone.commit("The layout of the seed")
    clone.tag("old", "1.0.0")
    clone.tag("old", "2.0.0")
    clone.git("tag", "prompts/welcome/1.1.0")  # lightweight
    blob = clone.git(
        "hash-object", "-w", "--stdin", stdin='{"messages":[{"role":"user","content":"c"}]}'
    )
    clone.git("tag", "-a", "-m", "x", "prompts/blob/3", blob)
    assert sidecar.reconcile().versions == 5
    contents = {}
    for name, version in [("old", "1.0.0"), ("old", "2.0.0"), ("blob", "3")]:
        stored = sidecar.reader.version("default", name, version)
        assert stored is not None
        assert stored.document is not None
        contents[name, version] = json.loads(stored.document)["messages"][0]["content"]
    assert contents == {("old", "1.0.0"): "a", ("old", "2.0.0"): "b", ("blob", "3"): "c"}
    blob_version = sidecar.reader.version("default", "blob", "3")
    assert blob_version is not None
    assert blob_version.version.commit is None


def test_what_is_not_valid_is_rejected_with_its_reason_and_stops_nothing(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    tree = clone.git("rev-parse", "HEAD^{tree}")
    clone.git("tag", "-a", "-m", "x", "prompts/tree/1.0.0", tree)
    clone.git("tag", "prompts/lightblob/1.0.0", clone.git("rev-parse", "HEAD:prompts/welcome.yaml"))
    clone.tag("missing", "1.0.0")
    clone.git("tag", "-a", "-m", "x", "prompts/welcome/latest")
    clone.git("tag", "-a", "-m", "x", "prompts/a/versions/1.0.0")
    clone.write("prompts/two.yaml", WELCOME)
    clone.write("prompts/two.json", "{}")
    clone.write("prompts/bad.yaml", "messages: {")
    (clone.path / "prompts" / "link.yaml").symlink_to("welcome.yaml")
    clone.commit("Wrong things")
    clone.write("prompts/latin.json", b'{"messages": "\xe9"}')
    clone.commit("Not UTF-8")
    for name in ("two", "bad", "link", "latin"):
        clone.tag(name, "1.0.0")
    clone.tag("welcome", "1.1.0")
    assert sidecar.reconcile().versions == 2
    reasons = sidecar.rejections()
    expected = {
        "tree/1.0.0": "points at a tree",
        "lightblob/1.0.0": "lightweight tag on a blob",
        "missing/1.0.0": "has no prompts/missing.yaml",
        "welcome/latest": "not a semantic version",
        "a/versions/1.0.0": "reserved",
        "two/1.0.0": "has both prompts/two.yaml and prompts/two.json",
        "bad/1.0.0": "not YAML",
        "link/1.0.0": "is a symbolic link",
        "latin/1.0.0": "not valid UTF-8",
    }
    assert {ref.removeprefix("refs/tags/prompts/") for ref in reasons} == set(expected)
    for ref, part in expected.items():
        assert part in reasons[f"refs/tags/prompts/{ref}"]


def test_a_submodule_is_named(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    head = clone.git("rev-parse", "HEAD")
    clone.git("update-index", "--add", "--cacheinfo", f"160000,{head},prompts/sub.yaml")
    clone.git("commit", "-q", "-m", "A submodule")
    clone.tag("sub", "1.0.0")
    sidecar.reconcile()
    assert "is a submodule" in sidecar.rejections()["refs/tags/prompts/sub/1.0.0"]


def test_a_moved_or_deleted_tag_changes_nothing_that_is_served(
    sidecar: Sidecar, tmp_path: Path
) -> None:
    clone = sidecar.clone
    sidecar.reconcile()
    before = sidecar.reader.version("default", "welcome", "1.0.0")
    clone.commit("Other text", welcome=WELCOME.replace("Hello", "Bye"))
    clone.git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0")
    sidecar.reconcile()
    assert sidecar.reader.version("default", "welcome", "1.0.0") == before
    (moved,) = sidecar.reader.tampered("default")
    assert moved.seen == clone.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    clone.git("tag", "-d", "prompts/welcome/1.0.0")
    # All history of the document goes, and git forgets it: the hidden ref keeps the bytes.
    clone.git("update-ref", "-d", "refs/heads/main")
    clone.git("reflog", "expire", "--expire=now", "--all")
    clone.git("gc", "--prune=now", "--quiet")
    sidecar.reconcile()
    assert sidecar.reader.version("default", "welcome", "1.0.0") == before
    (gone,) = sidecar.reader.tampered("default")
    assert gone.seen is None
    assert sidecar.rebuilt(tmp_path / "again") == list(sidecar.index.dump())


def test_a_tag_that_comes_back_is_no_longer_reported(sidecar: Sidecar) -> None:
    sidecar.reconcile()
    pinned = sidecar.clone.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    sidecar.clone.git("tag", "-d", "prompts/welcome/1.0.0")
    sidecar.reconcile()
    assert len(sidecar.reader.tampered("default")) == 1
    sidecar.clone.git("update-ref", "refs/tags/prompts/welcome/1.0.0", pinned)
    sidecar.reconcile()
    assert sidecar.reader.tampered("default") == []


def test_of_case_twins_and_equal_precedence_the_pinned_one_stays(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    sidecar.reconcile()
    clone.write("prompts/Welcome.yaml", WELCOME)
    clone.commit("A twin")
    clone.tag("Welcome", "2.0.0")
    clone.tag("welcome", "1")
    sidecar.reconcile()
    reasons = sidecar.rejections()
    assert "differs only in case from 'welcome'" in reasons["refs/tags/prompts/Welcome/2.0.0"]
    assert "same precedence" in reasons["refs/tags/prompts/welcome/1"]


def test_a_label_has_a_history_and_a_tombstone(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    clone.commit("New text", welcome=WELCOME.replace("Hello", "Hi"))
    clone.tag("welcome", "1.1.0")
    move(clone, "welcome", "production", "1.0.0", "Launch")
    move(clone, "welcome", "production", "1.1.0")
    sidecar.reconcile()
    assert sidecar.reader.labelled("default", "welcome", "production") == "1.1.0"
    shown = clone.git("show", "refs/labels/welcome@production:prompts/welcome.yaml")
    assert "Hi {{name}}" in shown
    move(clone, "welcome", "production", None, "Withdrawn")
    sidecar.reconcile()
    assert sidecar.reader.labelled("default", "welcome", "production") is None
    assert sidecar.reader.labels("default", "welcome", limit=9, offset=0) == []
    move(clone, "welcome", "production", "1.0.0")
    sidecar.reconcile()
    moves = sidecar.reader.moves("default", "welcome", "production", limit=9, offset=0, before=None)
    assert [(m.version, m.previous, m.reason) for _, m in moves] == [
        ("1.0.0", None, ""), (None, "1.1.0", "Withdrawn"), ("1.1.0", "1.0.0", ""), ("1.0.0", None, "Launch"),
    ]  # fmt: skip


def test_a_label_before_its_version_is_settled_when_the_version_comes(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    clone.commit("Later", welcome=WELCOME.replace("Hello", "Later"))
    clone.tag("welcome", "1.1.0")
    move(clone, "welcome", "canary", "1.1.0")
    tag = clone.git("rev-parse", "refs/tags/prompts/welcome/1.1.0")
    clone.git("update-ref", "-d", "refs/tags/prompts/welcome/1.1.0")
    sidecar.reconcile()
    assert "1.1.0 is not published" in sidecar.rejections()["refs/labels/welcome@canary"]
    clone.git("update-ref", "refs/tags/prompts/welcome/1.1.0", tag)
    sidecar.reconcile()
    assert sidecar.reader.labelled("default", "welcome", "canary") == "1.1.0"
    assert sidecar.rejections() == {}


def test_a_bare_pointer_names_the_highest_version_of_its_commit(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    clone.git("update-ref", "refs/labels/welcome@staging", "HEAD")
    sidecar.reconcile()
    assert sidecar.reader.labelled("default", "welcome", "staging") == "1.0.0"
    clone.tag("welcome", "1.0.1")  # on the same commit
    sidecar.reconcile()
    assert sidecar.reader.labelled("default", "welcome", "staging") == "1.0.1"


def test_a_forged_move_is_rejected(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    clone.commit("Other", welcome=WELCOME.replace("Hello", "Other"))
    message = "x\n\nPrompt: welcome\nLabel: production\nVersion: 1.0.0\nPrevious: none\n"
    forged = clone.git("commit-tree", "HEAD^{tree}", "-m", message)
    clone.git("update-ref", "refs/labels/welcome@production", forged)
    clone.git("update-ref", "refs/labels/nolabel", "HEAD")
    sidecar.reconcile()
    reasons = sidecar.rejections()
    assert "does not have the document" in reasons["refs/labels/welcome@production"]
    assert "there is no '@'" in reasons["refs/labels/nolabel"]


def test_suites_and_settings_are_read_at_the_tip(sidecar: Sidecar) -> None:
    clone = sidecar.clone
    clone.write("evals/good.yaml", "prompt_name: welcome\n")
    clone.write("evals/bad.yaml", "description: x\n")
    clone.write("gitprompt.yaml", "labels: {protected: {production: admin}}\n")
    clone.commit("Suites")
    sidecar.reconcile()
    assert sidecar.reader.count_suites("default") == 1
    assert sidecar.reader.settings("default").protected == {"production": "admin"}
    assert list(sidecar.rejections()) == ["evals/bad.yaml"]
    clone.write("evals/bad.yaml", "prompt_name: welcome\n")
    clone.write("gitprompt.yaml", "labels: 3\n")
    clone.commit("Mended and broken")
    sidecar.reconcile()
    assert sidecar.reader.count_suites("default") == 2
    assert sidecar.reader.settings("default").protected == {}
    assert list(sidecar.rejections()) == ["gitprompt.yaml"]


def test_the_label_namespace_is_a_setting(sidecar: Sidecar, tmp_path: Path) -> None:
    clone = sidecar.clone
    clone.git("update-ref", "refs/labels/welcome@production", "HEAD")
    sidecar.reconcile()
    clone.write("gitprompt.yaml", "labels: {namespace: refs/heads/labels}\n")
    commit = clone.git("rev-parse", "HEAD")
    clone.commit("Labels are branches")
    clone.git("update-ref", "refs/heads/labels/welcome@staging", commit)
    sidecar.reconcile()
    labels = sidecar.reader.labels("default", "welcome", limit=9, offset=0)
    assert [label for label, _, _ in labels] == ["staging"]
    assert sidecar.rebuilt(tmp_path / "again") == list(sidecar.index.dump())


def test_changed_severities_judge_rejected_tags_again(sidecar: Sidecar, tmp_path: Path) -> None:
    clone = sidecar.clone
    clone.commit("Undeclared", other="messages: [{role: user, content: '{{x}}'}]\nvariables: {}\n")
    clone.tag("other", "1.0.0")
    sidecar.reconcile()
    assert "refs/tags/prompts/other/1.0.0" in sidecar.rejections()
    clone.write("gitprompt.yaml", "checks: {undeclared-variable: warning}\n")
    clone.commit("Be lenient")
    sidecar.reconcile()
    assert sidecar.rejections() == {}
    assert sidecar.rebuilt(tmp_path / "again") == list(sidecar.index.dump())


def test_bytes_are_kept_alive_before_a_version_is_pinned(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A death between the two must not leave a pin without its bytes."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Database, "start", die)
        with pytest.raises(KeyboardInterrupt):
            sidecar.reconcile()
    blob = sidecar.clone.git("rev-parse", "HEAD:prompts/welcome.yaml")
    assert blob in sidecar.clone.git("rev-list", "--objects", "refs/gitprompt/pins")
    assert sidecar.reconcile().versions == 1


def test_labels_that_vanish_with_a_change_of_namespace(sidecar: Sidecar, tmp_path: Path) -> None:
    clone = sidecar.clone
    clone.git("update-ref", "refs/labels/welcome@production", "HEAD")
    sidecar.reconcile()
    clone.write("gitprompt.yaml", "labels: {namespace: refs/heads/labels}\n")
    clone.commit("Labels are branches")
    clone.git("update-ref", "-d", "refs/labels/welcome@production")
    sidecar.reconcile()
    assert sidecar.reader.labels("default", "welcome", limit=9, offset=0) == []
    assert sidecar.rebuilt(tmp_path / "again") == list(sidecar.index.dump())


# What was published stays

_ODD: list[Any] = [None, 1, "x", [], [1], {}, {"type": "placeholder"}, [{"type": 3}]]
_FIELDS = ("tools", "tool_choice", "response_format", "deprecated", "tests", "x", "desciption")
_OF_MESSAGES = ("tool_calls", "tool_call_id", "type", "required", "name", "x")


def test_an_index_without_pins_serves_every_odd_version_of_the_first_release(
    sidecar: Sidecar, published: Clone
) -> None:
    """Whatever fields that mean something now held then, and names that are kept for fragments."""
    message = {"role": "user", "content": "Hello {{1st}}, {{größe}}"}
    documents: dict[str, Any] = {"_fragments/odd": {"messages": [message]}}
    for at, value in enumerate(_ODD):
        for field in _FIELDS:
            documents[f"{field}/odd{at}"] = {"messages": [message], field: value}
        for field in _OF_MESSAGES:
            if field != "name" or isinstance(value, str):  # a name was text then too
                documents[f"messages/{field}/odd{at}"] = {"messages": [{**message, field: value}]}
    for name, document in documents.items():
        published.write(f"prompts/{name}.json", json.dumps(document))
    published.git("add", "-A")
    published.git("commit", "-q", "-m", "The first release")
    head = published.git("rev-parse", "HEAD")
    lines = (f"create refs/tags/prompts/{name}/1.0.0 {head}\n" for name in documents)
    published.git("update-ref", "--stdin", stdin="".join(lines))
    sidecar.reconcile()
    assert sidecar.rejections() == {}
    for name, document in documents.items():
        stored = sidecar.reader.version("default", name, "1.0.0")
        assert stored is not None, name
        assert stored.value == document
        (rendered,) = render(stored.value, {"größe": "L"})
        assert rendered["content"] == "Hello , L"
