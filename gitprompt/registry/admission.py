# SPDX-License-Identifier: Apache-2.0
"""Reads what a write over HTTP has built, by the sync's own code, before a ref moves.

What was checked is then what is published: the document of the tag, under the settings that the
repository will have, and not the text that a client sent. Whoever calls moves the refs only if
nothing is raised here, so that a refused write has taken nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitprompt.core.document import digest
from gitprompt.core.publication import LabelHistory, LabelMove, Rejection, Suite, Version
from gitprompt.core.settings import Settings
from gitprompt.errors import Conflict, Invalid
from gitprompt.git.objects import ObjectReader
from gitprompt.registry.labels import load_label
from gitprompt.registry.tip import load_settings, load_suites
from gitprompt.registry.versions import load_versions


def settings_at(reader: ObjectReader, head: str | None) -> Settings:
    """The settings by which the next sync judges, with the default branch at `head`."""
    return load_settings(reader, head)[0]


def admit_version(
    reader: ObjectReader, ref: str, tag: str, document: Mapping[str, Any], settings: Settings
) -> None:
    """Raise Invalid if the sync would reject the tag, and Conflict if it would serve another text
    than `document`: a commit may have a file prompts/<name>/<version>.json, which comes first."""
    (outcome,) = load_versions(reader, [(ref, tag)], settings.checks)
    if isinstance(outcome, Rejection):
        raise _invalid(outcome)
    if digest(json.loads(outcome.document)) != digest(document):
        path = outcome.version.path
        raise Conflict(
            f"{path} on the default branch is what this version would publish, and it differs",
            hint=f"Choose another version, or change or remove {path} with a commit first.",
        )


def admit_label(
    reader: ObjectReader,
    ref: str,
    commit: str,
    *,
    version: str | None,
    parent: str | None,
    settings: Settings,
    versions: Callable[[str], Sequence[Version]],
) -> None:
    """Raise Invalid if the sync would reject the label at `commit`, or read another version than
    `version` from it. `parent` is the value before, whose history was judged when it was set."""
    before = None
    if parent is not None:
        before = LabelHistory("", "", parent, (LabelMove(parent, None, None, "", "", 0),))
    outcome = load_label(
        reader, ref, commit, namespace=settings.namespace, versions=versions, known=before
    )
    if isinstance(outcome, Rejection):
        raise _invalid(outcome)
    if outcome.version != version:
        raise Invalid(f"the move would be read as one to {outcome.version or 'nothing'}")


def admit_suite(reader: ObjectReader, commit: str, name: str, settings: Settings) -> None:
    """Raise Invalid if the sync would reject the suite `name` at `commit`, the new tip of the
    default branch; Conflict if another file there is the same suite."""
    outcomes = list(load_suites(reader, commit, settings.checks, only=name))
    for outcome in outcomes:
        if isinstance(outcome, Rejection):
            raise _invalid(outcome)
    if not any(isinstance(outcome, Suite) and outcome.name == name for outcome in outcomes):
        raise Conflict("Evaluation already exists", hint="It differs only in case.")


def _invalid(rejection: Rejection) -> Invalid:
    findings = rejection.findings
    return Invalid(
        "Validation failed",
        fields=[finding.message for finding in findings],
        hint=findings[0].hint if findings else "",
    )
