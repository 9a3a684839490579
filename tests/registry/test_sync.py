# SPDX-License-Identifier: Apache-2.0
"""Git → index, and the promise that the index is a function of (Git, pins)."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import dulwich.repo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.core.publication import LabelHistory
from gitprompt.core.variables import render
from gitprompt.git.repository import Repository
from gitprompt.registry import clone as clones
from gitprompt.registry import refwrites, versions
from gitprompt.registry import sync as sync_module
from gitprompt.registry.sync import Outcome, Source, Sync
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import IndexWriter, open_index
from tests import databases
from tests.registry.moving import move_label
from tests.world import WELCOME, Clone, Refused


class Sidecar:
    """Sync without a server."""

    def __init__(self, clone: Clone, folder: Path) -> None:
        self.clone = clone
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.database = Database(databases.location(folder))
        self.source = Source("default", Repository.open(str(clone.path)), owned=True)
        self.index = open_index(str(folder / "index.db"))
        self.reader = IndexReader(self.index.path)
        self.sync = Sync(self.index, self.database, lambda: 1_700_000_000)

    def reconcile(self) -> Outcome:
        return self.sync.reconcile(self.source)

    def rebuilt(self, folder: Path) -> list[tuple[Any, ...]]:
        """The dump of an index that is built from nothing, with the same pins."""
        folder.mkdir(exist_ok=True)
        index = open_index(str(folder / "index.db"))
        sync = Sync(index, self.database, lambda: 1_700_000_001)
        sync.reconcile(self.source)
        sync.close()
        dump = list(index.dump())
        index.close()
        return dump

    def rejections(self) -> dict[str, str]:
        return {r.ref: r.findings[0].message for r in self.reader.rejected("default")}

    def close(self) -> None:
        self.sync.close()
        self.reader.close()
        self.index.close()
        self.database.close()


@pytest.fixture
def sidecar(published: Clone, tmp_path: Path) -> Any:
    running = Sidecar(published, tmp_path / "data")
    yield running
    running.close()


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


def move(clone: Clone, name: str, label: str, version: str | None, reason: str = "") -> None:
    """A label move as `gitprompt label set` makes it, without a process for each."""
    found = clones.Clone(Repository.open(str(clone.path)))
    current = found.label(name, label)
    wanted = next((v for v in found.versions(name) if v.version == version), None)
    move_label(
        found.repository, name, label, wanted, current=current,
        local=current.tip if current else None, author=refwrites.identity(found.repository), reason=reason,
    )  # fmt: skip


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


def test_many_tags_are_loaded_in_chunks_with_the_same_outcome(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = []
    for number in range(1, 800):
        text = json.dumps({"messages": [{"role": "user", "content": str(number)}]})
        text = text if number % 7 else "{"
        stream.append(f"blob\nmark :1\ndata {len(text)}\n{text}\ntag prompts/p{number % 9}/1.0.{number}\n"
                      f"from :1\ntagger A <a@b> {1_600_000_000 + number} +0000\ndata 1\nx\n")  # fmt: skip
    clone.git("fast-import", "--quiet", stdin="".join(stream))
    whole = Sidecar(clone, tmp_path / "one")
    whole.reconcile()
    monkeypatch.setattr("gitprompt.registry.sync._CHUNK", 100)
    chunked = Sidecar(clone, tmp_path / "two")
    outcome = chunked.reconcile()
    assert (outcome.versions, outcome.rejected) == (685, 114)
    assert list(chunked.index.dump()) == list(whole.index.dump())
    whole.close()
    chunked.close()


# The property: whatever happened, in whatever order we looked, the rebuilt index is the same.

NAMES = ("welcome", "Welcome", "support/triage")
VERSIONS = ("1.0.0", "1", "1.1.0", "2.0.0-rc.1")
LABELS = ("production", "Production", "staging")
STEP = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(NAMES), st.sampled_from(VERSIONS)),
    st.tuples(st.just("blob"), st.sampled_from(NAMES), st.sampled_from(VERSIONS)),
    st.tuples(st.just("force"), st.sampled_from(NAMES), st.sampled_from(VERSIONS)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.sampled_from(VERSIONS)),
    st.tuples(st.just("label"), st.sampled_from(NAMES), st.sampled_from(LABELS)),
    st.tuples(st.just("bare"), st.sampled_from(NAMES), st.sampled_from(LABELS)),
    st.tuples(st.just("unlabel"), st.sampled_from(NAMES), st.sampled_from(LABELS)),
    st.tuples(st.sampled_from(["gc", "pack", "sync", "sync", "break"]), st.just(""), st.just("")),
)


class History:
    """Plain git on a repository, as a person with shell access would use it."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.clock = 1_700_000_000
        self.random = random.Random(7)

    def _env(self) -> dict[str, str]:
        self.clock += 10
        when = f"{self.clock} +0000"
        return {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}

    def _document(self) -> str:
        return f'{{"messages":[{{"role":"user","content":"text {self.random.random()}"}}]}}'

    def do(self, action: str, name: str, what: str) -> None:
        with suppress(Refused):  # it exists already, or there is nothing to delete
            getattr(self, f"_{action}")(name, what)

    def _publish(self, name: str, version: str, *more: str) -> None:
        self.clone.write(f"prompts/{name}.json", self._document())
        self.clone.git("add", "-A")
        self.clone.git("commit", "-q", "-m", "x", env=self._env())
        self.clone.git("tag", *more, "-a", "-m", "x", f"prompts/{name}/{version}", env=self._env())

    def _force(self, name: str, version: str) -> None:
        self._publish(name, version, "-f")

    def _blob(self, name: str, version: str) -> None:
        blob = self.clone.git("hash-object", "-w", "--stdin", stdin=self._document())
        self.clone.git("tag", "-a", "-m", "x", f"prompts/{name}/{version}", blob, env=self._env())

    def _delete(self, name: str, version: str) -> None:
        self.clone.git("tag", "-d", f"prompts/{name}/{version}")

    def _bare(self, name: str, label: str) -> None:
        self.clone.git("update-ref", f"refs/labels/{name}@{label}", "HEAD")

    def _unlabel(self, name: str, label: str) -> None:
        self.clone.git("update-ref", "-d", f"refs/labels/{name}@{label}")

    def _label(self, name: str, label: str) -> None:
        """A hand-made move to any version, published or not."""
        tree = self.clone.git("mktree", stdin="")
        version = self.random.choice(VERSIONS)
        message = f"x\n\nPrompt: {name}\nLabel: {label}\nVersion: {version}\nPrevious: none\n"
        found = subprocess.run(
            ["git", "-C", str(self.clone.path), "rev-parse", "-q", "--verify", f"prompts/{name}/{version}^{{}}"],
            capture_output=True, text=True, check=False,
        ).stdout.strip()  # fmt: skip
        kind = self.clone.git("cat-file", "-t", found) if found else ""
        if kind == "commit":
            tree = f"{found}^{{tree}}"
        commit = self.clone.git("commit-tree", tree, "-m", message, env=self._env())
        self.clone.git("update-ref", f"refs/labels/{name}@{label}", commit)

    def _gc(self, name: str, what: str) -> None:
        self.clone.git("reflog", "expire", "--expire=now", "--all")
        self.clone.git("gc", "-q", "--prune=now")

    def _pack(self, name: str, what: str) -> None:
        self.clone.git("pack-refs", "--all")

    def _break(self, name: str, what: str) -> None:
        self.clone.write("prompts/welcome.json", "{")
        self.clone.git("add", "-A")
        self.clone.git("commit", "-q", "-m", "x", env=self._env())


@given(st.lists(STEP, min_size=3, max_size=14), st.data())
@settings(max_examples=25)
def test_rebuilt_equals_incremental_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]], data: Any
) -> None:
    folder = tmp_path_factory.mktemp("history")
    clone = Clone.init(folder / "clone")
    clone.git("commit", "-q", "--allow-empty", "-m", "root")
    sidecar = Sidecar(clone, folder / "data")
    history = History(clone)
    try:
        for action, name, what in steps:
            if action == "sync":
                sidecar.reconcile()
            else:
                history.do(action, name, what)
        sidecar.reconcile()
        incremental = list(sidecar.index.dump())
        assert sidecar.rebuilt(folder / "again") == incremental
    finally:
        sidecar.close()


def test_arrival_in_any_order_gives_the_same_index(clone: Clone, tmp_path: Path) -> None:
    """The same refs, synced one by one in two orders, and all at once: one index, for refs that can
    all be served together. (Where two cannot, the one that was pinned first stays.)"""
    history = History(clone)
    clone.git("commit", "-q", "--allow-empty", "-m", "root")
    for name, version in [("a", "1.0.0"), ("a", "1.1.0"), ("b", "1.0.0")]:
        history.do("publish", name, version)
    history.do("bare", "b", "staging")
    refs = clone.git(
        "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags", "refs/labels"
    )
    lines = refs.splitlines()
    dumps = []
    for number, order in enumerate((lines, lines[::-1], None)):
        for line in lines:
            clone.git("update-ref", "-d", line.split(" ")[1])
        sidecar = Sidecar(clone, tmp_path / f"order{number}")
        for line in order or lines:
            oid, ref = line.split(" ")
            clone.git("update-ref", ref, oid)
            if order:
                sidecar.reconcile()
        sidecar.reconcile()
        dumps.append(list(sidecar.index.dump()))
        sidecar.close()
    assert dumps[0] == dumps[1] == dumps[2]


def test_dulwich_reads_everything_that_we_write(published: Clone) -> None:
    move(published, "welcome", "production", "1.0.0", "Launch")
    registry = clones.Clone(Repository.open(str(published.path)))
    (version,) = registry.versions("welcome")
    (label,) = registry.labels()
    assert isinstance(label, LabelHistory)
    label_ref: Any = b"refs/labels/welcome@production"
    with dulwich.repo.Repo(str(published.path)) as repo:
        tag: Any = repo[version.tag.encode()]
        assert tag.name == b"prompts/welcome/1.0.0"
        commit: Any = repo[tag.object[1]]
        assert commit.id.decode() == version.commit
        move_commit: Any = repo[repo.get_refs()[label_ref]]
        assert b"Version: 1.0.0" in move_commit.message
        tree: Any = repo[move_commit.tree]
        _, blob_id = tree.lookup_path(repo.__getitem__, b"prompts/welcome.yaml")
        assert blob_id.decode() == version.blob
        blob: Any = repo[blob_id]
        assert blob.data.decode() == WELCOME


def test_a_damaged_index_is_built_again(sidecar: Sidecar) -> None:
    sidecar.reconcile()
    before = list(sidecar.index.dump())
    sidecar.reader.close()
    sidecar.index.close()
    path = Path(sidecar.index.path)
    path.write_bytes(b"this is not a database" * 100)
    sidecar.index = open_index(str(path))
    sidecar.reader = IndexReader(str(path))
    assert isinstance(sidecar.index, IndexWriter)
    again = Sync(sidecar.index, sidecar.database, lambda: 0)
    again.reconcile(sidecar.source)
    again.close()
    assert list(sidecar.index.dump()) == before


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


def test_a_workspace_that_is_being_read_keeps_no_other_waiting(
    sidecar: Sidecar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Clone.init(tmp_path / "other")
    other.commit("Start", other=WELCOME)
    other.tag("other", "1.0.0")
    elsewhere = Source("other", Repository.open(str(other.path)), owned=True)
    reading, go_on = threading.Event(), threading.Event()
    load_chunks = versions.load_chunks

    def slow_for_the_first(reader: Any, refs: Any, *args: Any, **options: Any) -> Any:
        if any("welcome" in ref for ref, _ in refs):
            reading.set()
            assert go_on.wait(10)
        return load_chunks(reader, refs, *args, **options)

    monkeypatch.setattr(sync_module, "load_chunks", slow_for_the_first)
    outcomes: list[Outcome] = []
    first = threading.Thread(target=lambda: outcomes.append(sidecar.reconcile()))
    first.start()
    try:
        assert reading.wait(10)
        assert sidecar.sync.reconcile(elsewhere).versions == 1
        assert not outcomes
    finally:
        go_on.set()
        first.join()
    assert outcomes == [Outcome(True, versions=1)]


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
