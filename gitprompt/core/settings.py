# SPDX-License-Identifier: Apache-2.0
"""The settings of a repository, `gitprompt.yaml` (schema: `schemas/config.schema.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gitprompt.core.model import Severity

# Where labels may live: a plain namespace, or branches on forges that send webhooks for them.
NAMESPACES = ("refs/labels", "refs/heads/labels")


class Settings(NamedTuple):
    """`protected` maps a label or pattern to the scope that may move it; `checks` maps a
    finding's code to its severity here."""

    namespace: str = NAMESPACES[0]
    protected: Mapping[str, str] = {}
    checks: Mapping[str, Severity] = {}

    def scope_to_move(self, label: str) -> str:
        """The scope that a key needs to move `label`: write, or what the policy says."""
        from fnmatch import fnmatchcase

        for pattern, scope in self.protected.items():
            if fnmatchcase(label, pattern):
                return scope
        return "write"

    def label_policy(self) -> tuple[str, Mapping[str, str]]:
        return self.namespace, self.protected


def from_document(document: Mapping[str, Any] | None) -> Settings:
    """The settings that a valid document gives; an absent or empty file gives the defaults."""
    document = document or {}
    labels = document.get("labels") or {}
    return Settings(
        namespace=labels.get("namespace", NAMESPACES[0]),
        protected=labels.get("protected") or {},
        checks=document.get("checks") or {},
    )
