# SPDX-License-Identifier: Apache-2.0
"""Mirrors of repositories at GitHub: GITHUB_REPO names one, or one for each workspace; GITHUB_TOKEN, or a GitHub
App, may push.

The token goes to git as a header in the environment of its process: never in arguments, URLs or files. Where it may
not push, GitHub's API may do for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitprompt import log
from gitprompt.config import ServerSettings
from gitprompt.core.names import DEFAULT_WORKSPACE, WORKSPACE
from gitprompt.drivers.claims import NotClaimed, Stale
from gitprompt.drivers.github.api import GithubApi
from gitprompt.drivers.github.objects import Maker, NotMoved
from gitprompt.drivers.mirror import Mirror
from gitprompt.errors import Conflict, NotFound, OriginUnreachable, SetupError
from gitprompt.git import origin
from gitprompt.git.origin import Origin
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
# As git says it: GitHub answers 403 to whoever may read alone.
_MAY_NOT = re.compile(r"error: 403|Permission to .* denied|Write access to repository not granted")
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
        self._api = GithubApi(settings)
        names = repositories(settings)
        forge = _forge(settings.github_api_url)
        origins = {workspace: Origin(f"{forge}/{name}.git") for workspace, name in names.items()}
        super().__init__(origins, seconds=milliseconds / 1_000 if milliseconds else seconds)
        self._names = names
        self._writes = settings.github_writes
        self._makers: dict[str, Maker] = {}
        # Workspaces that may not be pushed to, and can be written by the API.
        self._by_api: set[str] = set()

    def origin(self, workspace: str) -> Origin:
        there = super().origin(workspace)
        if not self._api.is_somebody:
            return there
        return origin.with_password(
            there.url, "x-access-token", self._api.token(self._names[workspace])
        )

    def send(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        if self._writes != "api" and workspace not in self._by_api:
            try:
                super().send(workspace, repository, updates)
                return
            except OriginUnreachable as error:
                if self._writes == "push" or not _MAY_NOT.search(error.stderr):
                    raise
                log.info("this token may not push: the API of GitHub is used", workspace=workspace)
        self._make(workspace, repository, updates)

    def _make(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Send by the API. Raises Stale, Conflict or OriginUnreachable."""
        if workspace not in self._makers:
            try:
                self._makers[workspace] = Maker(self._api.remote(self._names[workspace]))
            except SetupError as error:
                raise OriginUnreachable(
                    f"nothing was pushed, and the API cannot be asked: {error.message}",
                    hint=error.hint,
                ) from error
        try:
            with self._api.alone:
                self._makers[workspace].push(repository, updates)
            self._by_api.add(workspace)
        except NotMoved as error:
            there = self.origin(workspace)
            folders = [update.ref for update in updates]
            _, refs = origin.listed(repository, there.url, folders, secret=there.secret)
            now = [refs.get(update.ref, ZERO) for update in updates]
            if now == [update.new for update in updates]:
                return  # it was done, and the answer was lost
            self.expect(workspace)
            if now != [update.old for update in updates]:
                raise Stale(f"{there.url}: somebody was faster", hint="Try again.") from error
            raise Conflict(
                f"{there.url} refused it: {error.message}",
                hint="Look at its rulesets: gitprompt github check",
            ) from error

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


def repositories(settings: ServerSettings) -> dict[str, str]:
    """`owner/name` by workspace, as GITHUB_REPO has it. Raises SetupError."""
    names: dict[str, str] = {}
    for part in filter(None, map(str.strip, settings.github_repo.split(","))):
        workspace, equals, repository = part.rpartition("=")
        workspace = workspace if equals else DEFAULT_WORKSPACE
        repository = repository.removesuffix(".git")
        if not _REPOSITORY.match(repository) or not WORKSPACE.match(workspace):
            raise SetupError(f"GITHUB_REPO: '{part}' is not owner/repository", hint=_EXAMPLE)
        if workspace in names:
            raise SetupError(f"GITHUB_REPO names two repositories for '{workspace}'", hint=_EXAMPLE)
        names[workspace] = repository
    if not names:
        raise SetupError("DRIVER=github needs GITHUB_REPO", hint=_EXAMPLE)
    return names


def _forge(api: str) -> str:
    """Where the repositories are, by the URL of the API: of GitHub, or of an Enterprise server."""
    parts = origin.http_parts(api.rstrip("/"))
    assert parts is not None, "GithubApi has refused it"
    if parts.hostname == "api.github.com":
        return "https://github.com"
    path = parts.path.removesuffix("/api/v3")
    if parts.netloc.startswith("api.") and not path:  # GitHub Enterprise Cloud: api.NAME.ghe.com
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
    return f"{parts.scheme}://{parts.netloc}{path}"
