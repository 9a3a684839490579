# SPDX-License-Identifier: Apache-2.0
"""What validation reads from the Git index and from commits."""

from __future__ import annotations

import pytest

from gitprompt.cli.committed import including, inputs_of
from gitprompt.cli.examination import Input, Request
from gitprompt.errors import NotFound
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
    with pytest.raises(NotFound, match="nowhere is not a commit"):
        inputs_of(Request(rev="nowhere"))


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
