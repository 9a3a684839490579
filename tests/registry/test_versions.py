# SPDX-License-Identifier: Apache-2.0
"""Version tags read from real objects, among them such as somebody made by hand to trick us."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

import pytest

from gitprompt.core.publication import Rejection, Version
from gitprompt.git.objects import ObjectReader
from gitprompt.git.repository import Repository
from gitprompt.registry.versions import (
    Loaded,
    Severities,
    blob_of_move,
    load_chunks,
    load_pinned,
    load_versions,
)
from tests.world import WELCOME, Clone

PREFIX = "refs/tags/prompts/"
MESSAGE = '{"messages": [{"role": "user", "content": "%s"}]}'
UNUSED = WELCOME.replace("{{name}}", "you")


@pytest.fixture
def reader(published: Clone) -> Iterator[ObjectReader]:
    with Repository.open(str(published.path)).reader() as reader:
        yield reader


def load(
    reader: ObjectReader, refs: Sequence[tuple[str, str]], severities: Severities | None = None
) -> list[Loaded | Rejection]:
    full = [(PREFIX + ref, oid) for ref, oid in refs]
    return list(load_versions(reader, full, severities or {}))


def version(reader: ObjectReader, ref: str, oid: str) -> Loaded:
    (item,) = load(reader, [(ref, oid)])
    assert isinstance(item, Loaded), item
    return item


def reason(reader: ObjectReader, ref: str, oid: str) -> str:
    (item,) = load(reader, [(ref, oid)])
    assert isinstance(item, Rejection), item
    return item.findings[0].message


def stored(clone: Clone, text: str, kind: str = "blob") -> str:
    """An object as it is given, however wrong."""
    return clone.git("hash-object", "-w", "-t", kind, "--literally", "--stdin", stdin=text)


# What is published


def test_a_version_says_where_it_comes_from(reader: ObjectReader, published: Clone) -> None:
    tag = published.git("rev-parse", "prompts/welcome/1.0.0")
    item = version(reader, "welcome/1.0.0", tag)
    at = int(published.git("for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/prompts"))
    head, blob = published.git("rev-parse", "HEAD", "HEAD:prompts/welcome.yaml").split()
    assert item.version == Version(
        "welcome", "1.0.0", tag, head, blob, at, "Ada Test <ada@example.com>",
        "prompts/welcome.yaml",
    )  # fmt: skip
    assert json.loads(item.document)["messages"] == [{"role": "user", "content": "Hello {{name}}!"}]


def test_outcomes_come_in_the_order_of_the_refs_and_one_bad_ref_stops_none(
    reader: ObjectReader, published: Clone
) -> None:
    head = published.git("rev-parse", "HEAD")
    refs = [
        ("welcome/1", head),
        ("welcome/x", head),
        ("welcome/2", "0" * 39 + "1"),
        ("welcome/3", head),
    ]
    outcomes = load(reader, refs)
    assert [item.ref for item in outcomes] == [PREFIX + ref for ref, _ in refs]
    assert [isinstance(item, Loaded) for item in outcomes] == [True, False, False, True]


def test_chunks_together_are_all_of_it(reader: ObjectReader, published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    refs = [(f"{PREFIX}welcome/{number}", head) for number in range(5)]
    chunks = list(load_chunks(reader, refs, {}, size=2))
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert [item for chunk in chunks for item in chunk] == list(load_versions(reader, refs, {}))


def test_the_file_of_the_version_comes_before_the_working_copy(
    reader: ObjectReader, published: Clone
) -> None:
    published.write("prompts/welcome/2.0.0.json", MESSAGE % "of the version")
    commit = published.commit("The layout of the seed")
    item = version(reader, "welcome/2.0.0", commit)
    assert item.version.path == "prompts/welcome/2.0.0.json"
    assert version(reader, "welcome/2.0.1", commit).version.path == "prompts/welcome.yaml"


def test_a_document_without_a_commit_is_read_by_what_it_looks_like(
    reader: ObjectReader, published: Clone
) -> None:
    for text, path in ((MESSAGE % "x", "prompts/a/b.json"), (WELCOME, "prompts/a/b.yaml")):
        blob = stored(published, text)
        published.git("tag", "-f", "-a", "-m", "x", "blob", blob)
        item = version(reader, "a/b/1", published.git("rev-parse", "refs/tags/blob"))
        assert (item.version.commit, item.version.blob, item.version.path) == (None, blob, path)


def test_the_tags_of_a_document_come_with_it(reader: ObjectReader, published: Clone) -> None:
    commit = published.commit("Tags", welcome=WELCOME + "tags: [greeting, short]\n")
    assert version(reader, "welcome/2", commit).tags == ("greeting", "short")


def test_severities_decide_what_a_finding_costs(reader: ObjectReader, published: Clone) -> None:
    commit = published.commit("Unused", welcome=UNUSED)
    assert isinstance(load(reader, [("welcome/2", commit)])[0], Loaded)
    (item,) = load(reader, [("welcome/2", commit)], {"unused-variable": "error"})
    assert isinstance(item, Rejection)
    assert [finding.code for finding in item.findings] == ["unused-variable"]


# What is not


def test_a_folder_or_a_missing_blob_in_place_of_a_document_is_rejected(
    reader: ObjectReader, published: Clone
) -> None:
    folder = published.git("rev-parse", "HEAD:prompts")
    (missing, entry) = ("1" * 40, "prompts/lost.yaml")
    lost = published.git("mktree", "--missing", stdin=f"100644 blob {missing}\tlost.yaml\n")
    nested = published.git("mktree", stdin=f"040000 tree {folder}\tfolder.yaml\n")
    for name, tree, message in (
        ("lost", lost, f"the document of {entry} is missing"),
        ("folder", nested, "prompts/folder.yaml is a folder, not a file"),
    ):
        top = published.git("mktree", stdin=f"040000 tree {tree}\tprompts\n")
        commit = published.git("commit-tree", top, "-m", "x")
        assert reason(reader, f"{name}/1", commit) == message


def test_a_tag_of_a_tag_publishes_nothing(reader: ObjectReader, published: Clone) -> None:
    published.git("tag", "-a", "-m", "x", "outer", "prompts/welcome/1.0.0")
    outer = published.git("rev-parse", "refs/tags/outer")
    assert reason(reader, "welcome/2", outer).startswith("the tag points at a tag, not at a commit")


def test_a_tag_whose_target_is_gone_is_rejected(reader: ObjectReader, published: Clone) -> None:
    for kind in ("commit", "blob"):
        text = f"object {'2' * 40}\ntype {kind}\ntag x\ntagger A <a@b> 1 +0000\n\nx\n"
        tag = stored(published, text, "tag")
        assert isinstance(load(reader, [("welcome/2", tag)])[0], Rejection)


def test_a_tree_entry_whose_name_only_contains_the_prompts_is_not_its_document(
    reader: ObjectReader, published: Clone
) -> None:
    published.write("prompts/my welcome.yaml", "messages: 1")
    published.write("prompts/farewelcome.yaml", "messages: 1")
    published.write("prompts/welcome.yaml.txt", "messages: 1")
    commit = published.commit("Look-alikes")
    assert version(reader, "welcome/2", commit).version.path == "prompts/welcome.yaml"
    assert "has no prompts/wel.yaml" in reason(reader, "wel/2", commit)


# Pins and trees


def test_a_pinned_document_that_git_has_lost_is_none_and_its_neighbours_are_read(
    reader: ObjectReader, published: Clone
) -> None:
    item = version(reader, "welcome/1.0.0", published.git("rev-parse", "prompts/welcome/1.0.0"))
    pin, tree = item.version, published.git("rev-parse", "HEAD^{tree}")
    lost = [pin._replace(blob="3" * 40), pin._replace(blob=tree)]
    assert list(load_pinned(reader, [pin, *lost, pin])) == [
        item.document,
        None,
        None,
        item.document,
    ]


def test_the_document_in_a_tree_is_that_of_a_working_copy(
    reader: ObjectReader, published: Clone
) -> None:
    published.write("prompts/support/triage.json", "{}")
    head = published.commit("Nested")
    blob = published.git("rev-parse", "HEAD:prompts/support/triage.json")
    assert blob_of_move(reader, head, "support/triage") == blob
    assert blob_of_move(reader, head, "support") is None
    assert blob_of_move(reader, head, "no/such/folder") is None


# Trees that hold what looks like an entry inside a name


def committed(clone: Clone, files: dict[str, str]) -> str:
    """A commit with these files below prompts/ and no others."""
    clone.git("rm", "-rq", "--cached", "prompts")
    for name, text in files.items():
        blob = stored(clone, text)
        clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob},prompts/{name}")
    return clone.git("commit-tree", "-m", "x", clone.git("write-tree"))


@pytest.mark.parametrize(
    "other", ["z100644 welcome.yaml", "100644 welcome.yaml", "40000 welcome.yaml"]
)
def test_a_name_that_ends_like_an_entry_is_not_that_entry(
    published: Clone, reader: ObjectReader, other: str
) -> None:
    commit = committed(published, {"welcome.yaml": WELCOME, other: UNUSED})
    blob = stored(published, WELCOME)
    assert blob_of_move(reader, commit, "welcome") == blob
    assert version(reader, "welcome/2", commit).version.blob == blob
    alone = committed(published, {other: UNUSED})
    assert blob_of_move(reader, alone, "welcome") is None
    assert "has no prompts/welcome.yaml" in reason(reader, "welcome/2", alone)


def test_an_entry_is_found_whatever_the_bytes_before_it(
    published: Clone, reader: ObjectReader
) -> None:
    """The object before it may end in a zero, or look like a mode."""
    blob, blobs = stored(published, WELCOME), set()
    for text in map(str, range(5_000)):
        raw = hashlib.sha1(b"blob %d\0%b" % (len(text), text.encode())).digest()
        looks_like_a_mode = any(raw[at] in b"01234567" and raw[at + 1] == 32 for at in range(19))
        if not looks_like_a_mode and (0 not in raw or len(text) > 3):
            continue
        neighbour = stored(published, text)
        assert neighbour == raw.hex()
        entry = f"100644 blob {neighbour}\ta.txt\n100644 blob {blob}\twelcome.yaml\n"
        folder = published.git("mktree", stdin=entry)
        tree = published.git("mktree", stdin=f"040000 tree {folder}\tprompts\n")
        commit = published.git("commit-tree", "-m", "x", tree)
        blobs.add(blob_of_move(reader, commit, "welcome"))
    assert blobs == {blob}


def test_what_was_published_under_older_rules_stays(published: Clone, reader: ObjectReader) -> None:
    """`checks.LATER` judges what is new."""
    text = MESSAGE % "{{1st}}"
    tag = published.git("hash-object", "-w", "--stdin", stdin=text)
    published.git("tag", "-a", "-m", "x", "prompts/odd/1", tag)
    oid = published.git("rev-parse", "prompts/odd/1")
    (new,) = load(reader, [("odd/1", oid)])
    assert isinstance(new, Rejection)
    assert [finding.code for finding in new.findings] == ["variable-name"]
    (old,) = load_versions(reader, [(PREFIX + "odd/1", oid)], {}, are_published=True)
    assert isinstance(old, Loaded)


@pytest.mark.parametrize("text", ["x{{b€}}", "{{" + "a" * 129 + "}}"])
def test_a_variable_that_cannot_be_declared_is_refused_by_the_shortcut_too(
    published: Clone, reader: ObjectReader, text: str
) -> None:
    """Declared or not: what a push takes is what `validate` takes."""
    name = text[text.index("{") + 2 : -2]
    for variables in ({}, {"variables": {name: {"type": "string"}}}):
        document = {"messages": [{"role": "user", "content": text}], **variables}
        blob = published.git("hash-object", "-w", "--stdin", stdin=json.dumps(document))
        published.git("tag", "-a", "-f", "-m", "x", "prompts/odd/1", blob)
        (item,) = load(reader, [("odd/1", published.git("rev-parse", "prompts/odd/1"))])
        assert isinstance(item, Rejection)
        assert {finding.code for finding in item.findings} <= {"variable-name", "schema"}


# Fragments


@pytest.fixture
def sharing(published: Clone) -> Clone:
    """`many` has ten versions of different commits that include a fragment of two states."""
    for number in range(10):
        published.write("prompts/_fragments/tone.md", f"state {number // 5}\n")
        published.commit(f"Change {number}", many=MESSAGE % f"{number} {{{{> tone}}}}")
        published.tag("many", f"1.{number}.0")
    return published


def test_each_version_has_the_fragments_of_its_own_commit(
    reader: ObjectReader, sharing: Clone
) -> None:
    refs = [("welcome/1.0.0", sharing.git("rev-parse", "prompts/welcome/1.0.0"))]
    refs += [
        (f"many/1.{n}.0", sharing.git("rev-parse", f"prompts/many/1.{n}.0")) for n in range(10)
    ]
    plain, *items = load(reader, refs)
    assert isinstance(plain, Loaded)
    assert plain.version.fragments == ""
    for number, item in enumerate(items):
        assert isinstance(item, Loaded)
        content = json.loads(item.document)["messages"][0]["content"]
        assert content == f"{number} state {number // 5}"
        blob = sharing.git(
            "rev-parse", f"prompts/many/1.{number}.0^{{commit}}:prompts/_fragments/tone.md"
        )
        assert item.version.fragments == f"tone {blob}\n"
        assert item.version.blobs == (item.version.blob, blob)
        assert list(load_pinned(reader, [item.version])) == [item.document]


def test_a_pinned_document_that_lost_a_fragment_is_lost(
    reader: ObjectReader, sharing: Clone
) -> None:
    item = version(reader, "many/1.0.0", sharing.git("rev-parse", "prompts/many/1.0.0"))
    lost = item.version._replace(fragments=f"tone {'1' * 40}\n")
    assert list(load_pinned(reader, [lost, item.version])) == [None, item.document]


def test_a_fragment_that_is_a_link_is_none(reader: ObjectReader, sharing: Clone) -> None:
    (sharing.path / "prompts/_fragments/tone.md").unlink()
    (sharing.path / "prompts/_fragments/tone.md").symlink_to("../welcome.yaml")
    sharing.commit("Link")
    tag = sharing.tag("many", "2.0.0")
    assert "there is no fragment" in reason(reader, "many/2.0.0", tag)


def test_a_prompt_among_the_fragments_stays_if_it_was_published(
    reader: ObjectReader, published: Clone
) -> None:
    published.write("prompts/_fragments/odd.yaml", WELCOME)
    published.commit("Add")
    tag = published.tag("_fragments/odd", "1.0.0")
    refs = [(f"{PREFIX}_fragments/odd/1.0.0", tag)]
    (item,) = load_versions(reader, refs, {})
    assert isinstance(item, Rejection)
    assert item.findings[0].code == "reserved-name"
    (item,) = load_versions(reader, refs, {}, are_published=True)
    assert isinstance(item, Loaded)
