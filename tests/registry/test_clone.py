# SPDX-License-Identifier: Apache-2.0
"""A registry read straight from a clone: what a selector means there, and what there is instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.core.publication import LabelHistory
from gitprompt.errors import Invalid, NotFound
from gitprompt.git.repository import Repository
from gitprompt.registry import clone as clones
from gitprompt.registry import refwrites
from gitprompt.registry.clone import Resolved, Selector, parse_selector
from tests.registry.moving import move_label
from tests.world import WELCOME, Clone

TRACKED = "refs/remotes/origin/labels/welcome@production"
LOCAL = "refs/labels/welcome@production"


@pytest.fixture
def story(published: Clone) -> Clone:
    """welcome 1.0.0, 1.10.0 and 1.9.0, and a work tree that says something else."""
    for version in ("1.10.0", "1.9.0"):
        published.commit(version, welcome=WELCOME.replace("Hello", version))
        published.tag("welcome", version)
    published.write("prompts/welcome.yaml", WELCOME.replace("Hello", "Draft"))
    return published


def read(clone: Clone) -> clones.Clone:
    return clones.Clone(Repository.open(str(clone.path)))


def resolve(clone: Clone, text: str) -> Resolved:
    return read(clone).resolve(parse_selector(text))


def greeting(resolved: Resolved) -> str:
    return str(resolved.document["messages"][0]["content"]).partition(" ")[0]


def move(clone: Clone, version: str | None, *, label: str = "production") -> str:
    """A move of a label of welcome; returns the commit."""
    registry = read(clone)
    (target,) = [v for v in registry.versions("welcome") if v.version == version] or (None,)
    update = move_label(
        registry.repository,
        "welcome",
        label,
        target,
        current=registry.label("welcome", label),
        local=registry.label_refs.get(f"refs/labels/welcome@{label}"),
        author=refwrites.identity(registry.repository),
    )
    return update.new


# Selectors


def test_a_selector_is_a_name_and_what_follows_the_first_at() -> None:
    assert parse_selector("support/triage") == Selector("support/triage", None)
    assert parse_selector("welcome@1.0.0@x") == Selector("welcome", "1.0.0@x")
    assert str(parse_selector("welcome@.")) == "welcome@."


def test_a_selector_that_names_nothing_is_invalid() -> None:
    with pytest.raises(Invalid, match="'welcome@' names nothing after the @"):
        parse_selector("welcome@")
    for text in ("", "@production", "../etc/passwd", "a b"):
        with pytest.raises(Invalid):
            parse_selector(text)


def test_a_name_alone_is_the_newest_version_and_not_the_latest_tag(story: Clone) -> None:
    resolved = resolve(story, "welcome")
    assert resolved.version is not None
    assert (resolved.version.version, greeting(resolved)) == ("1.10.0", "1.10.0")
    assert [v.version for v in read(story).versions("welcome")] == ["1.10.0", "1.9.0", "1.0.0"]


def test_a_number_and_a_label_name_a_version_and_a_dot_the_work_tree(story: Clone) -> None:
    move(story, "1.9.0")
    at = {
        text: greeting(resolve(story, f"welcome@{text}")) for text in ("1.0.0", "production", ".")
    }
    assert at == {"1.0.0": "Hello", "production": "1.9.0", ".": "Draft"}
    assert resolve(story, "welcome@.").version is None


def test_what_is_not_there_is_answered_with_what_there_is(story: Clone) -> None:
    move(story, "1.9.0")
    story.write("prompts/draft.yaml", WELCOME)
    for text, message, hint in (
        ("welcome@2.0.0", "Version welcome@2.0.0 not found", "Published: 1.10.0, 1.9.0, 1.0.0."),
        ("welcome@staging", "Label staging of welcome not found", "labels here: production. "),
        ("draft", "draft is not published yet", "gitprompt publish draft"),
        ("welcom", "Prompt welcom not found", "Did you mean welcome?"),
        ("zzz", "Prompt zzz not found", "`gitprompt list`"),
        ("zzz@.", "prompts/zzz.yaml is not in the work tree", ""),
    ):
        with pytest.raises(NotFound) as error:
            resolve(story, text)
        assert error.value.message == message
        assert hint in error.value.hint
        assert read(story).find(parse_selector(text)) is None


# The work tree


def test_a_working_copy_with_an_error_is_named_with_its_place(story: Clone) -> None:
    story.write("prompts/welcome.yaml", "messages:\n  - role: nobody\n    content: x\n")
    with pytest.raises(Invalid, match=r"^prompts/welcome\.yaml:2:\d+: "):
        resolve(story, "welcome@.")


def test_a_working_copy_that_is_a_symbolic_link_is_not_followed(
    story: Clone, tmp_path: Path
) -> None:
    (tmp_path / "secret.yaml").write_text(WELCOME)
    (story.path / "prompts/link.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(NotFound):
        resolve(story, "link@.")


def test_files_of_versions_are_no_working_copies(story: Clone) -> None:
    story.write("prompts/seed/1.0.0.json", "{}")
    story.write("prompts/support/triage.yml", WELCOME)
    story.write("prompts/notes.txt", "x")
    registry = read(story)
    assert registry.working_copies() == {
        "support/triage": "prompts/support/triage.yml",
        "welcome": "prompts/welcome.yaml",
    }
    assert registry.names() == ["support/triage", "welcome"]


def test_a_bare_repository_has_no_work_tree(story: Clone, tmp_path: Path) -> None:
    story.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = Clone(tmp_path / "bare.git")
    assert read(bare).working_copies() == {}
    assert greeting(resolve(bare, "welcome")) == "1.10.0"
    with pytest.raises(NotFound, match="not in the work tree"):
        resolve(bare, "welcome@.")


# Labels


def test_of_a_label_here_and_one_that_was_fetched_the_descendant_counts(story: Clone) -> None:
    first = move(story, "1.0.0")
    second = move(story, "1.9.0")
    for here, fetched in ((first, second), (second, first)):
        story.git("update-ref", LOCAL, here)
        story.git("update-ref", TRACKED, fetched)
        assert read(story).label_refs == {LOCAL: second}
    story.git("update-ref", "-d", LOCAL)
    assert read(story).label_refs == {LOCAL: first}


def test_a_label_that_was_removed_has_a_history_and_names_no_version(story: Clone) -> None:
    move(story, "1.0.0")
    move(story, None)
    label = read(story).label("welcome", "production")
    assert label is not None
    assert [step.version for step in label.moves] == [None, "1.0.0"]
    with pytest.raises(NotFound, match="Label production of welcome not found"):
        resolve(story, "welcome@production")


def test_a_label_whose_ref_breaks_the_rules_is_invalid_and_stops_no_other(story: Clone) -> None:
    move(story, "1.0.0", label="canary")
    story.git("update-ref", LOCAL, story.git("rev-parse", "HEAD:prompts/welcome.yaml"))
    registry = read(story)
    with pytest.raises(Invalid, match="refs/labels/welcome@production: "):
        registry.label("welcome", "production")
    healthy = [x.label for x in registry.labels("welcome") if isinstance(x, LabelHistory)]
    assert healthy == ["canary"]
    assert registry.label("welcome", "never-set") is None
