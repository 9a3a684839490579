# SPDX-License-Identifier: Apache-2.0
"""What a push may not do, asked directly: objects that are there, and refs that are not yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.push_rules import Refusal, judge, parse_updates, report
from tests.world import WELCOME, Clone

MAIN = "refs/heads/main"
WRITER = frozenset(("read", "write"))


def tag_ref(name: str, version: str) -> str:
    return f"refs/tags/prompts/{name}/{version}"


def tag_object(clone: Clone, name: str, version: str, at: str = "HEAD") -> str:
    """A tag that is made and not yet published."""
    oid = clone.tag(name, version, at)
    clone.git("update-ref", "-d", tag_ref(name, version))
    return oid


def judged(
    clone: Clone, *updates: tuple[str, str, str], scopes: frozenset[str] | None = None
) -> Sequence[Refusal]:
    return judge(
        Repository.open(str(clone.path)), [RefUpdate(*update) for update in updates], scopes=scopes
    )


def code_of(refusals: Sequence[Refusal]) -> str:
    (refusal,) = refusals
    return refusal.findings[0].code


def test_a_version_that_is_valid_may_go_in(published: Clone) -> None:
    oid = tag_object(published, "welcome", "1.1.0")
    assert judged(published, (tag_ref("welcome", "1.1.0"), ZERO, oid)) == []


def test_no_process_is_started_for_each_label_of_a_push(
    published: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = published.git("rev-parse", "HEAD")
    calls: list[str] = []
    git = Repository.git

    def counted(self: Repository, *args: str, **options: Any) -> bytes:
        calls.append(args[0])
        return git(self, *args, **options)

    monkeypatch.setattr(Repository, "git", counted)
    labels = [(f"refs/labels/welcome@l{n}", ZERO, commit) for n in range(100)]
    assert judged(published, *labels) == []
    assert len(calls) < 10


@pytest.mark.parametrize("new", [ZERO, None])
def test_a_published_version_is_neither_moved_nor_deleted(
    published: Clone, new: str | None
) -> None:
    old = published.git("rev-parse", tag_ref("welcome", "1.0.0"))
    refusals = judged(published, (tag_ref("welcome", "1.0.0"), old, new or "a" * 40))
    assert code_of(refusals) == "immutable"


def test_a_version_that_was_seen_once_comes_back_only_as_it_was(published: Clone) -> None:
    oid = tag_object(published, "welcome", "1.1.0")
    repository = Repository.open(str(published.path))
    update = RefUpdate(tag_ref("welcome", "1.1.0"), ZERO, oid)
    assert judge(repository, [update], pinned=lambda _name, _version: oid) == []
    (refusal,) = judge(repository, [update], pinned=lambda _name, _version: "b" * 40)
    assert refusal.findings[0].code == "immutable"


def test_a_document_with_an_error_is_refused_with_its_place(published: Clone) -> None:
    published.commit("Break it", welcome="messages: 3\n")
    oid = tag_object(published, "welcome", "1.1.0")
    (refusal,) = judged(published, (tag_ref("welcome", "1.1.0"), ZERO, oid))
    (finding,) = refusal.findings
    assert (finding.code, finding.path, finding.line) == ("schema", "prompts/welcome.yaml", 1)


@pytest.mark.parametrize(
    ("name", "version", "code"),
    [("Welcome", "1.1.0", "name"), ("welcome", "1", "version"), ("welcome", "v1", "name")],
)
def test_names_and_versions_have_no_twins(
    published: Clone, name: str, version: str, code: str
) -> None:
    if name == "Welcome":
        published.commit("Both spellings", Welcome=WELCOME)
    oid = tag_object(published, name, version)
    assert code_of(judged(published, (tag_ref(name, version), ZERO, oid))) == code


def test_two_tags_of_one_push_are_held_against_each_other(published: Clone) -> None:
    updates = [
        (tag_ref("welcome", version), ZERO, tag_object(published, "welcome", version))
        for version in ("2.0.0", "2.0")
    ]
    assert code_of(judged(published, *updates)) == "version"


@pytest.mark.parametrize(
    "ref",
    [
        "refs/replace/" + "a" * 40, "refs/tags/prompts", "refs/labels", "refs/Tags/prompts/a/1",
        "refs/LABELS/welcome@production",
    ],
)  # fmt: skip
def test_refs_that_would_set_a_trap_are_refused(published: Clone, ref: str) -> None:
    head = published.git("rev-parse", "HEAD")
    assert judged(published, (ref, ZERO, head)) != []
    assert judged(published, (ref, head, ZERO)) == []  # but they may go


def test_a_label_names_a_published_version(published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    ref = "refs/labels/welcome@production"
    assert judged(published, (ref, ZERO, head)) == []
    later = published.commit("Later")
    assert code_of(judged(published, (ref, ZERO, later))) == "label"
    assert code_of(judged(published, (ref, head, ZERO))) == "label"
    assert code_of(judged(published, ("refs/labels/welcome", ZERO, head))) == "name"


def test_a_label_may_name_a_version_of_the_same_push(published: Clone) -> None:
    head = published.commit("Later", welcome=WELCOME.replace("Hello", "Hi"))
    oid = tag_object(published, "welcome", "1.1.0")
    updates = [
        ("refs/labels/welcome@production", ZERO, head), (tag_ref("welcome", "1.1.0"), ZERO, oid),
    ]  # fmt: skip
    assert judged(published, *updates) == []


def test_labels_that_differ_only_in_case_are_refused_also_within_a_push(published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    both = [(f"refs/labels/welcome@{label}", ZERO, head) for label in ("production", "Production")]
    assert [refusal.ref for refusal in judged(published, *both)] == [ref for ref, _, _ in both]


def test_a_protected_label_needs_its_scope_by_the_policy_before_the_push(published: Clone) -> None:
    published.write("gitprompt.yaml", "labels: {protected: {production: admin}}\n")
    published.commit("Protect")
    old = published.git("rev-parse", "HEAD")
    label = (
        "refs/labels/welcome@production",
        ZERO,
        published.git("rev-parse", "prompts/welcome/1.0.0^{}"),
    )
    assert code_of(judged(published, label, scopes=WRITER)) == "protected"
    assert judged(published, label, scopes=WRITER | {"admin"}) == []
    assert judged(published, label) == []  # over SSH, say, where the transport has decided
    published.write("gitprompt.yaml", "labels: {}\n")
    new = published.commit("Relax")
    published.git("update-ref", MAIN, old)
    relaxed = judged(published, label, (MAIN, old, new), scopes=WRITER)
    assert [refusal.ref for refusal in relaxed] == [label[0], MAIN]


def test_the_default_branch_stays_and_its_documents_are_checked(published: Clone) -> None:
    old = published.git("rev-parse", "HEAD")
    assert code_of(judged(published, (MAIN, old, ZERO))) == "ref"
    new = published.commit("Break it", welcome="messages: 3\n")
    published.git("update-ref", MAIN, old)
    (refusal,) = judged(published, (MAIN, old, new))
    assert refusal.findings[0].path == "prompts/welcome.yaml"
    assert judged(published, ("refs/heads/other", ZERO, new)) == []


def test_a_file_that_is_a_symbolic_link_is_refused(published: Clone) -> None:
    old = published.git("rev-parse", "HEAD")
    (published.path / "prompts" / "link.yaml").symlink_to("/etc/passwd")
    new = published.commit("Link")
    published.git("update-ref", MAIN, old)
    (refusal,) = judged(published, (MAIN, old, new))
    assert refusal.findings[0].message == "it is a symbolic link, not a file"


def test_the_question_of_the_hook_is_read_as_git_writes_it() -> None:
    text = f"{ZERO} {'a' * 40} refs/heads/with space\n{'a' * 40} {ZERO} refs/tags/x\n"
    assert parse_updates(text) == [
        RefUpdate("refs/heads/with space", ZERO, "a" * 40), RefUpdate("refs/tags/x", "a" * 40, ZERO),
    ]  # fmt: skip


def test_a_report_is_bounded_and_has_no_control_characters(published: Clone) -> None:
    refusals = judged(published, *((f"refs/labels/x\x1b[{n}", ZERO, "a" * 40) for n in range(60)))
    lines = report(refusals)
    assert lines[-1] == "gitprompt: and 10 more refs"
    assert not any("\x1b" in line for line in lines)
