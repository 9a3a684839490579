# SPDX-License-Identifier: Apache-2.0
"""Git smart HTTP at /git/{workspace}.git: git's own receive-pack and upload-pack, streamed.

This is a raw ASGI endpoint: a StreamingResponse would eat the request's messages while it watches
for a disconnect. The response starts only with git's first output, because the server answers
`Expect: 100-continue` only until then. A push is answered to its end only when what it pushed is
served.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from gitprompt import hosting
from gitprompt.errors import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from gitprompt.pushes import Push
from gitprompt.registry.sync import Source
from gitprompt.server.context import Context
from gitprompt.server.git.bounds import Patience, Places
from gitprompt.server.git.rpc import NOT_FOUND, Rpc
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.endpoints import actor_of
from gitprompt.server.http.entrance import Entrance
from gitprompt.server.http.wire import parse_query, request_id

PREFIX = "/git/"
_PATH = re.compile(
    r"/git/([A-Za-z0-9_-]{1,128})\.git/(info/refs|git-upload-pack|git-receive-pack)\Z"
)
OTHER = "/git/other"
_PROTOCOL = re.compile(r"version=[012]\Z")
_CHUNK = 1 << 16
_PUSHES = 64  # that are judged, or wait for a judge

Unpack = Callable[[bytes], Iterable[bytes]]
_SCOPES = {"git-upload-pack": "read", "git-receive-pack": "write"}


def template(path: str) -> str:
    """The path without its workspace, for the metrics."""
    match = _PATH.match(path)
    return f"/git/{{workspace}}.git/{match[2]}" if match else OTHER


class _Exchange(NamedTuple):
    """One request, and what it asks of git."""

    source: Source
    service: str
    principal: Principal
    is_advertisement: bool
    headers: dict[bytes, str]
    patience: Patience


class GitEndpoint:
    def __init__(self, context: Context, entrance: Entrance) -> None:
        self._context = context
        self._entrance = entrance
        self._threads = ThreadPoolExecutor(_PUSHES, thread_name_prefix="push")
        self._places = Places()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        rid = request_id(headers.get(b"x-request-id", "").encode("latin-1"))
        workspace, service, is_advertisement = self._parse(scope, headers)
        principal = await self._admit(scope, workspace, _SCOPES[service])
        seconds = self._context.settings.max_git_seconds
        async with self._places.taken(principal.key_id), Patience(seconds) as patience:
            makes = service == "git-receive-pack" and not is_advertisement
            source = await self._source(workspace, principal, makes=makes)
            exchange = _Exchange(source, service, principal, is_advertisement, headers, patience)
            await self._answer(
                exchange, scope, receive, _Answer(send, rid, service, is_advertisement)
            )

    async def _answer(
        self, exchange: _Exchange, scope: Scope, receive: Receive, answer: _Answer
    ) -> None:
        source, service, principal, is_advertisement, headers, patience = exchange
        unpack = _unpacker(headers.get(b"content-encoding", ""))
        protocol = headers.get(b"git-protocol", "")
        is_push = service == "git-receive-pack" and not is_advertisement
        if service == "git-receive-pack" and is_advertisement:
            asyncio.get_running_loop().run_in_executor(
                self._threads, self._context.pushes.judges.warm
            )
        rpc = await Rpc.start(
            source.repository,
            service.removeprefix("git-"),
            advertise=is_advertisement,
            protocol=protocol if _PROTOCOL.match(protocol) else "",
            max_bytes=self._context.settings.max_push_bytes,
            hooks=await self._hooks(source) if is_push else None,
            memory=self._context.settings.git_memory,
        )
        if is_advertisement and protocol != "version=2":
            line = f"# service={service}\n"
            answer.prefix = f"{len(line) + 4:04x}{line}0000".encode()
        push = self._context.pushes.begin(
            source,
            actor_of(principal, scope),
            principal.scopes,
            may_still=partial(self._context.authenticator.is_known, principal),
        )
        judging = asyncio.create_task(self._judge(rpc, source, push))
        feeding = asyncio.create_task(self._feed(rpc, receive, unpack, patience))
        watching = asyncio.create_task(_watch(feeding, receive, push))
        try:
            while chunk := await rpc.stdout.read(_CHUNK):
                await answer.write(chunk)
                patience.moved()
            await feeding
            code = await rpc.wait()
            if is_push:
                await push.serve()
            if code in NOT_FOUND and not answer.started:
                raise Unavailable("git cannot be started")
            if code and not answer.started:
                raise BadRequest(f"git could not answer the request (exit {code})")
            await answer.end()
        finally:
            push.give_up()
            for task in (watching, feeding, judging):
                task.cancel()
            await asyncio.gather(watching, feeding, judging, return_exceptions=True)
            await rpc.close()

    def _parse(self, scope: Scope, headers: dict[bytes, str]) -> tuple[str, str, bool]:
        """Workspace, service, and whether its refs are asked for (else it is the exchange)."""
        match = _PATH.match(scope["path"])
        if not match:
            raise NotFound("Repository not found", hint="Clone http://HOST/git/default.git")
        workspace, what = match.groups()
        if what == "info/refs":
            service = parse_query(scope["query_string"]).params.get("service", "")
            if service not in _SCOPES:
                raise Forbidden("Only smart HTTP is served", hint="Use git 1.6.6 or newer.")
            self._method(scope, "GET")
            return workspace, service, True
        self._method(scope, "POST")
        if headers.get(b"content-type") != f"application/x-{what}-request":
            raise UnsupportedMediaType(f"Content-Type must be application/x-{what}-request")
        return workspace, what, False

    @staticmethod
    def _method(scope: Scope, allowed: str) -> None:
        if scope["method"] != allowed:
            raise MethodNotAllowed("Method not allowed", headers={"Allow": allowed})

    async def _admit(self, scope: Scope, workspace: str, needed: str) -> Principal:
        try:
            return (await self._entrance.admit(scope, needed, workspace=workspace)).principal
        except Unauthorized as error:
            error.headers["WWW-Authenticate"] = (
                'Basic realm="gitprompt: the API key is the password"'
            )
            raise

    async def _source(self, workspace: str, principal: Principal, *, makes: bool) -> Source:
        """The repository; for a key that may write, one that is not there yet is empty until it does."""
        workspaces = self._context.workspaces
        source = workspaces.source(workspace)
        if source is not None:
            return source
        if "write" not in principal.scopes:
            raise NotFound(f"Workspace {workspace} not found")
        if makes:
            return await workspaces.create(workspace)
        return await workspaces.nothing(workspace)

    async def _hooks(self, source: Source) -> str:
        """The hooks that judge a push: those of the repository run, and ours as well, from a folder
        in the data directory."""
        own = f"{source.repository.git_dir}/hooks"
        if not source.owned:  # only git knows where they are
            own = await asyncio.to_thread(source.repository.hooks_dir)
        return hosting.composed_hooks(f"{self._context.settings.data}/hooks", own)

    async def _judge(self, rpc: Rpc, source: Source, push: Push) -> None:
        """Answer the hooks, once they ask."""
        if rpc.channel is not None:
            await rpc.channel.answer(source.repository, push.judge, self._threads)

    async def _feed(self, rpc: Rpc, receive: Receive, unpack: Unpack, patience: Patience) -> None:
        """The request's body to git, unpacked if git has compressed it."""
        limit, size = self._context.settings.max_push_bytes, 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    rpc.terminate()
                    return
                for part in unpack(message.get("body", b"")):
                    size += len(part)
                    if size > limit:
                        rpc.terminate()
                        raise PayloadTooLarge(f"the push is larger than {limit} bytes")
                    await rpc.write(part)
                    patience.moved()
                if not message.get("more_body"):
                    return
        except zlib.error:
            rpc.terminate()
            raise BadRequest("the body is not valid gzip") from None
        finally:
            await rpc.close_stdin()


async def _watch(feeding: asyncio.Task[None], receive: Receive, push: Push) -> None:
    """Give a push up whose author is gone before it is judged. One that is judged goes on: its refs may
    be moving."""
    await feeding
    while (await receive())["type"] != "http.disconnect":
        pass
    push.give_up()


def _unpacker(encoding: str) -> Unpack:
    """What turns a piece of the body into pieces for git."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return lambda data: (data,)
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding} is not supported")
    decompressor = zlib.decompressobj(31)

    def unpack(data: bytes) -> Iterator[bytes]:
        while data:
            if decompressor.eof:
                raise zlib.error("data after the end")
            yield decompressor.decompress(data, _CHUNK)
            data = decompressor.unconsumed_tail or decompressor.unused_data

    return unpack


class _Answer:
    """The response: it starts with git's first output, and ends when we say so."""

    def __init__(self, send: Send, rid: bytes, service: str, is_advertisement: bool) -> None:
        self._send = send
        kind = "advertisement" if is_advertisement else "result"
        self._headers = [
            (b"content-type", f"application/x-{service}-{kind}".encode()),
            (b"cache-control", b"no-cache, max-age=0, must-revalidate"),
            (b"x-request-id", rid),
        ]
        self.prefix = b""
        self.started = False

    async def write(self, chunk: bytes) -> None:
        if not self.started:
            self.started = True
            start = {"type": "http.response.start", "status": 200, "headers": self._headers}
            await self._send(start)
            chunk = self.prefix + chunk
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        if not self.started:  # git asks with an empty request whether it may send a large one
            await self.write(b"")
        await self._send({"type": "http.response.body", "body": b""})
