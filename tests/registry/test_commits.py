# SPDX-License-Identifier: Apache-2.0
"""The commits of the server: which of them go on the branch, and what their files keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gitprompt import formats
from gitprompt.core.publication import Version
from gitprompt.errors import Conflict, NotFound, SetupError
from gitprompt.git.objects import Signature
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry.commits import (
    Draft,
    PublicationCommit,
    SuiteChange,
    publication,
    suite_commit,
    suite_file,
    written,
)
from tests.world import WELCOME, Clone

ADA = Signature("Ada", "ada@example.com", 1_700_000_000)
MAIN = "refs/heads/main"
OLD = formats.read(WELCOME.encode(), "welcome.yaml")
NEW = {"messages": [{"role": "user", "content": "Good day, {{name}}!"}], "variables": {}}


class Branch:
    """A repository whose branch a draft may go on."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.repository = Repository.open(str(clone.path))
        self.writer = ObjectWriter(self.repository)

    @property
    def tip(self) -> str | None:
        return self.writer.ref(MAIN)

    def newest(self, document: Mapping[str, Any] = OLD) -> tuple[Version, Mapping[str, Any]]:
        """welcome 1.0.0, as it was published."""
        commit = self.clone.git("rev-parse", "prompts/welcome/1.0.0^{commit}")
        blob = self.clone.git("rev-parse", f"{commit}:prompts/welcome.yaml")
        version = Version("welcome", "1.0.0", "", commit, blob, 0, "", "prompts/welcome.yaml")
        return version, document

    def publish(
        self,
        *,
        name: str = "welcome",
        version: str = "1.1.0",
        newest: tuple[Version, Mapping[str, Any]] | None = None,
        branch: str | None = MAIN,
    ) -> PublicationCommit:
        draft = Draft(name, version, NEW, newest, branch, self.tip)
        return publication(self.writer, draft, ADA, f"{name} {version}\n\nby Ada")

    def file(self, commit: str, path: str) -> str:
        return self.clone.git("show", f"{commit}:{path}")


@pytest.fixture
def branch(published: Clone) -> Branch:
    return Branch(published)


def test_a_newer_version_goes_on_the_branch_in_the_file_that_is_there(branch: Branch) -> None:
    tip = branch.tip
    commit, updates, on_branch, _ = branch.publish(newest=branch.newest())
    assert on_branch
    assert updates[0] == RefUpdate(MAIN, tip or "", commit)
    assert (updates[1].ref, updates[1].old) == ("refs/tags/prompts/welcome/1.1.0", ZERO)
    assert formats.read(branch.file(commit, "prompts/welcome.yaml").encode(), ".yaml") == NEW
    assert branch.clone.git("rev-parse", f"{commit}^") == tip


def test_the_tag_is_an_annotated_one_of_the_commit_with_the_subject_alone(branch: Branch) -> None:
    commit, updates, *_ = branch.publish(newest=branch.newest())
    text = branch.clone.git("cat-file", "tag", updates[-1].new)
    assert text.splitlines()[:3] == [
        f"object {commit}", "type commit", "tag prompts/welcome/1.1.0",
    ]  # fmt: skip
    assert text.endswith("\n\nwelcome 1.1.0")


def test_objects_alone_are_made_and_no_ref_moves(branch: Branch) -> None:
    before = branch.clone.git("for-each-ref")
    branch.publish(newest=branch.newest())
    assert branch.clone.git("for-each-ref") == before


def test_what_somebody_has_edited_since_is_not_overwritten(branch: Branch) -> None:
    branch.clone.commit("Edit", welcome=WELCOME.replace("Hello", "Edited"))
    commit, updates, on_branch, _ = branch.publish(newest=branch.newest())
    assert (on_branch, [update.ref for update in updates]) == (
        False, ["refs/tags/prompts/welcome/1.1.0"],
    )  # fmt: skip
    assert branch.clone.git("rev-parse", f"{commit}^") == branch.newest()[0].commit


@pytest.mark.parametrize("version", ["0.9.0", "1.0.0-rc.1", "1"])
def test_a_backport_goes_beside_the_branch(branch: Branch, version: str) -> None:
    commit, _, on_branch, _ = branch.publish(version=version, newest=branch.newest())
    assert not on_branch
    assert branch.clone.git("ls-tree", "-r", "--name-only", commit) == "prompts/welcome.json"


def test_a_prompt_that_was_taken_off_the_branch_does_not_come_back_to_it(branch: Branch) -> None:
    branch.clone.git("rm", "-q", "prompts/welcome.yaml")
    branch.clone.commit("Remove")
    assert not branch.publish(newest=branch.newest()).on_branch


def test_a_branch_that_may_not_be_moved_is_left_alone(branch: Branch) -> None:
    assert not branch.publish(newest=branch.newest(), branch=None).on_branch


def test_a_link_two_files_or_a_file_in_the_way_keep_a_version_off_the_branch(
    branch: Branch,
) -> None:
    clone = branch.clone
    clone.write("prompts/two.json", "{}")
    clone.write("prompts/two.yaml", "{}")
    clone.write("prompts/broken.yaml", "{")
    clone.write("prompts/way", "a file")
    (clone.path / "prompts/link.yaml").symlink_to("welcome.yaml")
    clone.commit("Traps")
    for name in ("two", "broken", "link", "way/inner"):
        assert not branch.publish(name=name).on_branch
    assert branch.publish(name="free").on_branch


def test_the_first_version_of_an_empty_repository_begins_its_branch(clone: Clone) -> None:
    branch = Branch(clone)
    commit, updates, *_ = branch.publish(version="1.0.0")
    assert updates[0] == RefUpdate(MAIN, ZERO, commit)
    assert clone.git("rev-list", "--count", commit) == "1"


def test_a_version_whose_tag_is_there_is_a_conflict(branch: Branch) -> None:
    with pytest.raises(Conflict, match="Prompt already exists"):
        branch.publish(version="1.0.0", newest=branch.newest())


# Files


def test_a_yaml_file_keeps_its_comments_and_quotes() -> None:
    before = b"# whose it is\nmessages:\n- role: 'user'  # the asker\n  content: Hi\n"
    document = {"messages": [{"role": "user", "content": "One\nTwo\n"}]}
    assert written(document, "prompts/a.yaml", before) == (
        b"# whose it is\nmessages:\n- role: 'user'  # the asker\n  content: |\n    One\n    Two\n"
    )


@pytest.mark.parametrize("indent", ["", "  ", "    "])
def test_a_yaml_file_keeps_the_indentation_of_its_lists(indent: str) -> None:
    before = f"messages:\n{indent}- role: 'user'  # the asker\n{indent}  content: Hi\n"
    document = {"messages": [{"role": "user", "content": "Bye"}]}
    after = before.replace("Hi", "Bye")
    assert written(document, "prompts/a.yaml", before.encode()) == after.encode()


@pytest.mark.parametrize("text", ["yes", "1e3", "0o17", "2024-01-01", "\t", "a: b # c", "\u2028"])
def test_any_text_reads_back_as_it_was_whatever_the_format(text: str) -> None:
    document = {"messages": [{"role": "user", "content": text}], "metadata": {"key": [text]}}
    for path in ("prompts/a.yaml", "prompts/a.json"):
        data = written(document, path, b"# before\nmessages: []\n" if "yaml" in path else b"")
        assert data is not None
        assert formats.read(data, path) == document


# Suites


def test_a_suite_comes_and_goes_with_its_file_and_nothing_else(branch: Branch) -> None:
    file = suite_file({"name": "tone", "prompt_name": "welcome"})
    change = SuiteChange("tone", {"name": "tone"}, file)
    commit, update = suite_commit(branch.writer, change, MAIN, ADA, "Add tone")
    assert branch.file(commit, "evals/tone.yaml").encode() == file.strip()
    update_refs(branch.repository, [update], message="test")
    with pytest.raises(Conflict, match="Evaluation already exists"):
        suite_commit(branch.writer, change, MAIN, ADA, "Again")
    gone, _ = suite_commit(branch.writer, SuiteChange("tone", None), MAIN, ADA, "Remove tone")
    assert branch.clone.git("rev-parse", f"{gone}^{{tree}}") == branch.clone.git(
        "rev-parse", f"{update.old}^{{tree}}"
    )


def test_a_suite_needs_a_branch_and_one_that_goes_must_be_there(branch: Branch) -> None:
    with pytest.raises(NotFound, match="Evaluation not found"):
        suite_commit(branch.writer, SuiteChange("tone", None), MAIN, ADA, "Remove")
    with pytest.raises(SetupError, match="HEAD is detached"):
        suite_commit(branch.writer, SuiteChange("tone", {}, b"{}"), None, ADA, "Add")
