# SPDX-License-Identifier: Apache-2.0
"""gitprompt doctor: what is wrong with this machine, clone or data folder, and how to repair it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple

import click

from gitprompt import clock, config, hosting
from gitprompt import keys as api_keys
from gitprompt.cli.output import Styled, json_option, say, write_json
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import GitpromptError, SetupError
from gitprompt.git import peek
from gitprompt.git.origin import MARK, Origin, ask, parse_origin
from gitprompt.git.process import require_git
from gitprompt.git.repository import Repository, cure_of
from gitprompt.store import integrity
from gitprompt.store.engines import engine_at
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.tables.pins import AnyPin
from gitprompt.store.tables.ui_sessions import PlainSessions


class Diagnosis(NamedTuple):
    what: str
    problem: str = ""
    mend: str = ""


@click.command()
@click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)
@json_option
def doctor(data: str | None, as_json: bool) -> int:
    """Look for what is wrong, and say how to repair it. Changes nothing; exit code 1 if there is
    something.

    \b
    Example:
      gitprompt doctor
    """
    folder = config.data_folder(data)
    findings = list(_examine(folder, data))
    if as_json:
        write_json([diagnosis._asdict() for diagnosis in findings])
    else:
        for diagnosis in findings:
            _write(diagnosis)
    return 1 if any(diagnosis.problem for diagnosis in findings) else 0


def _write(diagnosis: Diagnosis) -> None:
    if not diagnosis.problem:
        say(Styled("ok", fg="green"), f"   {diagnosis.what}")
        return
    say(Styled("!!", fg="red"), f"   {diagnosis.what}: {diagnosis.problem}")
    if diagnosis.mend:
        say(f"     {diagnosis.mend}")


def _examine(folder: str, data: str | None) -> Iterator[Diagnosis]:
    yield _try("git", lambda: require_git() and None)
    yield Diagnosis(f"Python {sys.version.split()[0]}")
    if peek.top_level(".") is not None:
        yield from _clone()
    if os.path.isdir(folder):
        yield from _data(folder)
    elif data is not None:
        yield Diagnosis(f"data folder {folder}", "there is none", "Is --data right?")


def _try(what: str, look: Callable[[], object]) -> Diagnosis:
    try:
        look()
    except GitpromptError as error:
        return Diagnosis(what, error.message, error.hint)
    return Diagnosis(what)


def _clone() -> Iterator[Diagnosis]:
    try:
        repository = Repository.discover()
    except SetupError as error:
        yield Diagnosis("this repository", error.message, error.hint)
        return
    yield Diagnosis(f"repository {repository.git_dir}")
    if repository.work_tree is None:
        return
    folder = repository.hooks_dir()
    for hook in ("pre-commit", "pre-push"):
        path = os.path.join(folder, hook)
        if not os.path.exists(path):
            yield Diagnosis(f"hook {hook}", "not installed", "gitprompt hooks install")
        elif not os.access(path, os.X_OK):
            yield Diagnosis(f"hook {hook}", "not executable", f"chmod +x {path}")
        else:
            yield _interpreter(hook, path)
    for remote in repository.remotes():
        refspecs = repository.git("config", "--get-all", f"remote.{remote}.fetch", accept=(0, 1))
        missing = b"refs/labels/*" not in refspecs
        yield Diagnosis(
            f"labels of {remote}",
            "git fetch does not bring them" if missing else "",
            "gitprompt hooks install" if missing else "",
        )


def _interpreter(hook: str, path: str) -> Diagnosis:
    """A hook embeds the interpreter that installed it, which may be gone."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    python = text.partition('exec "')[2].partition('"')[0]
    if python and not os.path.exists(python):
        return Diagnosis(f"hook {hook}", f"{python} is gone", "gitprompt hooks install")
    return Diagnosis(f"hook {hook}")


def _data(folder: str) -> Iterator[Diagnosis]:
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        owner = os.stat(folder).st_uid
        yield Diagnosis(
            f"data folder {folder}",
            f"user {os.getuid()} may not write it, and nothing in it was looked at",
            f"It is that of user {owner}: run this as that user.",
        )
        return
    holder = hosting.is_held(folder)
    yield Diagnosis(f"data folder {folder}" + (f": {holder}" if holder else ""))
    salt = os.path.join(folder, "salt")
    if os.path.exists(salt):
        open_to_others = stat.S_IMODE(os.stat(salt).st_mode) & 0o077
        if os.path.getsize(salt) < 16:
            yield Diagnosis("salt", "it is too short", "Restore it: all keys depend on it.")
        elif open_to_others:
            yield Diagnosis("salt", "others may read it", f"chmod 600 {salt}")
        else:
            yield Diagnosis("salt")
    location = config.database_location(folder)
    database = config.database_file(location)
    if database is None:
        yield _try("database", partial(_connect, location))
    else:
        if not os.path.exists(salt) and not config.variable("API_KEY_SALT"):
            number = integrity.number_of_keys(database)
            yield _try("salt", partial(api_keys.check_salt, salt, number))
        yield Diagnosis(
            os.path.basename(database),
            integrity.problem(database),
            "Stop the server and restore it from a backup.",
        )
    if database is None or not integrity.problem(database):
        yield _try("pages", partial(_sessions, location))
    index = os.path.join(folder, "index.db")
    yield Diagnosis(
        "index.db",
        integrity.problem(index),
        f"Stop the server, delete {index}, start it: it is rebuilt.",
    )
    yield from _tampering(index)
    hosted = hosting.Hosting(folder)
    for workspace in hosted.workspaces():
        yield _try(f"workspace {workspace}", partial(_fsck, hosted, workspace))
        yield from _origin(hosted, workspace)


def _connect(location: str) -> None:
    """Whether a database that is no file answers, and has our tables."""
    with closing(engine_at(location).reader()) as db:
        try:
            AnyPin(DEFAULT_WORKSPACE).answer(db)
        except Exception as error:
            raise db.explained(error) from error


def _sessions(location: str) -> None:
    """Whether somebody has signed in to the pages over plain http, from another machine."""
    with closing(engine_at(location).reader()) as db:
        try:
            number = PlainSessions(clock.now()).answer(db)
        except Exception:  # of a schema without sessions; whether it answers at all is said above
            return
    if number:
        raise SetupError(
            f"sessions that were opened over http from elsewhere, so that whoever is on the way knows them: {number}",
            hint="Put a proxy with https before the server (docs/deploy.md), and revoke the keys that were used.",
        )


def _tampering(path: str) -> Iterator[Diagnosis]:
    """Version tags that moved or vanished, as the last sync saw them."""
    if not os.path.exists(path) or integrity.problem(path):
        return
    reader = IndexReader(path)
    for workspace in reader.workspaces():
        for item in reader.tampered(workspace):
            condition = "was moved" if item.seen else "was deleted"
            mend = f"Put it back: git update-ref {item.ref} {item.pinned}"
            yield Diagnosis(f"{workspace}: {item.ref}", f"it {condition}", mend)
    reader.close()


def _origin(hosted: hosting.Hosting, workspace: str) -> Iterator[Diagnosis]:
    """Whether what a mirror follows answers; with the credentials of the environment, if any."""
    try:
        repository = hosted.open(workspace)
    except GitpromptError:
        return  # it is said above
    url = repository.line("config", "--get", MARK)
    if not url:
        return

    def look() -> None:
        given = config.variable("GITPROMPT_ORIGIN")
        known = parse_origin(given) if given else Origin(url)
        secret = known.secret if known.url == url else {}
        ask(repository, "ls-remote", url, "HEAD", secret=secret)

    yield _try(f"origin {url}", look)


def _fsck(hosted: hosting.Hosting, workspace: str) -> None:
    repository = hosted.open(workspace)
    try:
        repository.patience = None
        repository.git("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    except GitpromptError as error:
        raise SetupError(
            error.message,
            hint=cure_of(repository.git_dir),
        ) from error
