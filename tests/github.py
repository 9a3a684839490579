# SPDX-License-Identifier: Apache-2.0
"""GitHub as gitprompt uses it: real objects in real repositories, Git over HTTP, rulesets that are enforced, webhooks that
are delivered, tokens that end. Every answer of its REST API is held against GitHub's own description of it.

The description is an extract of `@octokit/openapi` (MIT), of the operations that gitprompt uses; its version is in it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import jwt
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.forge import Forge

DESCRIPTION: dict[str, Any] = json.loads(
    (Path(__file__).parent / "fixtures" / "github-openapi.json").read_text()
)
ZERO = "0" * 40
WEBHOOK_SECRET = "s3cret-of-the-webhook"
_REGISTRY: Registry[Any] = Registry().with_resource(
    "urn:github", Resource.from_contents(DESCRIPTION, default_specification=DRAFT4)
)
_HOOK = f"""#!/bin/sh
case "$1" in
refs/tags/prompts/*)
  [ "$2" = {ZERO} ] || {{ echo "GH013: Repository rule violations found for $1." >&2; exit 1; }};;
esac
"""


class Refusal(Exception):
    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


class FakeGithub(Forge):
    """One repository, `acme/forge`, which is `forge.git` in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "forge.git"
        self.may_push = True
        self.has_rulesets = True
        self.may_write = True
        self.limited: Refusal | None = None
        self.rulesets: list[dict[str, Any]] = []
        self.hooks: list[dict[str, Any]] = []
        self.deliveries: list[dict[str, Any]] = []
        self.app_key = ""  # public, of the App 17
        self.lifetime = 3_600.0  # seconds of an installation's token
        self.tokens: dict[str, float] = {}
        self.another_tag = False  # makes other objects than it was asked for
        self.lock = threading.Lock()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/v3"

    def lets_in(self, token: str) -> bool:
        return token == self.token or self.tokens.get(token, 0) > time.monotonic()

    # Git over HTTP

    def refuses_push(self, path: str) -> bool:
        return not self.may_push and "git-receive-pack" in path

    def refs(self) -> dict[str, str]:
        lines = self._git("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        return {ref: oid for oid, ref in (line.split(" ", 1) for line in lines)}

    def moved(self, before: Mapping[str, str]) -> None:
        """Tell the webhooks, as GitHub does it: nothing of refs but branches and tags, and nothing of tags when
        more than three are pushed at once."""
        after = self.refs()
        changed = [ref for ref in {**before, **after} if before.get(ref) != after.get(ref)]
        tags = [ref for ref in changed if ref.startswith("refs/tags/")]
        for ref in changed:
            if not ref.startswith(("refs/heads/", "refs/tags/")) or (ref in tags and len(tags) > 3):
                continue
            old, new = before.get(ref, ZERO), after.get(ref, ZERO)
            self._deliver("push", {"ref": ref, "before": old, "after": new})
            if ZERO in (old, new):
                kind = "create" if old == ZERO else "delete"
                what = "tag" if ref in tags else "branch"
                self._deliver(kind, {"ref": ref.split("/", 2)[2], "ref_type": what})

    def _deliver(self, event: str, payload: Mapping[str, Any]) -> None:
        body = json.dumps({**payload, "repository": {"full_name": "acme/forge"}}).encode()
        for hook in self.hooks:
            if hook["active"] and event in hook["events"]:
                self._send(hook, event, body, secrets.token_hex(16))

    def _send(self, hook: Mapping[str, Any], event: str, body: bytes, guid: str) -> None:
        secret = hook["secret"].encode()
        headers = {
            "Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": guid,
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        }  # fmt: skip
        try:
            code = httpx.post(
                hook["config"]["url"], content=body, headers=headers, timeout=10
            ).status_code
        except httpx.HTTPError:
            code = 0
        made = filled("hook-delivery-item", id=len(self.deliveries) + 1, guid=guid, event=event,
                      status_code=code, status="OK" if code in range(200, 300) else "failed",
                      delivered_at=_now())  # fmt: skip
        self.deliveries.insert(0, made | {"_hook": hook["id"], "_body": body})

    def _git(self, *args: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.path, input=stdin, capture_output=True, check=False
        )
        if done.returncode:
            raise Refusal(422, done.stderr.decode())
        return done.stdout.decode().strip()

    # the API

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = request.path.partition("?")[0]
        value = json.loads(body) if body else {}
        try:
            status, result, headers = *self._answered(request, path, value), {}
        except Refusal as refusal:
            status, result, headers = refusal.status, {"message": str(refusal)}, refusal.headers
        if self.fate == "lose" and path.endswith("/graphql"):
            request.connection.close()
            return
        data = b"" if result is None else json.dumps(result).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json; charset=utf-8")
        request.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            request.send_header(name.replace("_", "-"), text)
        request.end_headers()
        request.wfile.write(data)

    def _answered(
        self, request: BaseHTTPRequestHandler, path: str, value: dict[str, Any]
    ) -> tuple[int, Any]:
        if self.limited is not None:
            raise self.limited
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if "/app/" in path or path.endswith("/installation"):
            self._check_app(token)
        elif kind.lower() not in ("token", "bearer") or not self.lets_in(token):
            raise Refusal(401, "Bad credentials")
        if path == "/api/graphql":
            return 200, self._graphql(value)
        method = request.command.lower()
        for template, operations in DESCRIPTION["paths"].items():
            match = re.fullmatch(
                re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path.removeprefix("/api/v3")
            )
            if match and method in operations:
                if match.groupdict().get("repo", "forge") != "forge":
                    raise Refusal(404, "Not Found")
                schema = operations[method].get("requestBody", {}).get("content", {})
                if schema and value:
                    check(schema["application/json"]["schema"], value)
                name = f"{method} {template}"
                status, result = _ROUTES[name](self, value, match.groupdict())
                answers = operations[method]["responses"][str(status)].get("content", {})
                if answers:
                    check(answers["application/json"]["schema"], result)
                return status, result
        raise Refusal(404, "Not Found")

    def _check_app(self, token: str) -> None:
        try:
            claims = jwt.decode(token, self.app_key, algorithms=["RS256"])
        except jwt.PyJWTError:
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if str(claims["iss"]) != "17":
            raise Refusal(401, "Integration not found")

    def _graphql(self, value: dict[str, Any]) -> Any:
        assert re.search(r"\bupdateRefs\(input: \$input\)", value["query"]), value["query"]
        given = value["variables"]["input"]
        assert given["repositoryId"] == "R_1"
        if not self.may_write:
            return {
                "data": {"updateRefs": None},
                "errors": [{"message": "Resource not accessible"}],
            }
        lines = ["start"]
        for one in given["refUpdates"]:
            is_published = one["name"].startswith("refs/tags/prompts/")
            if self.rulesets and is_published and one["beforeOid"] != ZERO:
                message = f"Repository rule violations found for {one['name']}"
                return {"data": {"updateRefs": None}, "errors": [{"message": message}]}
            if one["afterOid"] == ZERO:
                lines.append(f"delete {one['name']} {one['beforeOid']}")
            else:
                lines.append(f"update {one['name']} {one['afterOid']} {one['beforeOid']}")
        before = self.refs()
        try:
            self._git(
                "update-ref", "--stdin", stdin="\n".join([*lines, "prepare", "commit", ""]).encode()
            )
        except Refusal as refusal:
            return {"data": {"updateRefs": None}, "errors": [{"message": str(refusal)}]}
        self.moved(before)
        return {"data": {"updateRefs": {"clientMutationId": None}}}

    def _made(self, kind: str, data: bytes) -> str:
        if not self.may_write:
            raise Refusal(403, "Resource not accessible by personal access token")
        if self.another_tag and kind == "tag":
            data += b"!"
        return self._git("hash-object", "-t", kind, "-w", "--stdin", stdin=data)


Given = dict[str, Any]
_ROUTES: dict[str, Callable[[FakeGithub, Given, dict[str, str]], tuple[int, Any]]] = {}
_REPO = "/repos/{owner}/{repo}"


def _route(name: str) -> Callable[[Any], Any]:
    def known(function: Any) -> Any:
        _ROUTES[name] = function
        return function

    return known


@_route(f"get {_REPO}")
def _repository(fake: FakeGithub, _: Given, __: dict[str, str]) -> tuple[int, Any]:
    permissions = {"admin": True, "pull": True, "push": fake.may_write}
    return 200, filled("full-repository", node_id="R_1", full_name="acme/forge", permissions=permissions,
                       url=f"{fake.api_url}/repos/acme/forge")  # fmt: skip


@_route(f"get {_REPO}/installation")
def _installation(fake: FakeGithub, _: Given, __: dict[str, str]) -> tuple[int, Any]:
    return 200, filled("installation", id=71, account=filled("simple-user", login="acme"))


@_route("post /app/installations/{installation_id}/access_tokens")
def _access_token(fake: FakeGithub, _: Given, path: dict[str, str]) -> tuple[int, Any]:
    if path["installation_id"] != "71":
        raise Refusal(404, "Not Found")
    token = f"ghs_{secrets.token_hex(18)}"
    fake.tokens[token] = time.monotonic() + fake.lifetime
    ends = datetime.fromtimestamp(time.time() + fake.lifetime, UTC)
    return 201, filled(
        "installation-token", token=token, expires_at=ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    )


@_route(f"post {_REPO}/git/blobs")
def _blob(fake: FakeGithub, given: Given, _: dict[str, str]) -> tuple[int, Any]:
    assert given["encoding"] == "base64"
    return 201, filled("short-blob", sha=fake._made("blob", base64.b64decode(given["content"])))


@_route(f"post {_REPO}/git/trees")
def _tree(fake: FakeGithub, given: Given, _: dict[str, str]) -> tuple[int, Any]:
    lines = "".join(
        f"{one['mode']} {one['type']} {one['sha']}\t{one['path']}\0" for one in given["tree"]
    )
    if not fake.may_write:
        raise Refusal(403, "Resource not accessible by personal access token")
    return 201, filled("git-tree", sha=fake._git("mktree", "-z", stdin=lines.encode()), tree=[])


@_route(f"post {_REPO}/git/commits")
def _commit(fake: FakeGithub, given: Given, _: dict[str, str]) -> tuple[int, Any]:
    lines = [f"tree {given['tree']}", *(f"parent {oid}" for oid in given["parents"])]
    lines += [f"{role} {_person(given[role])}" for role in ("author", "committer")]
    if "signature" in given:
        lines.append("gpgsig " + given["signature"].replace("\n", "\n "))
    oid = fake._made("commit", "\n".join([*lines, "", given["message"]]).encode())
    return 201, filled("git-commit", sha=oid)


@_route(f"post {_REPO}/git/tags")
def _tag(fake: FakeGithub, given: Given, _: dict[str, str]) -> tuple[int, Any]:
    lines = [f"object {given['object']}", f"type {given['type']}", f"tag {given['tag']}",
             f"tagger {_person(given['tagger'])}", "", given["message"]]  # fmt: skip
    return 201, filled("git-tag", sha=fake._made("tag", "\n".join(lines).encode()))


@_route(f"get {_REPO}/rulesets")
def _rulesets(fake: FakeGithub, _: Given, __: dict[str, str]) -> tuple[int, Any]:
    if not fake.has_rulesets:
        raise Refusal(
            403, "Upgrade to GitHub Pro or make this repository public to enable this feature."
        )
    return 200, fake.rulesets


@_route(f"post {_REPO}/rulesets")
def _new_ruleset(fake: FakeGithub, given: Given, _: dict[str, str]) -> tuple[int, Any]:
    made = filled("repository-ruleset", id=len(fake.rulesets) + 1, source="acme/forge", **given)
    fake.rulesets.append(made)
    hook = fake.path / "hooks" / "update"
    hook.write_text(_HOOK)
    hook.chmod(0o755)
    return 201, made


@_route(f"get {_REPO}/rulesets/{{ruleset_id}}")
def _one_ruleset(fake: FakeGithub, _: Given, path: dict[str, str]) -> tuple[int, Any]:
    return 200, fake.rulesets[int(path["ruleset_id"]) - 1]


@_route(f"put {_REPO}/rulesets/{{ruleset_id}}")
def _changed_ruleset(fake: FakeGithub, given: Given, path: dict[str, str]) -> tuple[int, Any]:
    found = fake.rulesets[int(path["ruleset_id"]) - 1]
    found.update(given)
    return 200, found


@_route(f"get {_REPO}/hooks")
def _hooks(fake: FakeGithub, _: Given, __: dict[str, str]) -> tuple[int, Any]:
    return 200, [{**hook, "secret": "********"} for hook in fake.hooks]


@_route(f"post {_REPO}/hooks")
def _new_hook(fake: FakeGithub, given: Given, _: dict[str, str]) -> tuple[int, Any]:
    made = filled("hook", id=len(fake.hooks) + 1, name="web", type="Repository")
    fake.hooks.append(made)
    _set_hook(made, given)
    return 201, {name: value for name, value in made.items() if name != "secret"}


@_route(f"patch {_REPO}/hooks/{{hook_id}}")
def _changed_hook(fake: FakeGithub, given: Given, path: dict[str, str]) -> tuple[int, Any]:
    found = fake.hooks[int(path["hook_id"]) - 1]
    _set_hook(found, given)
    return 200, {name: value for name, value in found.items() if name != "secret"}


def _set_hook(hook: dict[str, Any], given: Given) -> None:
    config = dict(given["config"])
    hook["secret"] = config.pop("secret")
    hook.update(active=given["active"], events=given["events"], config=config)


@_route(f"get {_REPO}/hooks/{{hook_id}}/deliveries")
def _deliveries(fake: FakeGithub, _: Given, path: dict[str, str]) -> tuple[int, Any]:
    of = [one for one in fake.deliveries if str(one["_hook"]) == path["hook_id"]]
    return 200, [{name: value for name, value in one.items() if name[0] != "_"} for one in of]


@_route(f"post {_REPO}/hooks/{{hook_id}}/deliveries/{{delivery_id}}/attempts")
def _attempt(fake: FakeGithub, _: Given, path: dict[str, str]) -> tuple[int, Any]:
    one = next(one for one in fake.deliveries if str(one["id"]) == path["delivery_id"])
    fake._send(fake.hooks[one["_hook"] - 1], one["event"], one["_body"], one["guid"])
    return 202, {}


def _person(given: Mapping[str, str]) -> str:
    at = datetime.fromisoformat(given["date"].replace("Z", "+00:00"))
    return f"{given['name']} <{given['email']}> {int(at.timestamp())} {at.strftime('%z')}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check(schema: Mapping[str, Any], value: Any) -> None:
    """Raises ValidationError for what GitHub would not take, or not say."""
    OAS30Validator(_absolute(schema), registry=_REGISTRY).validate(value)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:github{value}"
            if key == "$ref" and value.startswith("#")
            else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


def filled(schema: str, /, **values: Any) -> dict[str, Any]:
    """An object of a schema: what must be there and is not given is as empty as it may be."""
    made = _least(DESCRIPTION["components"]["schemas"][schema])
    assert isinstance(made, dict)
    return {**made, **values}


def _least(schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _least(DESCRIPTION["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if schema.get("nullable"):
        return None
    for several in ("allOf", "anyOf", "oneOf"):
        if several in schema:
            return _least(schema[several][0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            key: _least(properties[key]) for key in schema.get("required", ()) if key in properties
        }
    if kind == "string":
        return {"date-time": _now(), "uri": "https://example.com/"}.get(
            schema.get("format", ""), "x" * 7
        )
    return {"array": [], "integer": 1, "number": 0, "boolean": False}[kind]
