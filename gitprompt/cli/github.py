# SPDX-License-Identifier: Apache-2.0
"""gitprompt github: what a repository there needs, made and looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gitprompt import config
from gitprompt.cli.output import Group, Styled, json_option, say, write_json
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.drivers.github import repositories
from gitprompt.drivers.github.api import GithubApi
from gitprompt.drivers.github.guards import Need, look, send_again, set_up
from gitprompt.errors import UsageError
from gitprompt.git.origin import http_parts

_COLORS = {"missing": "red", "wrong": "red", "not available": "yellow"}
Function = Callable[..., Any]


def _options(function: Function) -> Function:
    for decorator in (
        json_option,
        click.option(
            "--url", default="", metavar="URL",
            help="Where GitHub sends its webhook: https://HOST/webhooks/github of the sidecar.",
        ),
        click.option(
            "--repo", metavar="OWNER/REPO", help="Others than GITHUB_REPO names.  [env: GITHUB_REPO]"
        ),
    ):  # fmt: skip
        function = decorator(function)
    return function


@click.group(cls=Group)
def github() -> None:
    """Webhook, rules and rights of the repositories at GitHub. GITHUB_TOKEN, or GITHUB_APP_ID with its key, says who
    asks.

    \b
    Examples:
      gitprompt github setup --repo acme/prompts --url https://prompts.acme.com/webhooks/github
      gitprompt github check
    """


@github.command()
@_options
def setup(repo: str | None, url: str, as_json: bool) -> None:
    """Make the ruleset by which version tags never move, and with --url the webhook, whose secret is
    GITHUB_WEBHOOK_SECRET. What is there and right is left alone.

    The token needs Administration: write, and Webhooks: write.
    """
    settings = _settings(repo)
    secret = settings.github_webhook_secret.partition(",")[0].strip()
    if url and not secret:
        raise UsageError(
            "a webhook needs a secret, so that nobody else can send it",
            hint="Set GITHUB_WEBHOOK_SECRET here and at the sidecar: openssl rand -hex 32",
        )
    _report(settings, lambda api, name: set_up(api, name, _address(url), secret), as_json)


@github.command()
@click.option("--redeliver", is_flag=True, help="Have GitHub send again what failed; needs --url.")
@_options
def check(repo: str | None, url: str, redeliver: bool, as_json: bool) -> None:
    """Say what is missing: rights of the token, the ruleset, and with --url the webhook, and what GitHub could not deliver
    to it. Exits with 1 if anything is.
    """
    if redeliver and not url:
        raise UsageError("--redeliver needs --url, of the webhook")

    def look_or_redeliver(api: GithubApi, name: str) -> list[Need]:
        address = _address(url)
        return send_again(api, name, address) if redeliver else look(api, name, address)

    _report(_settings(repo), look_or_redeliver, as_json)


def _settings(repo: str | None) -> config.ServerSettings:
    return config.server_settings({"github_repo": repo})


def _address(url: str) -> str:
    if url and http_parts(url) is None:
        raise UsageError(f"{url} is no URL of a webhook", hint="https://HOST/webhooks/github")
    return url


def _report(
    settings: config.ServerSettings, ask: Callable[[GithubApi, str], list[Need]], as_json: bool
) -> None:
    api = GithubApi(settings)
    found = {
        workspace: (name, ask(api, name)) for workspace, name in repositories(settings).items()
    }
    if as_json:
        write_json(
            {
                workspace: {"repository": name, "found": [need._asdict() for need in needs]}
                for workspace, (name, needs) in found.items()
            }
        )
    else:
        for workspace, (name, needs) in found.items():
            where = "" if workspace == DEFAULT_WORKSPACE else f" ({workspace})"
            say(Styled(f"{name}{where}", bold=True))
            for need in needs:
                state = Styled(need.state, fg=_COLORS.get(need.state, "green"))
                say(f"  {need.what}: ", state, f"  {need.about}" if need.about else "")
    if not all(need.is_well for _, needs in found.values() for need in needs):
        raise click.exceptions.Exit(1)
