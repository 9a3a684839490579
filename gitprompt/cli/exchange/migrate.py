# SPDX-License-Identifier: Apache-2.0
"""gitprompt migrate: prompts, traces and scores of Langfuse, LangSmith, MLflow or PromptMetrics, with what was lost."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from typing import Any

import click

from gitprompt import config
from gitprompt.cli.client import ServerRefused
from gitprompt.cli.exchange.maintenance import Bars
from gitprompt.cli.exchange.patience import Patient
from gitprompt.cli.output import done, json_option, say, write_json, write_table
from gitprompt.cli.remote import require
from gitprompt.clock import now
from gitprompt.errors import GitpromptError, UsageError

HOUSES = (
    "langfuse",
    "langsmith",
    "promptmetrics",
    "mlflow",
)  # as `transfer.importers` has them, which takes long to load
_REJECTED = "gitprompt-migrate-rejected.jsonl"
_KEY = "GITPROMPT_SOURCE_KEY"


@click.command()
@click.option(
    "--from", "house", type=click.Choice(HOUSES), required=True, help="The system it comes from."
)
@click.option(
    "--input", "inputs", multiple=True, metavar="PATH",
    help="A file or folder: JSON, pages of an API, or a record a line; gzip too. May be said again.",
)  # fmt: skip
@click.option("--url", metavar="URL", help="Instead of --input: ask the system itself.")
@click.option(
    "--key", metavar="KEY",
    help=f"With --url; Langfuse's is PUBLIC:SECRET. Better given as {_KEY}: arguments are seen by others.",
)  # fmt: skip
@click.option(
    "--endpoint", "server", metavar="URL", help="The sidecar it goes to.  [env: GITPROMPT_SERVER]"
)
@click.option("--api-key", metavar="KEY", help="Of the sidecar. Better given as GITPROMPT_API_KEY.")
@click.option("--workspace", metavar="W", help="The workspace.  [default: the key's]")
@click.option(
    "--dry-run",
    "is_dry",
    is_flag=True,
    help="Say what would come over and what would be lost; write nothing.",
)
@click.option(
    "--labels", type=click.Choice(("keep", "move", "skip")), default="keep", show_default=True,
    help="keep: a label that exists stays where it is; move: it moves; skip: no labels.",
)  # fmt: skip
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="With --url: requests a second; 0: as many as it takes.",
)
@click.option(
    "--restart", is_flag=True, help="With --url: begin again, and not where the last run stopped."
)
@click.option(
    "--rejected", default=_REJECTED, show_default=True, metavar="FILE",
    help="Where what was not taken as it is goes, as it was: a line of JSON each. Made only if there is such.",
)  # fmt: skip
@json_option
def migrate(
    house: str, inputs: tuple[str, ...], url: str | None, key: str | None, server: str | None, api_key: str | None,
    workspace: str | None, is_dry: bool, labels: str, rate: float, restart: bool, rejected: str, as_json: bool,
) -> None:  # fmt: skip
    """Bring prompts, traces and scores of another system to a sidecar.

    \b
    Prompts become Git: a commit and a tag for each version with its author and date, a move for each label.
    Traces, spans and scores keep their times and ids. The same again changes nothing: cut short, run it again.
    At the end it says what did not come over as it was: field, reason, how often, and the first example.

    \b
    Exit: 0 all that can be read is in, or told; 1 the input is cut or the server refuses, and what came before
    is in; 2 usage.

    \b
    Examples:
      gitprompt migrate --from langfuse --input traces.json --endpoint http://localhost:3000 --dry-run
      gitprompt migrate --from langfuse --url https://cloud.langfuse.com --endpoint http://localhost:3000
    """
    if bool(inputs) == bool(url):
        raise UsageError("say --input PATH or --url URL", hint=f"With --url, the key is in {_KEY}.")
    if url and not (key or config.variable(_KEY)):
        raise UsageError(f"--url needs the key of {house}", hint=f"export {_KEY}=…")
    from gitprompt.transfer.foreign import reading
    from gitprompt.transfer.importing.as_git import Labels

    paths = list(reading.files(list(inputs)))
    with ExitStack() as stack:
        client = stack.enter_context(require(server, api_key, workspace))
        patient = Patient(client)
        state = patient.get("/v1/sync")
        keep_days = _keep_days(patient)
        journal = _journal(
            (client.server, state["workspace"], house, url or ""), is_used=bool(url) and not is_dry
        )
        if restart:
            journal.forget()
        run = _run(
            stack,
            client,
            patient,
            state,
            house,
            keep_days,
            rejected=None if is_dry else rejected,
            is_more=bool(journal.done),
        )
        chosen = Labels(labels != "skip", labels == "move")
        if url:
            source = _source(house, url, str(key or config.variable(_KEY)), rate)
            stack.callback(source.close)
            migrated = run.of_pages(source, journal, chosen, is_dry=is_dry)
        else:
            migrated = run.of_files(paths, chosen, is_dry=is_dry)
        checked, totals = None, None
        with suppress(GitpromptError) if migrated.broken else nullcontext():
            checked = None if is_dry else run.telemetry.verify(partial(_if_there, patient))
            totals = {
                kind: patient.get(f"/v1/{kind}/count")["count"] for kind in ("traces", "prompts")
            }
    report = {
        "from": house,
        "dry_run": is_dry,
        "records": migrated.records,
        "counts": {
            kind: {"new": new, "there": there}
            for kind, (new, there) in sorted(migrated.counts.items())
        },
        "server": totals,
        "verified": checked,
        "losses": [loss._asdict() for loss in migrated.losses],
        "rejected": migrated.kept,
        "broken": migrated.broken or None,
        "keep_days": keep_days,
    }
    if as_json:
        write_json(report)
    else:
        _tell(report, rejected)
    _refuse_strangers(paths, house, migrated)
    if migrated.broken or (checked and checked["other"]):
        raise click.exceptions.Exit(1)


def _journal(way: tuple[str, ...], *, is_used: bool) -> Any:
    from gitprompt.transfer.importing.journal import Journal

    folder = config.variable("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Journal(os.path.join(folder, "gitprompt"), *way, is_used=is_used)


def _run(
    stack: ExitStack, client: Any, patient: Patient, state: Mapping[str, Any], house: str, keep_days: int | None, *,
    rejected: str | None, is_more: bool,
) -> Any:  # fmt: skip
    """An import that is ready to begin. `rejected` None: a dry run."""
    from gitprompt.transfer.foreign.records import Losses
    from gitprompt.transfer.importers import IMPORTERS
    from gitprompt.transfer.importing import migration
    from gitprompt.transfer.importing.as_git import Prompts
    from gitprompt.transfer.importing.git_door import GitDoor
    from gitprompt.transfer.importing.sending import Telemetry

    rejects = migration.Rejects(rejected, is_more=is_more)
    stack.callback(rejects.close)
    losses = Losses(rejects.keep)
    starts: dict[str, int] = {}
    telemetry = Telemetry(
        None if rejected is None else patient, losses, starts, now_ms=now() * 1000,
        oldest_ms=(now() - keep_days * 86_400) * 1000 if keep_days else None,
    )  # fmt: skip
    door = GitDoor(
        client.server,
        state["workspace"],
        client.key,
        is_here=client.is_here,
        serve=lambda: patient.post("/v1/sync"),
    )
    prompts = Prompts(door, is_new=not state["revision"], losses=losses, house=house, now=now())
    show = stack.enter_context(Bars())
    return migration.Migration(
        IMPORTERS[house](), telemetry, prompts, losses, rejects, starts, step=show
    )


def _refuse_strangers(paths: Sequence[str], house: str, migrated: Any) -> None:
    """Raise UsageError where nothing in the input is of the system that was named."""
    unknown = sum(loss.number for loss in migrated.losses if loss.field == "record")
    if not paths or not unknown or unknown < migrated.records:
        return
    from gitprompt.transfer.importers import IMPORTERS
    from gitprompt.transfer.importing.migration import kinds_in

    others = sorted(set(kinds_in(paths, IMPORTERS)) - {house})
    hint = f"Is it --from {' or '.join(others)}?" if others else "Is it an export?"
    raise UsageError(f"nothing in the input is of {house}", hint=hint)


def _tell(report: Mapping[str, Any], rejected: str) -> None:
    verb = "would come" if report["dry_run"] else "came"
    for kind, number in report["counts"].items():
        say(
            f"{number['new']:,} {kind} {verb} over"
            + (f", {number['there']:,} there already" * bool(number["there"]))
        )
    if not report["counts"]:
        say(f"nothing {verb} over")
    if report["losses"]:
        say("")
        say(
            "What does not come over as it was:"
            if report["dry_run"]
            else "What did not come over as it was:"
        )
        rows = [
            (one["field"], one["reason"], f"{one['number']:,}", one["example"])
            for one in report["losses"]
        ]
        write_table(("field", "reason", "count", "first example"), rows, empty="")
    if report["rejected"] and not report["dry_run"]:
        say(f"{report['rejected']:,} records are in {rejected}, as they were, with the reason.")
    checked = report["verified"]
    if checked and checked["read"]:
        say(
            f"{checked['read'] - checked['other']:,} of {checked['read']:,} traces that were read back say what was sent."
        )
    if report["keep_days"] is None:
        say(
            "How long the server keeps telemetry (GITPROMPT_KEEP_DAYS) only a key of the scope admin may ask.",
            err=True,
        )
    if report["broken"]:
        say(report["broken"], err=True)
        say(
            "What came before is in. Run it again with the whole input: it goes on from there.",
            err=True,
        )
    elif not report["dry_run"]:
        done(
            f"the server has {report['server']['traces']:,} traces and {report['server']['prompts']:,} prompts"
        )
    else:
        done("nothing was written")


def _if_there(client: Any, path: str) -> Any | None:
    try:
        return client.get(path)
    except ServerRefused as error:
        if error.answered != 404:
            raise
        return None


def _keep_days(client: Any) -> int | None:
    """How long the server keeps telemetry; None: the key may not know."""
    try:
        return int(client.get("/v1/config")["keep_days"])
    except ServerRefused as error:
        if error.answered != 403:
            raise
        return None


def _source(house: str, url: str, key: str, rate: float) -> Any:
    from gitprompt.transfer.importing.live import LiveSource

    headers, auth = {}, None
    if house == "langfuse":
        public, colon, secret = key.partition(":")
        if not colon:
            raise UsageError("Langfuse's key is PUBLIC:SECRET", hint="pk-lf-…:sk-lf-…")
        auth = public, secret
    elif house == "mlflow":
        user, colon, secret = key.partition(":")
        auth = (user, secret) if colon else None
        headers = {} if colon else {"Authorization": f"Bearer {key}"}
    else:
        headers = {"X-API-Key": key}
    return LiveSource(url, headers, auth, rate=rate, tell=lambda text: say(text, err=True))
