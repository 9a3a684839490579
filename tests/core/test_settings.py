# SPDX-License-Identifier: Apache-2.0
"""What a settings document means, and who may do what under it."""

from __future__ import annotations

import pytest

from gitprompt.core.settings import Settings, from_document


@pytest.mark.parametrize("document", [None, {}])
def test_no_document_gives_the_defaults(document: dict[str, object] | None) -> None:
    assert from_document(document) == Settings()


def test_a_default_label_is_a_name_or_says_what_else() -> None:
    assert from_document({"default_label": "production"}).default_newest is True
    strict = from_document({"default_label": {"name": "production", "otherwise": "nothing"}})
    assert (strict.default_label, strict.default_newest) == ("production", False)


def test_patterns_say_which_labels_and_branches_are_meant() -> None:
    settings = from_document(
        {
            "labels": {"protected": {"prod*": "admin"}},
            "publish_from": ["main", "release/*"],
            "branches": {"main": {"force": "never"}, "play": {"force": "allowed"}},
        }
    )
    assert [settings.scope_to_move(label) for label in ("production", "staging")] == [
        "admin",
        "write",
    ]
    branches = ("refs/heads/main", "refs/heads/release/2", "refs/heads/play", "refs/tags/main")
    assert [settings.publishes_from(ref) for ref in branches] == [True, True, False, False]
    assert [settings.is_fixed(ref) for ref in branches] == [True, False, False, False]


def test_a_policy_is_all_but_the_checks() -> None:
    document = {"root": "services/chat", "checks": {"spelling": "off"}}
    assert from_document(document).policy() == from_document({"root": "services/chat"})
    assert from_document(document).policy() != Settings()
