# SPDX-License-Identifier: Apache-2.0
"""What a repository at GitHub needs besides its prompts: a webhook, and rules by which a published version never
moves. Both are looked for, and made; what is there already and right is left alone, but for
the secret of a webhook, which nobody can read, and which is set again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gitprompt.drivers.github.api import GithubApi, told

if TYPE_CHECKING:
    from github.Repository import Repository as Remote

RULESET = "gitprompt: published versions never move"
EVENTS = ("create", "delete", "push")
_RULES = ("deletion", "non_fast_forward", "update")
_WANTED: Mapping[str, Any] = {
    "name": RULESET,
    "target": "tag",
    "enforcement": "active",
    # `*` does not cross a slash, and a name may have some.
    "conditions": {"ref_name": {"include": ["refs/tags/prompts/**/*"], "exclude": []}},
    "rules": [{"type": kind} for kind in _RULES],
    "bypass_actors": [],
}
_DELIVERIES = 50  # of a webhook that are looked at
_OK = range(200, 300)


class Need(NamedTuple):
    """What was looked at, how it is (`ok`, `missing`, `wrong`, `not available`, `made`, `changed`, `sent again`), and what
    that means for a person."""

    what: str
    state: str
    about: str = ""

    @property
    def is_well(self) -> bool:
        return self.state not in ("missing", "wrong")


def look(api: GithubApi, repository: str, url: str) -> list[Need]:
    """The rights of the token, the ruleset, and, if `url` is not empty, the webhook with its failed deliveries. Raises
    OriginUnreachable."""
    remote = api.remote(repository)
    with told():
        found = [_rights(remote)]
        found.append(_ruleset(remote))
        if url:
            found += _webhook(remote, url)
    return found


def set_up(api: GithubApi, repository: str, url: str, secret: str) -> list[Need]:
    """Make the ruleset, and the webhook at `url`, if it is not empty. Raises OriginUnreachable."""
    remote = api.remote(repository)
    with told():
        made = [_made_ruleset(remote)]
        if url:
            made.append(_made_webhook(remote, url, secret))
    return made


def send_again(api: GithubApi, repository: str, url: str) -> list[Need]:
    """Have GitHub send again what failed; it never does that by itself."""
    remote = api.remote(repository)
    with told():
        hook = _hook(remote, url)
        failed = _failed(remote, hook["id"]) if hook else []
        for one in failed:
            path = f"{remote.url}/hooks/{hook['id']}/deliveries/{one['id']}/attempts"  # type: ignore[index]
            remote.requester.requestJsonAndCheck("POST", path)
    return [Need(f"delivery {one['guid']}", "sent again", one["event"]) for one in failed]


def _rights(remote: Remote) -> Need:
    answer = _get(remote, "")
    may = answer.get("permissions") or {}
    if may.get("push"):
        return Need("token", "ok", "it may write")
    if not may:  # an App's answer has none
        return Need("token", "ok", "it sees the repository")
    return Need("token", "wrong", "it may read alone: give it Contents: write")


def _ruleset(remote: Remote) -> Need:
    from github import GithubException

    try:
        found = _named_ruleset(remote)
    except GithubException as error:
        if error.status in (403, 404):
            return Need(
                "ruleset", "not available", "private repositories of a free plan have none: a tag can be moved there,"
                " and is still served as it was",
            )  # fmt: skip
        raise
    if found is None:
        return Need("ruleset", "missing", "gitprompt github setup makes it")
    if not _is_as_wanted(found):
        return Need("ruleset", "wrong", f"'{RULESET}' was changed: gitprompt github setup mends it")
    return Need("ruleset", "ok", RULESET)


def _made_ruleset(remote: Remote) -> Need:
    from github import GithubException

    try:
        found = _named_ruleset(remote)
        if found is None:
            _send(remote, "POST", "/rulesets", _WANTED)
            return Need("ruleset", "made", RULESET)
        if _is_as_wanted(found):
            return Need("ruleset", "ok", RULESET)
        _send(remote, "PUT", f"/rulesets/{found['id']}", _WANTED)
        return Need("ruleset", "changed", RULESET)
    except GithubException as error:
        if error.status == 403 and "upgrade" in str(error.data).lower():
            return Need("ruleset", "not available", "private repositories of a free plan have none")
        raise


def _named_ruleset(remote: Remote) -> Mapping[str, Any] | None:
    for one in _get(remote, "/rulesets?per_page=100&includes_parents=false"):
        if one["name"] == RULESET and one.get("target") == "tag":
            found: Mapping[str, Any] = _get(remote, f"/rulesets/{one['id']}")
            return found
    return None


def _is_as_wanted(found: Mapping[str, Any]) -> bool:
    kinds = {rule["type"] for rule in found.get("rules") or ()}
    return (
        found["enforcement"] == "active"
        and kinds >= set(_RULES)
        and not found.get("bypass_actors")
        and found.get("conditions") == _WANTED["conditions"]
    )


def _webhook(remote: Remote, url: str) -> list[Need]:
    hook = _hook(remote, url)
    if hook is None:
        return [Need("webhook", "missing", "gitprompt github setup makes it")]
    lacks = sorted(set(EVENTS) - set(hook["events"])) if "*" not in hook["events"] else []
    if not hook["active"] or lacks or hook["config"].get("content_type") != "json":
        why = f"it lacks {', '.join(lacks)}" if lacks else "it does not send JSON"
        why = why if hook["active"] else "it is not active"
        return [
            Need(
                "webhook",
                "wrong",
                f"{why}: gitprompt github setup mends it",
            )
        ]
    failed = _failed(remote, hook["id"])
    found = [Need("webhook", "ok", url)]
    for one in failed:
        about = f"{one['event']} of {one['delivered_at']} was answered {one['status_code'] or 'by nobody'} ({one['status']})"
        found.append(Need(f"delivery {one['guid']}", "wrong", about))
    return found


def _made_webhook(remote: Remote, url: str, secret: str) -> Need:
    config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
    hook = _hook(remote, url)
    events = sorted({*EVENTS, *(hook["events"] if hook else ())})
    body = {"active": True, "events": ["*"] if "*" in events else events, "config": config}
    if hook is None:
        _send(remote, "POST", "/hooks", {"name": "web", **body})
        return Need("webhook", "made", url)
    _send(remote, "PATCH", f"/hooks/{hook['id']}", body)  # its secret cannot be read, so it is set
    return Need("webhook", "changed", url)


def _hook(remote: Remote, url: str) -> Mapping[str, Any] | None:
    hooks: Sequence[Mapping[str, Any]] = _get(remote, "/hooks?per_page=100")
    return next((one for one in hooks if one["config"].get("url") == url), None)


def _failed(remote: Remote, hook: int) -> list[Mapping[str, Any]]:
    """Deliveries that were not taken, and not sent again since with success; the newest first."""
    listed = _get(remote, f"/hooks/{hook}/deliveries?per_page={_DELIVERIES}")
    taken = {one["guid"] for one in listed if one["status_code"] in _OK}
    found: dict[str, Mapping[str, Any]] = {}
    for one in listed:
        if one["guid"] not in taken:
            found.setdefault(one["guid"], one)
    return list(found.values())


def _get(remote: Remote, path: str) -> Any:
    return remote.requester.requestJsonAndCheck("GET", f"{remote.url}{path}")[1]


def _send(remote: Remote, verb: str, path: str, body: Mapping[str, Any]) -> None:
    remote.requester.requestJsonAndCheck(verb, f"{remote.url}{path}", input=body)
