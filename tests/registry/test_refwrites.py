# SPDX-License-Identifier: Apache-2.0
"""The one path by which refs move: all or none, by compare-and-swap, at the origin first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from gitprompt.core.labels import MoveRecord, parse_move
from gitprompt.core.publication import Version
from gitprompt.drivers.filesystem import Filesystem
from gitprompt.errors import Conflict, GitError, NotFound, SetupError
from gitprompt.git.objects import EMPTY_TREE
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import refwrites
from gitprompt.registry.clone import Clone as Registry
from gitprompt.registry.refwrites import Release
from tests.registry.moving import move_label
from tests.world import WELCOME, Clone

LABEL = "refs/labels/welcome@production"


class Mirror(Filesystem):
    """The driver of an origin that takes what it is given, or says no."""

    name = "mirror"
    is_mirror = True

    def __init__(self, *, refuses: bool = False, then_moves_here: bool = False) -> None:
        super().__init__()
        self.refuses = refuses
        self.then_moves_here = then_moves_here
        self.refs_here: list[str] = []

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        if self.refuses:
            raise Conflict("the origin has another")
        self.refs_here = [ref for ref, _ in repository.refs().items()]
        if self.then_moves_here:
            update_refs(repository, updates, message="somebody else's fetch")


@pytest.fixture
def repository(published: Clone) -> Repository:
    return Repository.open(str(published.path))


def version(repository: Repository, number: str = "1.0.0") -> Version:
    (wanted,) = [v for v in Registry(repository).versions("welcome") if v.version == number]
    return wanted


def move(repository: Repository, number: str | None, reason: str = "") -> RefUpdate:
    registry = Registry(repository)
    return move_label(
        repository,
        "welcome",
        "production",
        version(repository, number) if number else None,
        current=registry.label("welcome", "production"),
        local=repository.refs().get(LABEL),
        author=refwrites.identity(repository),
        reason=reason,
    )


# Moves


def test_one_ref_that_is_elsewhere_keeps_all_others_where_they_are(
    repository: Repository, published: Clone
) -> None:
    head = published.git("rev-parse", "HEAD")
    before = dict(repository.refs().items())
    updates = [RefUpdate(LABEL, ZERO, head), RefUpdate("refs/heads/main", "1" * 40, head)]
    with pytest.raises(Conflict, match="refs/heads/main was changed by somebody else"):
        refwrites.move_refs(repository, updates, message="test")
    assert dict(repository.refs().items()) == before


def test_the_origin_is_asked_before_a_ref_moves_here(
    repository: Repository, published: Clone
) -> None:
    mirror = Mirror()
    update = RefUpdate(LABEL, ZERO, published.git("rev-parse", "HEAD"))
    refwrites.move_refs(repository, [update], message="test", driver=mirror)
    assert LABEL not in mirror.refs_here
    assert repository.refs().get(LABEL) == update.new


def test_what_the_origin_refuses_does_not_move_here(
    repository: Repository, published: Clone
) -> None:
    update = RefUpdate(LABEL, ZERO, published.git("rev-parse", "HEAD"))
    with pytest.raises(Conflict, match="the origin has another"):
        refwrites.move_refs(repository, [update], message="test", driver=Mirror(refuses=True))
    assert repository.refs().get(LABEL) is None


def test_with_an_origin_a_ref_that_is_where_it_belongs_counts_as_moved(
    repository: Repository, published: Clone
) -> None:
    update = RefUpdate(LABEL, ZERO, published.git("rev-parse", "HEAD"))
    refwrites.move_refs(repository, [update], message="test", driver=Mirror(then_moves_here=True))
    with pytest.raises(Conflict):
        refwrites.move_refs(repository, [update], message="test")


def test_a_repository_that_is_the_origin_itself_asks_nobody(repository: Repository) -> None:
    local = Mirror(refuses=True)
    local.is_mirror = False
    refwrites.at_origin(local, "default", repository, [])


# Versions


def test_releases_are_tagged_together_or_not_at_all(
    repository: Repository, published: Clone
) -> None:
    head = published.git("rev-parse", "HEAD")
    releases = [Release("welcome", number, head, "x") for number in ("1.1.0", "1.0.0")]
    author = refwrites.identity(repository)
    with pytest.raises(Conflict, match=r"refs/tags/prompts/welcome/1\.0\.0"):
        refwrites.publish(repository, releases, author)
    assert published.git("tag") == "prompts/welcome/1.0.0"
    refwrites.publish(repository, releases[:1], author)
    assert (
        published.git(
            "for-each-ref",
            "--format=%(objecttype) %(taggeremail)",
            "refs/tags/prompts/welcome/1.1.0",
        )
        == "tag <ada@example.com>"
    )


def test_signed_tags_of_which_one_fails_are_all_taken_back(
    repository: Repository, published: Clone
) -> None:
    # A program that signs whatever it is given, for git to look at nothing but its status.
    program = published.write(
        "sign", "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho signed\n"
    )
    program.chmod(0o755)
    published.git("config", "gpg.program", str(program))
    head = published.git("rev-parse", "HEAD")
    releases = [Release("welcome", number, head, "x") for number in ("1.1.0", "1.0.0")]
    author = refwrites.identity(repository)
    with pytest.raises(Conflict, match=r"welcome 1\.0\.0 is published already"):
        refwrites.publish(repository, releases, author, sign=True)
    assert published.git("tag") == "prompts/welcome/1.0.0"
    (update,) = refwrites.publish(repository, releases[:1], author, sign=True)
    assert published.git("cat-file", "tag", update.new).endswith("\nsigned")


def test_a_signature_that_cannot_be_made_says_what_to_set(
    repository: Repository, published: Clone
) -> None:
    published.git("config", "gpg.program", "/nonexistent")
    release = Release("welcome", "1.1.0", published.git("rev-parse", "HEAD"), "x")
    with pytest.raises(GitError) as error:
        refwrites.publish(repository, [release], refwrites.identity(repository), sign=True)
    assert "user.signingkey" in error.value.hint


# Labels


def test_each_move_is_a_commit_with_the_document_on_the_one_before(
    repository: Repository, published: Clone
) -> None:
    published.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    steps = [move(repository, "1.0.0", "Launch"), move(repository, "1.1.0"), move(repository, None)]
    for before, after in pairwise(steps):
        assert (after.old, published.git("rev-parse", f"{after.new}^")) == (before.new, before.new)
    assert published.git("show", f"{steps[0].new}:prompts/welcome.yaml") == WELCOME.strip()
    assert published.git("rev-parse", f"{steps[2].new}^{{tree}}") == EMPTY_TREE
    assert parse_move(published.git("log", "-1", "--format=%B", steps[0].new)) == MoveRecord(
        "welcome", "production", "1.0.0", None, "Launch"
    )


def test_a_label_that_moved_meanwhile_is_a_conflict(repository: Repository) -> None:
    before = move(repository, "1.0.0")
    current = Registry(repository).label("welcome", "production")
    after = move(repository, None)
    with pytest.raises(Conflict, match=LABEL):
        move_label(
            repository, "welcome", "production", version(repository), current=current,
            local=before.new, author=refwrites.identity(repository),
        )  # fmt: skip
    assert repository.refs().get(LABEL) == after.new


def test_what_is_not_there_cannot_be_removed(repository: Repository) -> None:
    with pytest.raises(NotFound, match="Label not found"):
        move(repository, None)
    move(repository, "1.0.0")
    move(repository, None)
    with pytest.raises(NotFound, match="Label not found"):
        move(repository, None)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("prompts/welcome.yml", "prompts/welcome.yml"),
        ("prompts/welcome/1.0.0.yaml", "prompts/welcome.yaml"),
        ("prompts/welcome", "prompts/welcome.json"),
    ],
)
def test_a_document_stands_in_a_label_under_its_prompts_name(
    repository: Repository, path: str, place: str
) -> None:
    assert refwrites.working_path(version(repository)._replace(path=path)) == place


# Who does it


def test_who_works_is_whom_git_names(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, published: Clone
) -> None:
    author = refwrites.identity(repository)
    assert (author.name, author.email) == ("Ada Test", "ada@example.com")
    for variable in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(variable)
    published.git("config", "user.useConfigOnly", "true")
    with pytest.raises(SetupError, match="git does not know who you are"):
        refwrites.identity(Repository.open(str(published.path)))
