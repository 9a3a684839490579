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
from gitprompt.git.repository import Repository
from gitprompt.registry import clone as clones
from gitprompt.registry import sync as sync_module
from gitprompt.registry import versions
from gitprompt.registry.sync import Outcome, Source, Sync
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import IndexWriter, open_index
from tests.registry.moving import move
from tests.registry.sidecar import Sidecar
from tests.world import WELCOME, Clone, Refused


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
