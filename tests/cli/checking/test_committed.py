# SPDX-License-Identifier: Apache-2.0
"""What validation reads from the Git index and from commits."""

from __future__ import annotations

import pytest

from gitprompt.cli.checking.committed import including, inputs_of
from gitprompt.cli.checking.examination import Input, Request
from gitprompt.errors import NotFound, UsageError
from tests.world import WELCOME, Clone

SHARING = 'messages: [{role: user, content: "{{> tone}}"}]\n'


@pytest.fixture
def sharing(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    monkeypatch.chdir(clone.path)
    clone.write("prompts/_fragments/tone.md", "old")
    clone.commit("Add", welcome=WELCOME, sharing=SHARING)
    return clone


def paths(request: Request) -> list[str]:
    return sorted(item.inside for item in inputs_of(request)[0])


def test_what_is_staged_is_read_from_the_index_and_not_from_the_work_tree(sharing: Clone) -> None:
    sharing.write("prompts/welcome.yaml", "staged")
    sharing.git("add", "-A")
    sharing.write("prompts/welcome.yaml", "later")
    inputs, *_ = inputs_of(Request(staged=True))
    assert [(item.inside, item.load()) for item in inputs] == [("prompts/welcome.yaml", b"staged")]


def test_with_a_fragment_that_is_staged_goes_what_includes_it(sharing: Clone) -> None:
    sharing.write("prompts/_fragments/tone.md", "new")
    sharing.git("add", "-A")
    assert paths(Request(staged=True)) == ["prompts/_fragments/tone.md", "prompts/sharing.yaml"]
    *_, source = inputs_of(Request(staged=True))
    assert (source("tone"), source("absent")) == (b"new", None)
    *_, source = inputs_of(Request(rev="HEAD"))
    assert source("tone") == b"old"


def test_all_of_a_commit_is_read_or_what_is_asked_for(sharing: Clone) -> None:
    everything = ["prompts/_fragments/tone.md", "prompts/sharing.yaml", "prompts/welcome.yaml"]
    assert paths(Request(rev="HEAD")) == everything
    assert paths(Request(("prompts/welcome.yaml",), rev="HEAD")) == ["prompts/welcome.yaml"]
    assert paths(Request(("prompts/_fragments",), rev="HEAD")) == everything[:2]
    assert paths(Request(("welcome",), rev="HEAD")) == ["prompts/welcome.yaml"]
    with pytest.raises(NotFound, match="nowhere is not a commit"):
        inputs_of(Request(rev="nowhere"))


def test_what_is_not_there_is_no_success(sharing: Clone) -> None:
    sharing.write("prompts/welcome.yaml", "staged")
    sharing.git("add", "-A")
    for where in (Request(rev="HEAD"), Request(staged=True)):
        for path in ("nope", "prompts/nope.yaml", "../elsewhere"):
            with pytest.raises(UsageError, match=f"^{path} is not in (HEAD|the index)$"):
                inputs_of(where._replace(paths=("prompts/welcome.yaml", path)))
    assert paths(Request(("prompts/sharing.yaml",), staged=True)) == []  # it is, and unchanged


def test_the_folder_that_has_the_prompts_must_be_there(sharing: Clone) -> None:
    sharing.write("gitprompt.yaml", "root: nowhere\n")
    sharing.git("add", "-A")
    with pytest.raises(UsageError, match="nowhere is to have the prompts"):
        inputs_of(Request(staged=True))
    sharing.git("commit", "-q", "-m", "Move", "--no-verify")
    with pytest.raises(UsageError, match="nowhere is to have the prompts"):
        inputs_of(Request(rev="HEAD"))


def test_a_link_is_no_document(sharing: Clone) -> None:
    (sharing.path / "prompts/link.yaml").symlink_to("welcome.yaml")
    sharing.git("add", "-A")
    (item,), *_ = inputs_of(Request(staged=True))
    assert item.load() == "it is a symbolic link or a submodule, not a file"


def test_documents_that_cannot_be_read_include_nothing() -> None:
    documents = {"prompts/broken.yaml": b"{", "prompts/sharing.yaml": SHARING.encode(), "prompts/x": "a link"}  # fmt: skip
    others = [Input(path, path, lambda data=data: data) for path, data in documents.items()]  # type: ignore[misc]
    assert [item.inside for item in including([], others)] == ["prompts/sharing.yaml"]
    assert list(including(others, others)) == []
