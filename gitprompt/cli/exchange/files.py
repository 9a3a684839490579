# SPDX-License-Identifier: Apache-2.0
"""Prompts in the files of other tools: into the work tree, where nothing is published yet, and out again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from gitprompt import formats, hosting
from gitprompt.cli.create import case_twin, folder_of_prompts
from gitprompt.cli.output import done, say, write_json
from gitprompt.core.document import PROMPTS, SUFFIXES, SUITES
from gitprompt.core.names import check_name, check_suite_name, fold, is_kept_for_fragments
from gitprompt.errors import GitpromptError, NotFound, SetupError, UsageError
from gitprompt.registry import admission
from gitprompt.transfer.file_formats import FORMATS, openai, promptfoo
from gitprompt.transfer.foreign import langfuse_prompts
from gitprompt.transfer.foreign.prompt_files import FileFormat, Note, Notes, NotSuch, in_yaml
from gitprompt.transfer.importing.our_names import nearest_name

NAMES = tuple(one.name for one in FORMATS)
_MOST = 10_000_000  # bytes of a file of prompts, of which each is at most 1 MiB
_ENDINGS = (
    ".prompty",
    ".prompt",
    ".json",
    ".jsonl",
    ".ndjson",
    ".md",
    ".markdown",
    ".txt",
    ".mustache",
    ".yaml",
    ".yml",
)


def import_files(
    paths: Sequence[str],
    name: str | None,
    format: str | None,
    *,
    force: bool,
    is_dry: bool,
    as_json: bool,
) -> None:
    """Write the prompts and suites of files below prompts/ and evals/ of the work tree, and tell what is not as it was.
    Exits with 1 if something is not."""
    if name is not None:
        check_name(name)
    top = folder_of_prompts()
    found = [(path, inside) for path in paths for inside in _files(path)]
    if not found:
        raise NotFound(
            "there are no files of prompts there", hint=f"It looks for {', '.join(_ENDINGS)}."
        )
    if name is not None and len(found) != 1:
        raise UsageError("--name is for one file", hint="Leave it out: files have names.")
    job = _Import(top, force=force, is_dry=is_dry)
    for given, path in found:
        job.take(
            path,
            os.path.relpath(path, given) if os.path.isdir(given) else os.path.basename(path),
            name,
            format,
        )
    if as_json:
        write_json(
            {
                "written": job.written,
                "there already": job.there,
                "notes": [note._asdict() for note in job.notes],
                "dry_run": is_dry,
            }
        )
    else:
        for note in job.notes:
            say(f"{note.path}:{note.line}: {note.message}", err=True)
        for path in job.written:
            done(f"{'would write ' * is_dry}{path}")
        if job.written and not is_dry:
            say("Nothing is published yet: look at it, commit it, and gitprompt publish.")
        elif job.there and not job.written:
            say(f"{len(job.there)} there already, as they would be written")
    if any(note.is_lost for note in job.notes):
        raise click.exceptions.Exit(1)


class _Import:
    def __init__(self, top: str, *, force: bool, is_dry: bool) -> None:
        self._top, self._force, self._is_dry = top, force, is_dry
        self.notes: list[Note] = []
        self.written: list[str] = []
        self.there: list[str] = []
        self._taken: set[str] = set()

    def take(self, path: str, inside: str, name: str | None, format: str | None) -> None:
        notes = Notes(path)
        try:
            self._take(path, inside, name, format, notes)
        except (NotSuch, GitpromptError, OSError) as error:
            notes.lost(1, f"{error}: not imported")
        except UnicodeDecodeError:
            notes.lost(1, "it is not UTF-8: not imported")
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            # A shape that nobody has seen yet must not end the import of the rest.
            notes.lost(1, f"of another shape than is known ({type(error).__name__}): not imported")
        self.notes += notes.notes

    def _take(
        self, path: str, inside: str, name: str | None, format: str | None, notes: Notes
    ) -> None:
        data = formats.read_file(path, _MOST + 1)
        if len(data) > _MOST:
            raise NotSuch(f"it is larger than {_MOST:,} bytes")
        text = data.decode("utf-8-sig")
        read = _kind(path, text, format).read(path, text, notes)
        if name is not None and len(read.prompts) > 1:
            raise NotSuch(f"it has {len(read.prompts)} prompts, and --name is for one")
        stem = os.path.splitext(inside.replace(os.sep, "/"))[0]
        names: dict[int, str] = {}
        for at, (said, document) in enumerate(read.prompts):
            names[at] = self._name(
                name or (f"{stem}{said}" if said.startswith("-") or not said else said), notes
            )
            self._check(names[at], document, notes)
            self._write(f"{PROMPTS}/{names[at]}", document, notes)
        for at, (_, suite) in enumerate(read.suites):
            self._suite(names[at], {**suite, "prompt_name": names[at]}, notes)

    def _name(self, wanted: str, notes: Notes) -> str:
        """A name that can be one, and that no other prompt of this run has."""
        ours = nearest_name(wanted)
        if is_kept_for_fragments(ours):
            raise NotSuch(f"{ours} would lie among the fragments, which are no prompts")
        number, found = 1, ours
        while fold(found) in self._taken:
            number += 1
            found = f"{ours}-{number}"
        self._taken.add(fold(found))
        if found != ours:
            notes.told(1, f"another prompt is called {ours}: it is {found}")
        elif ours != wanted:
            notes.told(1, f"'{wanted}' cannot be a name: it is {ours}")
        return found

    def _check(self, name: str, document: Mapping[str, Any], notes: Notes) -> None:
        try:
            admission.check_sent(
                {"name": name, "version": "1.0.0", **document}, {}, has_fragments=True
            )
        except GitpromptError as error:
            fields = (error.details or {}).get("fields")
            for field in fields if isinstance(fields, list) else [error.message]:
                notes.lost(1, f"{name}: {field}")

    def _suite(self, name: str, suite: dict[str, Any], notes: Notes) -> None:
        try:
            check_suite_name(name)
        except GitpromptError as error:
            notes.lost(1, f"the suite {name}: {error.message}")
            return
        self._write(f"{SUITES}/{name}", suite, notes)

    def _write(self, stem: str, document: Mapping[str, Any], notes: Notes) -> None:
        path = f"{stem}.yaml"
        text = in_yaml(document)
        existing = [
            f"{stem}{suffix}"
            for suffix in SUFFIXES
            if os.path.lexists(os.path.join(self._top, f"{stem}{suffix}"))
        ]
        shown = os.path.relpath(os.path.join(self._top, existing[0] if existing else path))
        if existing and _says(os.path.join(self._top, existing[0]), document):
            self.there.append(shown)
            return
        if existing and not self._force:
            notes.lost(1, f"{shown} is there with something else: see --force")
            return
        if not _is_inside(self._top, path):
            notes.lost(1, f"{path} leads out of the repository by a link: not written")
            return
        twin = None if existing else case_twin(path, self._top)
        if twin is not None:
            notes.lost(
                1,
                f"{path} differs only in case from {os.path.relpath(twin)}: choose another --name",
            )
            return
        if not self._is_dry:
            for other in existing[1:] if existing[:1] == [path] else existing:
                os.unlink(os.path.join(self._top, other))
            _put(os.path.join(self._top, path), text)
        self.written.append(os.path.relpath(os.path.join(self._top, path)))


def _is_inside(top: str, path: str) -> bool:
    """Whether no link on the way leads out of the folder of the prompts."""
    folder, there = os.path.realpath(top), os.path.realpath(os.path.join(top, path))
    return there.startswith(folder + os.sep)


def _kind(path: str, text: str, format: str | None) -> FileFormat:
    if format is not None:
        return next(one for one in FORMATS if one.name == format)
    found = next((one for one in FORMATS if one.is_one(path, text)), None)
    if found is None:
        raise NotSuch(f"of no format that is known ({', '.join(NAMES)})")
    return found


def _files(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            yield from (
                os.path.join(folder, one)
                for one in sorted(names)
                if one.lower().endswith(_ENDINGS) and not one.startswith(".")
            )
    elif os.path.exists(path):
        yield path
    else:
        raise NotFound(f"there is no {path}")


def _says(path: str, document: Mapping[str, Any]) -> bool:
    try:
        return bool(
            formats.read(formats.read_file(path, formats.MAX_BYTES + 1), path) == dict(document)
        )
    except (formats.FormatError, OSError, GitpromptError):
        return False


def _put(path: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        hosting.replace(path, text)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}") from error


# Out again


def text_of(
    format: str, name: str, version: str, served: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """A version in a format, and what that has no words for. `served` is the answer of the server: `content` and
    `version`."""
    document = {
        key: value for key, value in served["content"].items() if key not in ("name", "version")
    }
    if format == "openai":
        return openai.written(document), openai.lost(document)
    if format == "promptfoo":
        return promptfoo.written(name, document), promptfoo.lost(document)
    return langfuse_prompts.written(name, version, document, served["version"])
