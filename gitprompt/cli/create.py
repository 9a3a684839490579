# SPDX-License-Identifier: Apache-2.0
"""gitprompt init and new: they write what is missing and never overwrite."""

from __future__ import annotations

import json
import os

import click

from gitprompt import hosting, resources
from gitprompt.cli.output import done, say, write_lines
from gitprompt.cli.read import registry
from gitprompt.cli.remote import root_option
from gitprompt.core.document import (
    PROMPTS,
    SETTINGS,
    SUFFIXES,
    check_root,
    no_such_root,
    prompt_paths,
)
from gitprompt.core.names import check_name, fold, is_kept_for_fragments
from gitprompt.errors import Conflict, GitError, SetupError, UsageError
from gitprompt.git import peek
from gitprompt.git.process import git
from gitprompt.git.repository import Repository
from gitprompt.registry import remotes
from gitprompt.registry.clone import Clone, name_of_path

_SCHEMAS = ("prompt.schema.json", "eval-suite.schema.json", "config.schema.json")

_SETTINGS = """\
# yaml-language-server: $schema={schemas}.gitprompt/config.schema.json
{root}labels:
  protected:
    production: admin   # only a key with the scope admin moves it
checks:
  unused-variable: warning
"""

_SUITE = """\
# yaml-language-server: $schema=../.gitprompt/eval-suite.schema.json
description: The greeting is warm, short and uses the name
prompt_name: welcome
criteria:
  min_score: 0.8
"""

_SAMPLE = """\
# yaml-language-server: $schema={schema}
description: Greets a new user by name
messages:
  - role: system
    content: |
      You are the assistant of {{{{company}}}}. Be friendly and brief.
  - role: user
    content: "Hello, I am {{{{name}}}}. What can you do for me?"
variables:
  name: {{type: string, required: true, description: Name of the user}}
  company: {{type: string, default: ACME}}
model_config:
  model: gpt-4o
  temperature: 0.7
"""

_SKELETON = """\
# yaml-language-server: $schema={schema}
description: What {name} is for, in a sentence
messages:
  - role: system
    content: |
      You are a helpful assistant.
  - role: user
    content: "{{{{input}}}}"
variables:
  input: {{type: string, required: true, description: What the user asks}}
model_config:
  model: gpt-4o
"""


@click.command()
@click.argument("directory", default=".", type=click.Path(file_okay=False))
@click.option("--no-hooks", is_flag=True, help="Do not install the pre-commit and pre-push hooks.")
def init(directory: str, no_hooks: bool) -> None:
    """Make a prompt repository: a sample prompt, a suite, settings, schemas for your editor, hooks.

    Files that exist are left alone. In a folder of a larger repository, the settings at its top say
    that the prompts are there.

    \b
    Examples:
      gitprompt init my-prompts && cd my-prompts
      gitprompt init services/chat/prompts-repo
    """
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{directory} cannot be made: {error.strerror}") from error
    repository = _repository(directory)
    root = _root_of(repository, directory)
    files = {
        "prompts/welcome.yaml": _SAMPLE.format(schema="../.gitprompt/prompt.schema.json"),
        "evals/welcome-quality.yaml": _SUITE,
        ".gitignore": "data/\n",
        **_schemas(),
    }
    written = [SETTINGS] if _write_settings(repository, directory, root) else []
    written += [path for path, text in files.items() if _write_new(directory, path, text)]
    if _ignore_data(directory):
        written.append(".gitignore")
    for path in written:
        if not path.startswith(".git"):
            done(path)
    if not no_hooks:
        _install_hooks(repository)
    for remote in repository.remotes():
        remotes.configure_fetch(repository, remote)
    if not written:
        say("Everything was there already.")
        return
    here = "" if directory == "." else f"cd {directory} && "
    top = f" :/{SETTINGS}" if root else ""
    write_lines(f'\nNext:\n  {here}git add .{top} && git commit -m "Add prompts"')
    write_lines(
        "  gitprompt publish welcome --version 1.0.0\n  gitprompt label set welcome production 1.0.0"
    )


def _install_hooks(repository: Repository) -> None:
    try:
        for path in hosting.install_client_hooks(repository):
            done(f"hook {os.path.basename(path)}")
    except SetupError as error:
        say(f"warning: no hooks were installed: {error.message}", err=True)
        write_lines(f"  {error.hint}", err=True)


def _repository(directory: str) -> Repository:
    try:
        repository = Repository.discover(directory)
        if repository.work_tree is None:
            raise UsageError(
                f"{directory} is in a bare repository", hint="Run it in a clone, or elsewhere."
            )
        return repository
    except GitError:
        raise
    except SetupError:
        if peek.top_level(directory) is not None and os.path.lexists(f"{directory}/.git"):
            raise
        git(["init", "--quiet", "--initial-branch=main", directory])
        return Repository.discover(directory)


def _root_of(repository: Repository, directory: str) -> str:
    """The folder of the prompts in its repository; empty for the top."""
    path = os.path.relpath(
        os.path.realpath(directory), os.path.realpath(repository.work_tree or directory)
    )
    return check_root(path)


def _write_settings(repository: Repository, directory: str, root: str) -> bool:
    """Write gitprompt.yaml at the top. Raises Conflict if one is there that names another root."""
    top = repository.work_tree or directory
    clone = Clone(repository)
    is_settled = os.path.lexists(os.path.join(top, SETTINGS)) or clone.names()
    there = clone.root if is_settled else root
    if there != root:
        raise Conflict(
            f"the prompts of this repository are in {clone.shown(there or '.')}, not in {directory}",
            hint=f"Run it there; or move them, and say so in {clone.shown(SETTINGS)}: "
            + (f"root: {root}" if root else "take its root away"),
        )
    line = f"root: {json.dumps(root)}\n" if root else ""
    schemas = f"{root}/" if root else ""
    return _write_new(top, SETTINGS, _SETTINGS.format(schemas=schemas, root=line))


def _schemas() -> dict[str, str]:
    return {f".gitprompt/{name}": resources.read("schemas", name) for name in _SCHEMAS}


def _write_new(directory: str, path: str, text: str) -> bool:
    full = os.path.join(directory, path)
    try:
        os.makedirs(os.path.dirname(full) or ".", exist_ok=True)
        with open(full, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise SetupError(f"{full} cannot be written: {error.strerror}") from error
    return True


def _ignore_data(directory: str) -> bool:
    """Let a .gitignore that is there already name the data folder too."""
    path = os.path.join(directory, ".gitignore")
    with open(path, "r+", encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
        if {"data", "data/", "/data", "/data/"} & set(text.split()):
            return False
        file.write(("" if text.endswith("\n") or not text else "\n") + "data/\n")
    return True


def folder_of_prompts() -> str:
    """The folder that has prompts/, where there may be no repository yet."""
    try:
        clone = registry()
        if clone.repository.work_tree is None:
            raise UsageError("this repository is bare", hint="Run it in a clone.")
        if clone.is_root_missing:
            raise no_such_root(clone.root)
        return clone.folder or "."
    except SetupError:
        return peek.top_level(".") or "."


def _new_name(text: str, top: str) -> str:
    """The name of a prompt that is to be: itself, or what the path of its file means."""
    name = name_of_path(text, top, exists=False)
    if name is None and (text.endswith(SUFFIXES) or text.startswith((".", os.sep))):
        folder = os.path.relpath(os.path.join(top, PROMPTS))
        where = "this folder" if folder == "." else f"{folder}/"
        raise UsageError(
            f"{text} is not below {where}, where the prompts of this repository are",
            hint="Say a name, such as support/triage, or a path below that folder.",
        )
    name = check_name(name or text)
    if is_kept_for_fragments(name):
        raise UsageError(
            f"{name} would lie among the fragments, which are no prompts",
            hint=f"A fragment is a file {PROMPTS}/{name}.md; for a prompt choose another name.",
        )
    return name


def case_twin(path: str, top: str) -> str | None:
    """What is there already that a path, or a folder of it, differs from only in case."""
    for part in path.split("/"):
        try:
            there = os.listdir(top)
        except OSError:
            return None
        if part not in there:
            stem = fold(part).removesuffix(".yaml")
            twins = {stem + suffix for suffix in ("", *SUFFIXES)} if "." in part else {stem}
            return next((os.path.join(top, one) for one in there if fold(one) in twins), None)
        top = os.path.join(top, part)
    return None


@click.command()
@click.argument("name")
@root_option
def new(name: str) -> None:
    """Write a valid skeleton of a prompt to prompts/NAME.yaml; NAME may be that path.

    \b
    Example:
      gitprompt new support/triage
    """
    top = folder_of_prompts()
    name = _new_name(name, top)
    for path in prompt_paths(name):
        if os.path.lexists(os.path.join(top, path)):
            shown = os.path.relpath(os.path.join(top, path))
            raise Conflict(f"{shown} exists already", hint="Edit it, or choose another name.")
    twin = case_twin(f"{PROMPTS}/{name}.yaml", top)
    if twin is not None:
        raise Conflict(
            f"'{name}' differs only in case from what is at {os.path.relpath(twin)}",
            hint="Write it as it is written there, or choose another name.",
        )
    path = f"prompts/{name}.yaml"
    up = "../" * path.count("/")
    for schema, text in _schemas().items():
        _write_new(top, schema, text)
    _write_new(top, path, _SKELETON.format(schema=f"{up}.gitprompt/prompt.schema.json", name=name))
    done(os.path.relpath(os.path.join(top, path)))
