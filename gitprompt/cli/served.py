# SPDX-License-Identifier: Apache-2.0
"""Prompts and labels on a server, under the names that the contract's other command lines have:
create-prompt, get-prompt, list-prompts, add-label, get-label; and import and export of many."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import click

from gitprompt import formats
from gitprompt.cli.client import ServerRefused, prompt_path, refusal
from gitprompt.cli.online import Online
from gitprompt.cli.output import done, json_option, progress, say, when, write_json, write_table
from gitprompt.cli.remote import require, root_option, server_options
from gitprompt.core.document import FRAGMENTS, PROMPTS, SUFFIXES, place
from gitprompt.core.names import check_name
from gitprompt.core.versions import check_version
from gitprompt.errors import Invalid, NotFound, UsageError
from gitprompt.formats import fragments

_MAX_FILE = formats.MAX_BYTES


@click.command("create-prompt")
@click.option("--file", "path", required=True, metavar="FILE", help="A prompt, JSON or YAML.")
@click.option("--name", help="Its name, if the file does not say it.")
@click.option("--version", metavar="V", help="Its version, if the file does not say it.")
@server_options
@json_option
def create_prompt(
    path: str, name: str | None, version: str | None, server: str | None, api_key: str | None,
    workspace: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Publish a file on a server, without a clone.

    \b
    Example:
      gitprompt create-prompt --file welcome.json
    """
    document = _read(path)
    for key, value in (("name", name), ("version", version)):
        if value is not None:
            document[key] = value
    with require(server, api_key, workspace) as client:
        answer = client.post("/v1/prompts", document)
    if as_json:
        write_json(answer)
        return
    done(f"{answer['name']} · v{answer['version_tag']} · committed {answer['commit_sha'][:7]}")


@click.command("get-prompt")
@click.argument("name")
@click.option("--version", metavar="V", help="This version.")
@click.option("--label", metavar="L", help="What this label points at.")
@click.option("--var", "variables", multiple=True, metavar="K=V", help="A variable.")
@server_options
def get_prompt(
    name: str, version: str | None, label: str | None, variables: tuple[str, ...],
    server: str | None, api_key: str | None, workspace: str | None,
) -> None:  # fmt: skip
    """Print a prompt as the server renders it.

    \b
    Example:
      gitprompt get-prompt welcome --label production --var name=Ada
    """
    params: dict[str, str] = {}
    for pair in variables:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--var {pair}: write NAME=VALUE")
        params[f"variables[{key}]"] = value
    for key, selector in (("version", version), ("label", label)):
        if selector:
            params[key] = selector
    with require(server, api_key, workspace) as client:
        write_json(client.send("GET", prompt_path(Online(client).name(name)), params=params))


@click.command("list-prompts")
@click.option("--q", "query", metavar="TEXT", help="Part of the name.")
@server_options
@json_option
def list_prompts(
    query: str | None, server: str | None, api_key: str | None, workspace: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List the prompts that a server has.

    \b
    Example:
      gitprompt list-prompts --q triage
    """
    with require(server, api_key, workspace) as client:
        prompts = list(client.everything("/v1/prompts", **({"q": query} if query else {})))
    if as_json:
        write_json(prompts)
        return
    rows = [
        (item["name"], item["latest"], ", ".join(f"{k} → {v}" for k, v in item["labels"].items()),
         when(item["updated_at"]))
        for item in prompts
    ]  # fmt: skip
    write_table(("prompt", "newest", "labels", "updated (UTC)"), rows, empty="No prompts yet.")


@click.command("add-label")
@click.argument("name")
@click.argument("label")
@click.argument("version", required=False)
@server_options
@json_option
def add_label(
    name: str, label: str, version: str | None, server: str | None, api_key: str | None,
    workspace: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Create a label on a server; without VERSION it points at the newest.

    \b
    Example:
      gitprompt add-label welcome production 1.0.0
    """
    body = {"name": label, **({"version_tag": version} if version else {})}
    with require(server, api_key, workspace) as client:
        name = Online(client).name(name)
        try:
            answer = client.post(prompt_path(name, "labels"), body)
        except ServerRefused as error:
            if error.answered == 409:
                error.hint = f"Move it: gitprompt label set {name} {label} VERSION --server URL"
            raise
    if as_json:
        write_json(answer)
    else:
        done(f"{name} {label}: {answer['version_tag']}")


@click.command("get-label")
@click.argument("name")
@click.argument("label")
@server_options
@json_option
def get_label(
    name: str, label: str, server: str | None, api_key: str | None, workspace: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Print the version that a label points at.

    \b
    Example:
      gitprompt get-label welcome production
    """
    with require(server, api_key, workspace) as client:
        answer = client.get(prompt_path(Online(client).name(name), "labels", label))
    if as_json:
        write_json(answer)
    else:
        say(answer["version_tag"])


# Many at once


@click.command("import")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option(
    "--dir", "folder", metavar="DIR",
    help="Publish on a server: <name>/<version>.json as export writes them, or <name>.json with a version inside.",
)  # fmt: skip
@click.option(
    "--name",
    metavar="NAME",
    help="Of the prompt of one PATH.  [default: what the file says, or its own]",
)
@click.option(
    "--format",
    "format",
    metavar="F",
    help="What a PATH is: openai, prompty, dotprompt, promptfoo, promptpack, langsmith, markdown or text.  [default: told from it]",
)
@click.option(
    "--force", is_flag=True, help="Replace files of the work tree that say something else."
)
@click.option(
    "--dry-run", "is_dry", is_flag=True, help="Say what a PATH would become, and write nothing."
)
@root_option
@server_options
@json_option
def import_(
    paths: tuple[str, ...], folder: str | None, name: str | None, format: str | None, force: bool, is_dry: bool,
    server: str | None, api_key: str | None, workspace: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Bring prompts in: files of other tools into the work tree, or a whole folder of ours to a server.

    \b
    PATH…: OpenAI's messages (JSON, JSON lines), Prompty, dotprompt (Google's and LiteLLM's), promptfoo
    (its tests become suites), PromptPack, LangSmith's manifests, Markdown with settings at its head, text.
    Jinja, Nunjucks, Handlebars and format strings become Mustache; what it cannot say is told by its line, stays
    as text, and makes the exit code 1. They are written to prompts/ and evals/, and nothing is published.

    --dir: every prompt of the folder is published on a server. What is there already with the same content is
    left alone, so an import that was cut short goes on where it stopped. Fragments that are in the
    folder are written out; of others those of the server's repository count.

    \b
    Examples:
      gitprompt import triage.prompty promptfooconfig.yaml
      gitprompt import --dir backup/prompts
    """
    if bool(paths) == bool(folder):
        raise UsageError("say PATH… or --dir DIR", hint="gitprompt import --help")
    if folder is None:
        from gitprompt.cli.exchange import files

        if format is not None and format not in files.NAMES:
            raise UsageError(
                f"--format {format} is not known", hint=f"One of {', '.join(files.NAMES)}."
            )
        files.import_files(paths, name, format, force=force, is_dry=is_dry, as_json=as_json)
        return
    documents = list(_files(folder))
    if not documents:
        raise NotFound(f"there are no prompts in {folder}", hint="It looks for .json and .yaml.")
    counts = {"published": 0, "there already": 0, "failed": 0}
    shared = fragments.Files(os.path.join(folder, os.path.basename(FRAGMENTS)))
    with (
        require(server, api_key, workspace) as client,
        progress("importing", len(documents)) as step,
    ):
        for batch in _batches(_documents(documents, folder, shared)):
            for outcome in _import_batch(client, batch):
                counts[outcome] += 1
                step(1)
    if as_json:
        write_json(counts)
    else:
        (say if counts["failed"] else done)(", ".join(f"{n} {what}" for what, n in counts.items()))
    if counts["failed"]:
        raise click.exceptions.Exit(1)


class _Sent(NamedTuple):
    """A file to import: its document and how long it is in JSON, or why there is none."""

    path: str
    document: dict[str, Any]
    size: int = 0
    problem: str = ""


def _documents(paths: Iterable[str], folder: str, source: fragments.Source) -> Iterator[_Sent]:
    for path in paths:
        inside = f"{PROMPTS}/{os.path.relpath(path, folder).replace(os.sep, '/')}"
        _, name, version = place(inside)
        try:
            document = fragments.include(_read(path), source).document
            document.setdefault("name", name)
            if version is not None:
                document.setdefault("version", version)
            size = len(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
        except UsageError as error:
            yield _Sent(path, {}, problem=error.message)
        except OSError as error:
            yield _Sent(path, {}, problem=f"{path}: {error.strerror}")
        except ValueError as error:  # a number that is none, or half a character
            yield _Sent(path, {}, problem=f"{path}: it cannot be sent as JSON: {error}")
        else:
            yield _Sent(path, document, size)


_BATCH = 500  # documents of one request
_BATCH_BYTES = 4_000_000


def _batches(items: Iterable[_Sent]) -> Iterator[list[_Sent]]:
    batch: list[_Sent] = []
    size = 0
    for item in items:
        if batch and (len(batch) >= _BATCH or size + item.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch


def _import_batch(client: Any, batch: Sequence[_Sent]) -> Iterator[str]:
    """What became of each file: the server publishes all that can go in together."""
    sent = [item for item in batch if not item.problem]
    try:
        answers = iter(client.post("/v1/prompts", [item.document for item in sent])["items"])
    except ServerRefused as error:
        if error.answered != 413:
            raise
        if len(batch) > 1:  # the server takes less in one request than we would send
            yield from _import_batch(client, batch[: len(batch) // 2])
            yield from _import_batch(client, batch[len(batch) // 2 :])
            return
        say(f"{batch[0].path}: {error.message}", err=True)
        yield "failed"
        return
    for item in batch:
        if item.problem:
            say(item.problem, err=True)
            yield "failed"
            continue
        answer = next(answers)
        if answer["status"] == 201:
            yield "published"
        elif answer["status"] == 409 and _is_same(client, item.document):
            yield "there already"
        else:
            why = refusal(answer)
            if "version: is required" in why:
                why += "; gitprompt publish FILE --server URL counts versions"
            say(f"{item.path}: {why}", err=True)
            yield "failed"


def _is_same(client: Any, document: dict[str, Any]) -> bool:
    from gitprompt.core.document import digest

    params = {"version": document["version"], "render": "false"}
    try:
        response = client.send("GET", prompt_path(document["name"]), params=params)
    except ServerRefused:  # what is there is a twin, under another spelling
        return False
    return digest(response["content"]) == digest(document)


@click.command("export")
@click.option("--out", "folder", required=True, metavar="DIR", help="Where to write.")
@click.option(
    "--format", "format", type=click.Choice(("gitprompt", "openai", "promptfoo", "langfuse")), default="gitprompt",
    show_default=True, help="Ours has all of it; what another has no words for is told.",
)  # fmt: skip
@server_options
@json_option
def export(
    folder: str,
    format: str,
    server: str | None,
    api_key: str | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Write every version of every prompt to DIR/<name>/<version>.json; of promptfoo, to
    DIR/<name>/<version>/promptfooconfig.yaml. Files that are there already are left alone: versions never
    change, so an export that was cut short goes on where it stopped.

    \b
    Examples:
      gitprompt export --out backup/prompts
      gitprompt export --format openai --out openai
    """
    written = kept = refused = 0
    lost: dict[str, list[str]] = {}
    with require(server, api_key, workspace) as client:
        total = client.get("/v1/prompts/count")["count"]
        with progress("exporting", total) as step:
            for prompt in client.everything("/v1/prompts"):
                for name, version in _versions(client, prompt):
                    if name is None or version is None:
                        refused += 1
                        continue
                    place = (
                        f"{version}.json"
                        if format != "promptfoo"
                        else f"{version}/promptfooconfig.yaml"
                    )
                    path = os.path.join(folder, name, place)
                    if os.path.exists(path):
                        kept += 1
                        continue
                    text, missing = _exported(client, format, name, version)
                    for what in missing:
                        lost.setdefault(what, []).append(f"{name} {version}")
                    _write_whole(path, text)
                    written += 1
                step(1)
    if as_json:
        write_json(
            {
                "written": written,
                "there already": kept,
                "refused": refused,
                **({"lost": lost} if format != "gitprompt" else {}),
            }
        )
    else:
        for what, whose in sorted(lost.items()):
            say(
                f"{format} has no words for {what}: {len(whose)} versions, such as {whose[0]}",
                err=True,
            )
        done(f"{written} written, {kept} there already" + (f", {refused} refused" * bool(refused)))
    if refused:
        raise click.exceptions.Exit(1)


def _versions(client: Any, prompt: Any) -> Iterator[tuple[str | None, str | None]]:
    """Name and version of what a server says it has of a prompt. None for what is not one: a file
    name is made of both, and no server may choose where that leads."""
    try:
        name = check_name(prompt["name"])
        for version in client.everything(prompt_path(name, "versions")):
            try:
                yield name, check_version(version["version_tag"])
            except (Invalid, KeyError, TypeError, AttributeError):
                say(f"refused: the server sent an invalid version of {name}", err=True)
                yield name, None
    except (Invalid, KeyError, TypeError, AttributeError):
        say(f"refused: the server sent an invalid prompt name: {str(prompt)[:200]}", err=True)
        yield None, None


def _exported(client: Any, format: str, name: str, version: str) -> tuple[str, list[str]]:
    """The text of a version, and what the format has no words for."""
    params = {"version": version, "render": "false"}
    response = client.send("GET", prompt_path(name), params=params)
    if format == "gitprompt":
        text = json.dumps(response["content"], indent=2, ensure_ascii=False) + "\n"
        return text, []
    from gitprompt.cli.exchange import files

    return files.text_of(format, name, version, response)


def _write_whole(path: str, text: str) -> None:
    """A file that is there is whole, whenever this process dies."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.part"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def _files(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(SUFFIXES):
                yield os.path.join(parent, name)


def _read(path: str) -> dict[str, Any]:
    data = formats.read_file(path, _MAX_FILE + 1)
    try:
        value = formats.read(data, path)
    except formats.FormatError as error:
        place = f":{error.line}:{error.column}" if error.line else ""
        raise UsageError(f"{path}{place}: {error.message}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{path} is not a prompt: a mapping of keys is wanted")
    return value
