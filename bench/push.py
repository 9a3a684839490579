# SPDX-License-Identifier: Apache-2.0
"""`git push` over HTTP until it is served, against git http-backend without hooks.

python bench/push.py [--rounds 15] [--bulk-rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import measure
from sidecar import sidecar

NAME = "team-0/prompt-0"


class Backend(BaseHTTPRequestHandler):
    """`git http-backend` as a CGI program, as any web server would run it."""

    root = ""
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._run(b"")

    def do_POST(self) -> None:
        self._run(self.rfile.read(int(self.headers["content-length"])))

    def _run(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "bench",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
        }
        # Not checked: it ends with 1 for the empty request by which git probes.
        answer = subprocess.run(
            ["git", "http-backend"], input=body, env=env, capture_output=True, check=False
        ).stdout
        head, _, rest = answer.partition(b"\r\n\r\n")
        status = 200
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"status:"):
                status = int(line.split()[1])
        self.send_response(status)
        for line in head.split(b"\r\n"):
            name, _, value = line.decode().partition(": ")
            if name.lower() != "status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


def clone_with(folder: str, name: str, remote: str) -> str:
    path = os.path.join(folder, name)
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    measure.git(path, "config", "user.name", "Bench")
    measure.git(path, "config", "user.email", "bench@example.com")
    measure.git(path, "config", "http.postBuffer", "100000000")  # one request, not chunks
    measure.git(path, "remote", "add", "origin", remote)
    os.makedirs(os.path.join(path, "prompts", "team-0"))
    return path


def commit(path: str, number: int) -> None:
    with open(os.path.join(path, "prompts", f"{NAME}.json"), "wb") as file:
        file.write(measure.document(NAME, number))
    measure.git(path, "add", "-A")
    measure.git(path, "commit", "-q", "-m", f"{number}")
    measure.git(path, "tag", "-a", "-m", "x", f"prompts/{NAME}/{measure.version(number)}")


def push_one(path: str, number: int) -> float:
    commit(path, number)
    begin = time.perf_counter()
    measure.git(path, "push", "-q", "origin", f"prompts/{NAME}/{measure.version(number)}")
    return time.perf_counter() - begin


def push_many(path: str, first: int, count: int) -> float:
    stream = []
    for index in range(first, first + count):
        name = f"bulk-{index // 100}"
        data = measure.document(name, index)
        stream.append(
            b"blob\nmark :1\ndata %d\n%b\ntag prompts/%b/%b\nfrom :1\n"
            % (len(data), data, name.encode(), measure.version(index).encode())
        )
        stream.append(b"tagger B <b@example.com> 1700000000 +0000\ndata 1\nx\n")
    measure.git(path, "fast-import", "--quiet", stdin=b"".join(stream))
    begin = time.perf_counter()
    measure.git(path, "push", "-q", "origin", "refs/tags/prompts/*:refs/tags/prompts/*")
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--bulk-rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Backend.root = folder
        plain = os.path.join(folder, "plain.git")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", plain], check=True)
        measure.git(plain, "config", "http.receivepack", "true")
        server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        theirs = clone_with(folder, "theirs", f"http://127.0.0.1:{server.server_port}/plain.git")
        with sidecar(os.path.join(folder, "data")) as running:
            host = running.url.removeprefix("http://")
            ours = clone_with(folder, "ours", f"http://x:{running.key}@{host}/git/default.git")
            # The client of ours sends its key at once, as a configured header does: one request less.
            rows = []
            one_a, one_b = [], []
            for number in range(options.rounds + 2):
                one_a.append(push_one(ours, number))
                one_b.append(push_one(theirs, number))
            a, b = statistics.median(one_a[2:]), statistics.median(one_b[2:])
            rows.append(("1 tag", f"{a * 1e3:.1f}", f"{b * 1e3:.1f}", measure.verdict(a / b, 1.3)))
            many_a, many_b = [], []
            for step in range(options.bulk_rounds):
                many_a.append(push_many(ours, step * 1000, 1000))
                many_b.append(push_many(theirs, step * 1000, 1000))
            a, b = statistics.median(many_a), statistics.median(many_b)
            rows.append(
                ("1,000 tags", f"{a * 1e3:.0f}", f"{b * 1e3:.0f}", measure.verdict(a / b, 1.5))
            )
        server.shutdown()
    measure.table(
        "git push until served, against git http-backend without hooks",
        ("push", "gitprompt ms", "http-backend ms", "ratio"),
        rows,
    )


if __name__ == "__main__":
    main()
