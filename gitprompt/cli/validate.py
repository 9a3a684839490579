# SPDX-License-Identifier: Apache-2.0
"""gitprompt validate, with options; without any it never gets here (see __main__)."""

from __future__ import annotations

import click

from gitprompt.checks import SEVERITIES
from gitprompt.cli.checking.examination import Request
from gitprompt.cli.checking.reports import STYLES
from gitprompt.cli.checking.validation import validate
from gitprompt.cli.remote import ROOT_HELP, ROOT_VARIABLE
from gitprompt.core.document import check_root
from gitprompt.errors import UsageError

_CODES = ", ".join(f"{code} ({severity})" for code, severity in SEVERITIES.items())


@click.command(
    "validate", epilog=f"Codes and their severities: {_CODES}. Set them in gitprompt.yaml."
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--staged", is_flag=True, help="What is staged for the next commit, not the files.")
@click.option("--rev", metavar="REV", help="All documents of a commit, branch or tag.")
@click.option("--format", "style", type=click.Choice(STYLES), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--root", metavar="DIR", default="", envvar=ROOT_VARIABLE, help=ROOT_HELP)
@click.option("--strict", is_flag=True, help="Warnings, too, make the exit code 1.")
def validate_command(
    paths: tuple[str, ...], staged: bool, rev: str | None, style: str, as_json: bool, strict: bool,
    root: str,
) -> int:  # fmt: skip
    """Check prompts, suites and settings: those of the repository, or PATHS, which are files,
    folders, or names of prompts.

    \b
    Examples:
      gitprompt validate
      gitprompt validate prompts/welcome.yaml
      gitprompt validate --rev main --format github
    """
    if staged and rev is not None:
        raise UsageError("--staged and --rev exclude each other")
    style = "json" if as_json else style
    return validate(Request(paths, staged, rev, style, strict, check_root(root)))
