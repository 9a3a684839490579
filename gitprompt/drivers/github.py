# SPDX-License-Identifier: Apache-2.0
"""Mirrors of repositories at GitHub: GITHUB_REPO names one, or one for each workspace; GITHUB_TOKEN may push.

The token goes to git as a header in the environment of its process: never in arguments, URLs or files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitprompt.config import ServerSettings
from gitprompt.core.names import DEFAULT_WORKSPACE, WORKSPACE
from gitprompt.drivers.claims import NotClaimed
from gitprompt.drivers.mirror import Mirror
from gitprompt.errors import NotFound, SetupError
from gitprompt.git import origin
from gitprompt.git.origin import Origin
from gitprompt.git.repository import Repository

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_WITH_WEBHOOK, _WITHOUT = 60.0, 15.0  # seconds between two looks
_EXAMPLE = (
    "GITHUB_REPO=acme/prompts, or for more workspaces default=acme/prompts,billing=acme/bills."
)


class Github(Mirror):
    """Workspaces without a repository are refused."""

    name = "github"

    def __init__(self, settings: ServerSettings) -> None:
        """Raises SetupError."""
        milliseconds = settings.github_sync_interval_ms
        seconds = _WITH_WEBHOOK if settings.github_webhook_secret else _WITHOUT
        super().__init__(
            _origins(settings), seconds=milliseconds / 1_000 if milliseconds else seconds
        )

    def claim(self, workspace: str, repository: Repository) -> None:
        if workspace not in self._origins and any(repository.refs().items()):
            raise NotClaimed(
                f"{repository.git_dir} is a workspace for which GITHUB_REPO names no repository",
                hint=f"{_EXAMPLE} Or choose another folder with --data.",
            )
        super().claim(workspace, repository)

    def admit(self, workspace: str) -> None:
        if workspace not in self._origins:
            raise NotFound(
                f"Workspace {workspace} not found",
                hint=f"DRIVER=github has no repository for it. {_EXAMPLE}",
            )


def _origins(settings: ServerSettings) -> Mapping[str, Origin]:
    forge = _forge(settings.github_api_url)
    origins: dict[str, Origin] = {}
    for part in filter(None, map(str.strip, settings.github_repo.split(","))):
        workspace, equals, repository = part.rpartition("=")
        workspace = workspace if equals else DEFAULT_WORKSPACE
        repository = repository.removesuffix(".git")
        if not _REPOSITORY.match(repository) or not WORKSPACE.match(workspace):
            raise SetupError(f"GITHUB_REPO: '{part}' is not owner/repository", hint=_EXAMPLE)
        if workspace in origins:
            raise SetupError(f"GITHUB_REPO names two repositories for '{workspace}'", hint=_EXAMPLE)
        url = f"{forge}/{repository}.git"
        token = settings.github_token
        origins[workspace] = (
            origin.with_password(url, "x-access-token", token) if token else Origin(url)
        )
    if not origins:
        raise SetupError("DRIVER=github needs GITHUB_REPO", hint=_EXAMPLE)
    return origins


def _forge(api: str) -> str:
    """Where the repositories are, by the URL of the API: of GitHub, or of an Enterprise server."""
    parts = origin.http_parts(api.rstrip("/"))
    if parts is None:
        raise SetupError(
            "GITHUB_API_URL is no URL",
            hint="It is https://api.github.com, or https://HOST/api/v3 of an Enterprise server.",
        )
    if parts.hostname == "api.github.com":
        return "https://github.com"
    path = parts.path.removesuffix("/api/v3")
    if parts.netloc.startswith("api.") and not path:  # GitHub Enterprise Cloud: api.NAME.ghe.com
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
    return f"{parts.scheme}://{parts.netloc}{path}"
