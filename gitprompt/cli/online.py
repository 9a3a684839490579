# SPDX-License-Identifier: Apache-2.0
"""A registry read and written at a server, by whoever has no clone: the same questions as `Clone`
answers, asked over HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gitprompt import checks, formats
from gitprompt.cli.checking.validation import text_of
from gitprompt.cli.client import ServerRefused, prompt_path, refusal
from gitprompt.cli.output import done, say, write_json
from gitprompt.core.diff import compare, deserved_bump
from gitprompt.core.document import FRAGMENTS, PROMPTS, SUFFIXES, digest, place
from gitprompt.core.labels import check_expected, check_label
from gitprompt.core.names import check_name
from gitprompt.core.publication import LabelHistory, LabelMove, Version
from gitprompt.core.versions import (
    FIRST,
    Bump,
    bumped,
    check_version,
    is_version,
    precedence,
    rank,
    reads_as_version,
)
from gitprompt.errors import Conflict, Invalid, NotFound, UsageError
from gitprompt.formats import fragments
from gitprompt.registry.clone import WORK_TREE, Resolved, Selector, parse_selector


class Online:
    def __init__(self, client: Any) -> None:
        self.client = client

    def name(self, text: str) -> str:
        """The prompt that a person names by its name, or by the path of a file that has it."""
        if text.endswith(SUFFIXES) and os.path.isfile(text):
            return check_name(_name_of(text))
        return check_name(text)

    def select(self, text: str) -> Selector:
        word, sign, at = text.partition("@")
        return parse_selector(f"{self.name(word)}{sign}{at}")

    def names(self) -> list[str]:
        return [item["name"] for item in self.client.everything("/v1/prompts")]

    def listed(self) -> list[dict[str, Any]]:
        """Each prompt with what `gitprompt list` says of it; the file and what is not pushed are not a
        server's to know."""
        return [
            {
                "name": item["name"], "latest": item["latest"], "labels": item["labels"],
                "path": None, "unpushed": [],
            }
            for item in self.client.everything("/v1/prompts")
        ]  # fmt: skip

    def versions(self, name: str) -> list[Version]:
        """The versions of a prompt, newest precedence first."""
        items = self.client.everything(prompt_path(name, "versions"))
        versions = [_version(item, str(item["author"])) for item in items]
        return sorted(versions, key=lambda v: precedence(v.version), reverse=True)

    def resolve(self, selector: Selector) -> Resolved:
        """The document that a selector names, as it is published."""
        params: dict[str, str] = {"render": "false"}
        if selector.at == WORK_TREE:
            raise UsageError(
                f"{selector} is in a work tree, and this asks a server",
                hint="Without --server, in a clone, it is read there.",
            )
        if selector.at is not None:
            is_number = is_version(selector.at) or reads_as_version(selector.at)
            params["version" if is_number else "label"] = (
                check_version(selector.at) if is_number else selector.at
            )
        answer = self.client.get(prompt_path(selector.name), **params)
        return Resolved(selector, _version(answer["version"]), answer["content"], "")

    def labels(self, name: str | None = None) -> list[LabelHistory]:
        """The labels of one prompt or all, each with its newest move."""
        names = [name] if name is not None else self.names()
        return [
            LabelHistory(of, item["name"], "", self._moves(of, item["name"], limit=1))
            for of in names
            for item in self.client.everything(prompt_path(of, "labels"))
        ]

    def label(self, name: str, label: str) -> LabelHistory | None:
        """A label with its whole history, or None if there never was one."""
        try:
            return LabelHistory(name, label, "", self._moves(name, label))
        except ServerRefused as error:
            if error.answered == 404:
                return None
            raise

    def _moves(self, name: str, label: str, *, limit: int = 0) -> tuple[LabelMove, ...]:
        path = prompt_path(name, "labels", label, "history")
        items = (
            self.client.get(path, limit=limit)["items"] if limit else self.client.everything(path)
        )
        return tuple(
            LabelMove(
                item["commit"], item["version"], item["previous"], item["actor"], item["reason"],
                item["time"],
            )
            for item in items
        )  # fmt: skip

    def set_label(
        self, name: str, label: str, target: str, expect: str | None, reason: str
    ) -> None:
        """Point a label at a version, or at where another label is; only if it is at `expect` ('none':
        nowhere), where that is said."""
        name = self.name(name)
        check_label(label)
        history = self.label(name, label)
        now = history.version if history else None
        version = target
        if not (reads_as_version(target) or is_version(target)):
            other = self.label(name, target)
            if other is None or other.version is None:
                raise NotFound(f"{name} has no label {target}")
            version = other.version
        check_expected(name, label, now, expect)
        self.move_label(name, label, version, now, reason)

    def move_label(self, name: str, label: str, version: str, now: str | None, reason: str) -> None:
        """Point a label at a version, if it is still at `now`, and say so."""
        if now == version:
            say(f"{name} {label} is at {version} already.")
            return
        body = {"version_tag": version, "reason": reason, "expected": now}
        self.client.send("PUT", prompt_path(name, "labels", label), body=body)
        done(f"{name} {label}: {now or 'none'} → {version}")

    def promote(self, label: str, source: str, prefix: str, reason: str) -> None:
        """Move the label of many prompts to where their label `source` is, one by one: a server moves
        one in a request. Each is then where it was, or where it goes."""
        behind = 0
        for item in self.listed():
            target, now = item["labels"].get(source), item["labels"].get(label)
            if target is not None and item["name"].startswith(prefix):
                behind += now == target
                if now != target:
                    why = reason or f"From {source}"
                    self.move_label(item["name"], label, target, now, why)
        if behind:
            say(f"{behind} are there already.")

    def remove_label(self, name: str, label: str, reason: str) -> None:
        params = {"reason": reason} if reason else None
        self.client.send("DELETE", prompt_path(name, "labels", label), params=params)
        done(f"{name} {label}: removed")

    def publish_files(
        self, files: Sequence[str], *, version: str | None, bump: str | None, as_json: bool
    ) -> None:
        """Publish files in one request, and say so. All are checked and numbered before it is sent;
        Conflict for those that the server refuses, which stops none of the others."""
        checked = [_checked(file) for file in files]
        documents = [self._numbered(*item, version=version, bump=bump) for item in checked]
        answers = self.client.post("/v1/prompts", documents)["items"]
        published = [answer for answer in answers if answer["status"] == 201]
        if as_json:
            write_json(
                [
                    {
                        "name": item["name"], "version": item["version_tag"],
                        "commit": item["commit_sha"], "pushed": True,
                    }
                    for item in published
                ]
            )  # fmt: skip
        else:
            for item in published:
                done(f"{item['name']} · {item['version_tag']} · {item['commit_sha'][:7]}")
        refused = [
            f"{file}: {refusal(answer)}"
            for file, answer in zip(files, answers, strict=True)
            if answer["status"] != 201
        ]
        if refused:
            others = "The other files are published." if published else "Nothing was published."
            raise Conflict("\n".join(refused), hint=others)

    def _numbered(
        self, document: Mapping[str, Any], name: str, *, version: str | None, bump: str | None
    ) -> dict[str, Any]:
        """A document as the version that is said, or that it says itself, or that the change
        deserves."""
        number = version or (document.get("version") if bump is None else None)
        if number is None:
            number = self._next(name, document, bump)
        return {**document, "name": name, "version": check_version(number)}

    def _next(self, name: str, document: Mapping[str, Any], bump: str | None) -> str:
        try:
            newest = self.client.get(prompt_path(name, "versions"), limit=100)["items"]
        except ServerRefused as error:
            if error.answered != 404:
                raise
            newest = []
        if not newest:
            return FIRST
        latest = max((item["version_tag"] for item in newest), key=rank)
        before = self.resolve(Selector(name, latest)).document
        if digest(before) == digest(document) and bump in (None, "auto"):
            raise Conflict(
                f"{name} has not changed since {latest}", hint="There is nothing to publish."
            )
        step: Bump = deserved_bump(compare(before, document)) or "patch"
        return bumped(latest, step if bump in (None, "auto") else bump)  # type: ignore[arg-type]


def _checked(path: str) -> tuple[dict[str, Any], str]:
    """The document of a file with its fragments, if they are there, and its name. Raises Invalid for
    what has an error-level finding."""
    if not path.endswith(SUFFIXES):
        raise UsageError(
            f"{path} is no file of a prompt: they end in {', '.join(SUFFIXES)}",
            hint="gitprompt publish FILE… --server URL",
        )
    try:
        data = formats.read_file(path)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    name = check_name(_name_of(path))
    source = fragments.Files(_fragments_beside(path))
    document, findings = checks.examine(data, path=path, kind="prompt", name=name, source=source)
    problems = checks.errors(findings)
    if problems:
        lines = [line for finding in problems for line in text_of(finding, colors=False)]
        raise Invalid(f"{path} is not valid:\n" + "\n".join(lines), hint="Repair it, then publish.")
    return document, name


def _fragments_beside(path: str) -> str:
    """The folder of fragments of the prompts/ that a file is below, or beside it."""
    folder = os.path.dirname(os.path.abspath(path))
    own = folder
    while os.path.basename(folder) not in (PROMPTS, ""):
        folder = os.path.dirname(folder)
    top = folder if os.path.basename(folder) else own
    return os.path.join(top, os.path.basename(FRAGMENTS))


def _name_of(path: str) -> str:
    """What a file says, else what its path says below prompts/, else how it is called."""
    try:
        value = formats.read(formats.read_file(path), path)
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return str(value["name"])
    except formats.FormatError:
        pass  # whoever reads the document says so
    _, folder, inside = os.path.abspath(path).replace(os.sep, "/").rpartition(f"/{PROMPTS}/")
    return place(f"{PROMPTS}/{inside if folder else os.path.basename(path)}")[1]


def _version(item: Mapping[str, Any], author: str = "") -> Version:
    return Version(
        item["name"],
        item["version_tag"],
        "",
        item["commit_sha"],
        "",
        item["created_at"],
        author,
        "",
    )
