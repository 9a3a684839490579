# SPDX-License-Identifier: Apache-2.0
"""gitprompt demo: the whole story on the example repository, each step checked as it is shown."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, Self

import click

from gitprompt import clock, config, resources
from gitprompt import keys as api_keys
from gitprompt.cli.output import Styled, say, write_lines
from gitprompt.cli.remote import connect_locally
from gitprompt.errors import GitpromptError, SetupError
from gitprompt.git.process import environment, git
from gitprompt.store.database import Database

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Demo", "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Demo", "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
}  # fmt: skip
_BROKEN = (
    "messages:\n  - role: user\n    content: Hello {{nmae}}\nvariables:\n  name: {type: string}\n"
)
_FIRST_VERSION = "1.0.0"
_PORT = 3000


class DemoFailed(GitpromptError):
    code = "DEMO"


@click.command()
@click.option(
    "--check", is_flag=True, help="Verify each step over HTTP on a free port and exit 0 or 1."
)
@click.option(
    "--port",
    type=int,
    metavar="N",
    help="Port of the demo's server.  [default: 3000, or a free one if that is taken]",
)
@click.option(
    "--dir", "folder", metavar="DIR", help="Keep everything here.  [default: a temporary folder]"
)
def demo(check: bool, port: int | None, folder: str | None) -> int:
    """The whole story: serve, push over HTTP, label, read, refuse, roll back.

    It goes on serving until ^C, and prints lines to paste.

    \b
    Examples:
      gitprompt demo
      gitprompt demo --check
    """
    keep = folder is not None
    if folder is not None and os.path.isdir(folder) and os.listdir(folder):
        raise SetupError(f"{folder} is not empty", hint="Choose a new folder.")
    if port is None:
        port = 0 if check or _is_taken(_PORT) else _PORT
    place = os.path.abspath(folder) if folder else tempfile.mkdtemp(prefix="gitprompt-demo-")
    signal.signal(signal.SIGTERM, _told_to_stop)
    try:
        with Story(place, port=port) as story:
            story.tell()
            if not check:
                story.tell_what_next()
                story.wait()
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)
    return 0


def _is_taken(port: int) -> bool:
    """Whether something listens on a port of this machine already."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _told_to_stop(_signal: int, _frame: object) -> None:
    """Like ^C, so that the demo's server does not outlive it."""
    raise KeyboardInterrupt


class Story:
    """A server process, a clone, and the steps between them."""

    def __init__(self, place: str, *, port: int) -> None:
        self.data = os.path.join(place, "data")
        self.clone = os.path.join(place, "prompts")
        self.port = port
        self.url = ""
        self.key = ""
        self._server: subprocess.Popen[str] | None = None
        self._env = {**environment(_IDENTITY, inherit=False), "NO_COLOR": "1"}

    def __enter__(self) -> Self:
        """Start the server and wait until it says that it serves."""
        command = [sys.executable, "-m", "gitprompt", "serve", "--data", self.data]
        command += ["--port", str(self.port), "--log-level", "warning", "--ui-changes", "all"]
        for name in ("HOST", "PORT", "GITPROMPT_REPO", "DRIVER", "GITPROMPT_UI_AUTH"):
            self._env.pop(name, None)
        serving = dict(self._env)
        if url := config.variable("DATABASE_URL"):  # which git, and what it starts, must not see
            serving["DATABASE_URL"] = url
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=serving)
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if " serves at " not in line:
            self._server.wait()
            raise SetupError(
                "the demo's server did not start", hint="Its output is above; try --port."
            )
        self.url = line.split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            self._server.communicate()

    def wait(self) -> None:
        assert self._server is not None
        try:
            self._server.wait()
        except KeyboardInterrupt:
            write_lines("\nGood-bye.")

    # the steps

    def tell(self) -> None:
        self._make_clone()
        self._publish_everything()
        self._read_by_label()
        self._publish_a_change()
        self._roll_back()
        self._send_telemetry()
        self._refuse()

    def _make_clone(self) -> None:
        _step("A prompt repository, and a key to push with")
        shutil.copytree(resources.path("example-repo"), self.clone)
        shutil.copytree(resources.path("schemas"), os.path.join(self.clone, ".gitprompt"))
        self._git("init", "--quiet", "--initial-branch=main")
        database = Database(config.database_location(self.data))
        salt = api_keys.salt(self.data, self._env.get("API_KEY_SALT", ""), database)
        _, self.key = api_keys.create(
            database, salt, name="demo", workspace="default", scopes="read,write,admin",
            expires_in_days=1, clock=clock.now,
        )  # fmt: skip
        database.close()
        self._remember_key()
        self._git("remote", "add", "origin", f"{self.url}/git/default.git")
        self._gitprompt("hooks", "install")
        self._commit("Add the prompts of Spade & Sons")

    def _remember_key(self) -> None:
        """Git's own credential store, fed on standard input: the key is in no command line."""
        store = os.path.join(os.path.dirname(self.clone), "credentials")
        self._git("config", "credential.helper", f"store --file '{store}'")
        host = self.url.removeprefix("http://")
        credential = f"protocol=http\nhost={host}\nusername=demo\npassword={self.key}\n\n"
        self._git("credential", "approve", stdin=credential.encode())

    def _publish_everything(self) -> None:
        _step("Publish: validate, tag, git push")
        self._gitprompt("publish", "--changed", "--push")
        count = self._get("/v1/prompts/count")["count"]
        _expect(count == 10, f"{count} prompts are served")
        versions = self._get("/v1/prompts/support/triage/versions")["items"]
        _expect(versions[0]["version_tag"] == _FIRST_VERSION, "support/triage 1.0.0 is served")

    def _read_by_label(self) -> None:
        _step("Label it, and read it by label, rendered")
        self._gitprompt("label", "set", "welcome", "production", "1.0.0", "-m", "Launch", "--push")
        self._gitprompt("label", "set", "support/triage", "staging", "1.0.0", "--push")
        prompt = self._production()
        content = prompt["content"]["messages"][1]["content"]
        _expect(prompt["version"]["version_tag"] == "1.0.0", "production is 1.0.0")
        _expect(content.startswith("Hello, I am Ada."), f"the name is filled in: {content}")

    def _publish_a_change(self) -> None:
        _step("Change a prompt: the bump follows from the change")
        path = os.path.join(self.clone, "prompts", "welcome.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = text.replace(
            "Be friendly and brief.", "Be friendly and brief. Today's offer: {{offer}}."
        )
        text = text.replace(
            "variables:\n", "variables:\n  offer: {type: string, default: free shipping}\n"
        )
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self._gitprompt("diff", "welcome@production", "welcome@.")
        self._commit("Mention the offer of the day")
        self._gitprompt("publish", "welcome", "--bump", "auto", "--push")
        self._gitprompt("label", "set", "welcome", "production", "1.1.0", "-m", "Spring", "--push")
        prompt = self._production()
        _expect(
            prompt["version"]["version_tag"] == "1.1.0", "a new optional variable made it 1.1.0"
        )
        _expect(
            "free shipping" in prompt["content"]["messages"][0]["content"], "its default is there"
        )

    def _roll_back(self) -> None:
        _step("Roll back: one more commit on the label")
        self._gitprompt("label", "rollback", "welcome", "production", "-m", "Offer ended", "--push")
        self._gitprompt("label", "log", "welcome", "production")
        history = self._get("/v1/prompts/welcome/labels/production/history")["items"]
        moves = [item["version"] for item in history]
        _expect(moves == ["1.0.0", "1.1.0", "1.0.0"], f"the history has all moves: {moves}")
        _expect(self._production()["version"]["version_tag"] == "1.0.0", "1.0.0 is served again")

    def _send_telemetry(self) -> None:
        _step("A third version, what applications send, and what it says of the three")
        path = os.path.join(self.clone, "prompts", "welcome.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                text.replace("Be friendly and brief.", "Be thorough, and explain each step.")
            )
        self._commit("Explain more")
        self._gitprompt("publish", "welcome", "--version", "1.2.0", "--push")
        self._gitprompt(
            "label",
            "set",
            "welcome",
            "production",
            "1.2.0",
            "-m",
            "Support asked for details",
            "--push",
        )
        from gitprompt.cli.client import Client
        from gitprompt.cli.exchange import samples

        with Client(self.url, self.key) as client:
            number = samples.send(client, clock.now())
        say(f"  {number} traces with their spans, runs, results and scores")
        path = "/v1/metrics/summary?window=7d&prompt_name=welcome"
        rates = {row["version_tag"]: row["error_rate"] for row in self._get(path)["items"]}
        _expect(
            rates["1.2.0"] > 3 * rates["1.0.0"], f"more calls of 1.2.0 failed: {rates['1.2.0']:.1%}"
        )

    def _refuse(self) -> None:
        _step("A broken prompt is refused, by file and line")
        path = os.path.join(self.clone, "prompts", "broken.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(_BROKEN)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--no-verify", "-m", "Break something")
        self._git("tag", "-a", "-m", "broken", "prompts/broken/1.0.0")
        refusal = self._refused("push", "--no-verify", "origin", "main", "prompts/broken/1.0.0")
        write_lines(
            _indented("\n".join(x for x in refusal.splitlines() if x.startswith("remote:")))
        )
        _expect("prompts/broken.yaml:3:" in refusal, "the author is told the file and the line")
        _expect("did you mean 'name'" in refusal, "and what to do")
        self._git("tag", "-d", "prompts/broken/1.0.0")
        self._git("reset", "--quiet", "--hard", "HEAD~1")
        self._git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0", "HEAD")
        refusal = self._refused("push", "--no-verify", "--force", "origin", "prompts/welcome/1.0.0")
        _expect("a version is never moved" in refusal, "a published version cannot be moved")
        self._git("tag", "-d", "prompts/welcome/1.0.0")
        self._git("fetch", "--quiet", "origin")
        state = self._get("/v1/sync")
        _expect(state["rejected"] == [] and state["tampered"] == [], "nothing wrong got in")
        say()
        say(Styled("Everything works.", fg="green", bold=True))

    def tell_what_next(self) -> None:
        local = connect_locally(self.data)
        if local is not None:  # the path of the folder may be too long for a socket
            ticket = {"changes": True, "single": False, "seconds": 86_400}
            answer = local.post("/ui/tickets", ticket)
            write_lines(
                "Look at it in a browser; this link signs you in, as long as the demo runs:\n"
            )
            say(f"  {self.url}{answer['path']}")
            say()
        write_lines("Lines to paste next:\n")
        header = f'-H "X-API-Key: {self.key}"'
        selector = "label=production&variables[name]=Ada"
        say(f"  curl -g '{self.url}/v1/prompts/welcome?{selector}' {header}")
        say(f"  curl '{self.url}/v1/prompts/welcome/labels/production/history' {header}")
        say(f"  cd {self.clone} && {sys.executable} -m gitprompt status")
        say()

    # tools

    def _production(self) -> Any:
        return self._get("/v1/prompts/welcome?label=production&variables%5Bname%5D=Ada")

    def _get(self, path: str) -> Any:
        from gitprompt.cli.client import Client

        say(f"  $ curl {self.url}{path}")
        return Client(self.url, self.key).get(path)

    def _git(self, *args: str, stdin: bytes = b"") -> None:
        git(args, cwd=self.clone, env=self._env, stdin=stdin)

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "-m", message)

    def _refused(self, *args: str) -> str:
        """What git printed for a command that must fail."""
        say(f"  $ git {' '.join(args)}")
        try:
            self._git(*args)
        except GitpromptError as error:
            return str(getattr(error, "stderr", error.message))
        raise DemoFailed(f"git {' '.join(args)} should have been refused")

    def _gitprompt(self, *args: str) -> None:
        say(f"  $ gitprompt {_shell(args)}")
        done = subprocess.run(
            [sys.executable, "-m", "gitprompt", *args],
            cwd=self.clone, env=self._env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise DemoFailed(f"gitprompt {args[0]} failed:\n{done.stdout}{done.stderr}")
        write_lines(_indented(done.stdout))


def _shell(args: Sequence[str]) -> str:
    import shlex

    return " ".join(shlex.quote(arg) for arg in args)


def _indented(text: str) -> str:
    return "\n".join(f"    {line.rstrip()}" for line in text.rstrip().splitlines())


def _step(title: str) -> None:
    say()
    say(Styled(title, bold=True))


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise DemoFailed(f"the demo expected that {what}")
    say("  ", Styled("✓", fg="green"), f" {what}")
