# SPDX-License-Identifier: Apache-2.0
"""Checks of prompts, suites and settings.

A check is a module with `CODES` (each code of a finding and its default severity) and
`find(subject)`. To add one: write `checks/<name>.py` and name it in `CHECKS`. Checks never import
each other; `examine` runs them, and finds line and column only for what they report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from gitprompt import formats
from gitprompt.checks import (
    identity,
    inclusion,
    json_schemas,
    languages,
    messages,
    published,
    samples,
    schema,
    secrets,
    size,
    spelling,
    template,
    variables,
    whitespace,
)
from gitprompt.checks.subject import Problem, Publication, Subject
from gitprompt.core.document import SETTINGS
from gitprompt.core.model import Finding, Kind, Severity
from gitprompt.core.settings import Settings, from_document
from gitprompt.formats import fragments


class Check(Protocol):
    """A module that looks at one document. `find` has no side effects and never raises for a
    document that passed the schema; `NEEDS_SHAPE` False means it takes any value at all."""

    CODES: dict[str, Severity]
    NEEDS_SHAPE: bool

    def find(self, subject: Subject) -> Iterable[Problem]: ...


# In the order in which an author wants to read the findings.
CHECKS: tuple[Check, ...] = (
    schema,
    spelling,
    identity,
    template,
    inclusion,
    languages,
    variables,
    messages,
    json_schemas,
    samples,
    published,
    size,
    whitespace,
    secrets,
)

# The codes of what is no check of one document, then everything that a check can report.
SEVERITIES: dict[str, Severity] = {"syntax": "error", "unread-file": "warning"}
for _check in CHECKS:
    SEVERITIES.update(_check.CODES)


MAX_FINDINGS = 100  # errors of one document that anybody reads, and as many warnings


# No setting relaxes these: a document with one of the first could not be served.
FIXED = frozenset(
    {"syntax", "schema", "name", "version", "template", "json-braces", "variable-default"}
    | {"fragment", "reserved-name"}
)


# Rules that came after versions were published which break them. They judge what is new; for what
# is a tag already they are warnings, so that it stays served.
LATER = frozenset({"variable-name", "json-schema", "test", "reserved-name"})


def examine(
    data: bytes,
    *,
    path: str,
    kind: Kind,
    name: str,
    version: str | None = None,
    publication: Publication | None = None,
    severities: Mapping[str, Severity] | None = None,
    source: fragments.Source | None = None,
) -> tuple[Any, list[Finding]]:
    """The document, with what it includes from `source`, and the findings in order of line. The
    document is None if the bytes are not one; of a fragment it is the text.

    `path` decides the format and is in the findings; `name` and `version` are what path and
    tag say. `publication` is what the same name and version already is, if that is known.
    """
    try:
        read = fragments.text_of(data) if kind == "fragment" else formats.read(data, path)
    except formats.FormatError as error:
        finding = Finding(
            "syntax", "error", error.message, error.hint, path, error.line, error.column
        )
        return None, [finding]
    if kind == "fragment":
        included = fragments.include_in_fragment(name, read, source)
    elif kind == "prompt":
        included = fragments.include(read, source)
    else:
        included = fragments.Inclusion(read)
    document = included.document
    subject = Subject(data, document, path, kind, name, version, publication, included)
    return document, judge(subject, severities or {})


def read_settings(data: bytes) -> tuple[Settings, tuple[Finding, ...]]:
    """The settings in the bytes of a gitprompt.yaml, and what is wrong with it. Where something
    is, the defaults hold."""
    document, findings = examine(data, path=SETTINGS, kind="settings", name="")
    problems = errors(findings)
    return (Settings(), problems) if problems else (from_document(document), ())


def judge(
    subject: Subject, severities: Mapping[str, Severity], *, is_published: bool = False
) -> list[Finding]:
    """The findings about a document that was read already, in order of line. One that is published
    may have the shape that was valid then, and what came `LATER` is a warning."""
    problems = list(_worth_reading(_problems(subject, severities, is_published)))
    findings = _placed(subject, problems) if problems else []
    if len(findings) > 1:
        findings.sort(key=lambda finding: (finding.line, finding.column))
    return findings


def _problems(
    subject: Subject, severities: Mapping[str, Severity], is_published: bool
) -> Iterator[tuple[Problem, Severity]]:
    whole = True
    for check in CHECKS:
        if check.NEEDS_SHAPE and not whole:
            continue
        if check is schema and is_published and schema.was_valid(subject.document):
            continue
        for problem in check.find(subject):
            severity = SEVERITIES[problem.code]
            if problem.code not in FIXED:
                severity = severities.get(problem.code, severity)
            if severity == "error" and is_published and problem.code in LATER:
                severity = "warning"
            if check in (schema, inclusion):
                whole = False
            if severity != "off":
                yield problem, severity


def _worth_reading(
    problems: Iterable[tuple[Problem, Severity]],
) -> Iterator[tuple[Problem, Severity]]:
    """The first hundred errors and the first hundred of the rest. The last says if there are more."""
    kept: dict[bool, list[tuple[Problem, Severity]]] = {True: [], False: []}
    more = {True: 0, False: 0}
    for problem, severity in problems:
        is_error = severity == "error"
        if len(kept[is_error]) < MAX_FINDINGS:
            kept[is_error].append((problem, severity))
        else:
            more[is_error] += 1
    for is_error, count in more.items():
        if count:
            last, severity = kept[is_error][-1]
            message = f"{last.message}; and {count:,} more {'errors' if is_error else 'warnings'}"
            kept[is_error][-1] = last._replace(message=message), severity
    yield from kept[True]
    yield from kept[False]


def _placed(subject: Subject, problems: Sequence[tuple[Problem, Severity]]) -> list[Finding]:
    """The findings of a document, with line and column. The file is read once more, for all of them."""
    said: list[tuple[str, int | None]] = []
    for problem, _ in problems:
        message, offset = problem.message, problem.offset
        if offset is not None and problem.code not in inclusion.CODES:
            offset, fragment = subject.inclusion.origin(problem.where, offset)
            message += f" (in the fragment {fragment})" if fragment else ""
        said.append((message, offset))
    if subject.kind == "fragment":
        text = fragments.text_of(subject.data)
        places = [formats.position(text[:offset]) for _, offset in said]
    else:
        spots = [(problem.where, at) for (problem, _), (_, at) in zip(problems, said, strict=True)]
        needed = any(problem.place is None for problem, _ in problems)
        places = formats.locate_all(subject.data, spots) if needed else [(0, 0)] * len(spots)
    return [
        Finding(problem.code, severity, message, problem.hint, subject.path,
                *(problem.place or place))
        for (problem, severity), (message, _), place in zip(problems, said, places, strict=True)
    ]  # fmt: skip


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.severity == "error")
