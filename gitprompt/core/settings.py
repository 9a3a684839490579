# SPDX-License-Identifier: Apache-2.0
"""The settings of a repository, `gitprompt.yaml` (schema: `schemas/config.schema.json`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.core.model import Severity

# Where labels may live: a plain namespace, or branches on forges that send webhooks for them.
NAMESPACES = ("refs/labels", "refs/heads/labels")


class Settings(NamedTuple):
    """`protected` maps a label or pattern to the scope that may move it; `checks` maps a
    finding's code to its severity here. `publish_from` has the branches, or patterns, whose history
    a version must be part of; empty: any. `fixed_branches` has those whose history is never
    rewritten. `default_label` is what a request without a selector gets, if the prompt has it;
    `default_newest`: otherwise the newest version. `root` is the folder that has prompts/ and evals/;
    empty: the top of the repository."""

    namespace: str = NAMESPACES[0]
    protected: Mapping[str, str] = {}
    checks: Mapping[str, Severity] = {}
    publish_from: Sequence[str] = ()
    fixed_branches: Sequence[str] = ()
    default_label: str | None = None
    default_newest: bool = True
    root: str = ""

    def scope_to_move(self, label: str) -> str:
        """The scope that a key needs to move `label`: write, or what the policy says."""
        for pattern, scope in self.protected.items():
            if _matches(label, pattern):
                return scope
        return "write"

    def publishes_from(self, ref: str) -> bool:
        """Whether versions may be published from a branch, by its ref."""
        return not self.publish_from or _is_branch_of(ref, self.publish_from)

    def is_fixed(self, ref: str) -> bool:
        """Whether the history of a branch, by its ref, is never rewritten."""
        return _is_branch_of(ref, self.fixed_branches)

    def policy(self) -> Settings:
        """What only an admin may change: all but the severities of checks."""
        return self._replace(checks={})


def _is_branch_of(ref: str, patterns: Sequence[str]) -> bool:
    branch = ref.removeprefix("refs/heads/")
    return branch != ref and any(_matches(branch, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def from_document(document: Mapping[str, Any] | None) -> Settings:
    """The settings that a valid document gives; an absent or empty file gives the defaults."""
    document = document or {}
    labels = document.get("labels") or {}
    branches = document.get("branches") or {}
    default = document.get("default_label")
    if isinstance(default, str):
        default = {"name": default}
    default = default or {}
    return Settings(
        namespace=labels.get("namespace", NAMESPACES[0]),
        protected=labels.get("protected") or {},
        checks=document.get("checks") or {},
        publish_from=tuple(document.get("publish_from") or ()),
        fixed_branches=tuple(
            name for name, rule in branches.items() if rule.get("force") == "never"
        ),
        default_label=default.get("name"),
        default_newest=default.get("otherwise", "newest") == "newest",
        root=document.get("root", ""),
    )
