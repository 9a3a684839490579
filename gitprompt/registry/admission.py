# SPDX-License-Identifier: Apache-2.0
"""Checks what a write over HTTP has sent, and reads what it has built, by the sync's own code, before a
ref moves.

What was checked is then what is published: the document of the tag, under the settings that the
repository will have, and not the text that a client sent. Whoever calls moves the refs only if
nothing is raised here, so that a refused write has taken nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitprompt import checks
from gitprompt.core.document import SETTINGS, digest
from gitprompt.core.publication import LabelHistory, LabelMove, Rejection, Suite, Version
from gitprompt.core.settings import Settings
from gitprompt.core.versions import check_version
from gitprompt.errors import Conflict, Forbidden, GitError, GitpromptError, Invalid
from gitprompt.formats import compact, fragments
from gitprompt.git.objects import ObjectReader
from gitprompt.git.refs import RefUpdate
from gitprompt.registry.labels import load_label
from gitprompt.registry.tip import load_settings, load_suites
from gitprompt.registry.versions import Severities, load_versions


def settings_at(reader: ObjectReader, head: str | None) -> Settings:
    """The settings by which the next sync judges, with the default branch at `head`."""
    return load_settings(reader, head)[0]


def is_small(documents: Sequence[Any]) -> bool:
    """Whether checking what was sent is a matter of few milliseconds."""
    return len(documents) == 1 and len(repr(documents[0])) < _SMALL


_SMALL = 16_000  # characters


def check_all(
    documents: Sequence[Any], severities: Severities, *, has_fragments: bool
) -> dict[int, GitpromptError]:
    """Which of the documents cannot be published as they were sent, by their places, and why."""
    refused: dict[int, GitpromptError] = {}
    for at, document in enumerate(documents):
        try:
            check_sent(document, severities, has_fragments=has_fragments)
        except GitpromptError as error:
            refused[at] = error
    return refused


def check_sent(document: Any, severities: Severities, *, has_fragments: bool) -> None:
    """Raise Invalid for a document that cannot be published as it was sent. `has_fragments`: those that
    it includes may be in the repository, and it is read again with them."""
    if not isinstance(document, dict):
        raise Invalid("Validation failed", fields=["expected object"])
    name, version = _checked_identity(document)
    if not has_fragments or not fragments.are_in(document):
        _check_document(document, name, version, severities)


def _checked_identity(document: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version, which a published document must have."""
    fields = []
    for key in ("name", "version"):
        value = document.get(key)
        if not isinstance(value, str) or not value:
            fields.append(f"{key}: is required, as text")
    if fields:
        raise Invalid("Validation failed", fields=fields)
    version = document["version"]
    try:
        check_version(version)
    except GitpromptError as error:
        raise Invalid("Validation failed", fields=[f"version: {error.message}"]) from None
    return document["name"], version


def _check_document(
    document: Mapping[str, Any], name: str, version: str, severities: Severities
) -> None:
    """The error-level checks of what was sent; raises Invalid with all that they found. What is
    built from it is read once more before it is published (`admission`)."""
    try:
        data = compact(document)
    except (ValueError, RecursionError):
        raise Invalid("Validation failed", fields=["a string or number is not valid"]) from None
    _, findings = checks.examine(
        data, path=f"{name}.json", kind="prompt", name=name, version=version,
        severities=severities, source=lambda _name: None,
    )  # fmt: skip
    problems = checks.errors(findings)
    if problems:
        raise Invalid(
            "Validation failed",
            fields=[problem.message for problem in problems],
            hint=problems[0].hint,
        )


def refused_versions(
    reader: ObjectReader,
    versions: Mapping[int, tuple[RefUpdate, Mapping[str, Any]]],
    settings: Settings,
) -> dict[int, GitpromptError]:
    """Which of the versions, by number, may not be published, and why: the sync would reject the tag
    (Invalid), or would serve another text than the document (Conflict): a commit may have a file
    prompts/<name>/<version>.json, which comes first."""
    refs = [(tag.ref, tag.new) for tag, _ in versions.values()]
    refused: dict[int, GitpromptError] = {}
    outcomes = load_versions(reader, refs, settings.checks)
    for (number, (_, document)), outcome in zip(versions.items(), outcomes, strict=True):
        if isinstance(outcome, Rejection):
            refused[number] = _invalid(outcome)
        elif digest(json.loads(outcome.document)) != digest(document):
            path = outcome.version.path
            refused[number] = Conflict(
                f"{path} on the default branch is what this version would publish, and it differs",
                hint=f"Choose another version, or change or remove {path} with a commit first.",
            )
    return refused


def admit_branch(settings: Settings, branch: str | None, *, is_on_it: bool) -> None:
    """Raise Forbidden for a version that is not on a branch from which versions are published. `is_on_it`:
    its commit is on the default branch, and not beside it."""
    if not settings.publish_from:
        return
    if not is_on_it:
        hint = (
            "This one would be beside the branch: it is older than the newest version, or the"
            " branch has another text. Commit it there, and push its tag."
        )
    elif branch is None or not settings.publishes_from(branch):
        hint = f"The default branch is none of them (publish_from in {SETTINGS})."
    else:
        return
    raise Forbidden(
        f"Versions are published from {', '.join(settings.publish_from)} here", hint=hint
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
        if reader.get(commit) is None:
            raise GitError("the move could not be written", hint="Is the disk full?")
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
