# SPDX-License-Identifier: Apache-2.0
"""What the documentation says is true: the README's shell blocks run, the pages are current."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from gitprompt import checks, config
from gitprompt.core.document import fragment_name, place
from tests.pages import ROOT, blocks
from tests.world import WELCOME, Clone, Server, run

SOURCES = sorted((ROOT / "gitprompt").rglob("*.py"))


def test_every_shell_block_of_the_readme_runs_in_order(tmp_path: Path) -> None:
    """In one shell, in an empty folder, as a reader would paste them."""
    commands = blocks("README.md", "sh")
    assert len(commands) >= 5
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = "set -euo pipefail\n" + "\n".join(commands).replace("3000", str(port))
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PORT": str(port),
    }
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    code = process.wait()
    os.killpg(process.pid, signal.SIGTERM)  # the server that the first block left running
    assert code == 0, said
    assert '"content":"Hello, I am Ada. What can you do for me?"' in said
    assert "This deserves a patch version." in said
    assert "1.0.0 → 1.0.1" in said
    assert "1.0.1 → 1.0.0" in said


@pytest.mark.sqlite
def test_every_shell_block_of_the_operations_page_runs(tmp_path: Path, published: Clone) -> None:
    """In one shell, on a data folder that is served, with a passphrase beside it, and a move to take back."""
    commands = blocks("docs/operations.md", "sh")
    assert len(commands) >= 15
    server = Server(tmp_path / "data").start()
    try:
        (tmp_path / "passphrase").write_text("a passphrase\n")
        published.git("remote", "add", "origin", server.remote())
        published.git("push", "-q", "origin", "main", "--tags")
        published.commit("Be precise", welcome=WELCOME.replace("Hello", "Good day"))
        published.gitprompt("publish", "welcome", "--version", "1.0.1", "--push")
        for version in ("1.0.0", "1.0.1"):
            published.gitprompt("label", "set", "welcome", "production", version, "--push")
        script = "\n".join(("set -euo pipefail", *commands))
        script = script.replace("http://127.0.0.1:3000", server.url)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        said = run("bash", "-c", script, cwd=tmp_path, env={"PATH": path})
    finally:
        server.stop()
    assert "restored is what gitprompt.tar was: 1 repositories" in said
    assert "1.0.1 → 1.0.0" in said
    assert "replaced is what gitprompt.tar was" in said
    assert "1 tags tampered with" in said
    assert said.count("0 tags tampered with") >= 2
    assert '{"error"' not in said, "an answer of the server is an error"


def test_every_alert_has_its_place_in_the_operations_page() -> None:
    """With at least three commands."""
    page = (ROOT / "docs" / "operations.md").read_text()
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    alerts = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}
    assert len(alerts) >= 7
    for name, rule in alerts.items():
        section = re.split(r"\n##+ ", page.partition(f"\n### {name}\n")[2])[0]
        block = section.partition("```sh\n")[2].partition("```")[0]
        assert block.count("\n") >= 3, name
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"


def test_every_python_block_of_the_metrics_page_runs() -> None:
    """The first, which serves until it is told to stop, is scraped in test_prometheus."""
    first, *others = blocks("docs/metrics.md", "python")
    assert "serve_forever" in first
    assert len(others) >= 5
    for block in others:
        program = block + (
            "\nimport asyncio\nassert asyncio.run(answer('hi')) == 'HI'\n"
            if "async def answer" in block
            else ""
        )
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_the_generated_pages_are_current() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


def test_no_file_names_a_host_to_download_from() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in tracked.splitlines():
        if name.endswith((".txt", ".toml", ".json", ".lock")):
            text = (ROOT / name).read_text()
            assert not re.search(r"--(extra-)?index-url|https?://\S+\.(whl|tar\.gz)", text), name


def test_every_example_of_the_format_page_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a warning, apart from those that an example is about."""
    text = (ROOT / "docs" / "format.md").read_text()
    examples = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == text.count("```yaml") >= 6
    shared = {
        fragment_name(path): body.encode()
        for path, body in re.findall(r"^```md\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    }
    assert len(shared) == text.count("```md") >= 1
    for path, example in examples:
        kind, name, _ = place(path)
        assert kind is not None, path
        _, findings = checks.examine(
            example.encode(), path=path, kind=kind, name=name, source=shared.get
        )
        assert findings == [], path
    (toml,) = blocks("docs/format.md", "toml")
    (tmp_path / "gitprompt.toml").write_text(toml)
    monkeypatch.chdir(tmp_path)
    assert config.client_file()["workspace"] == "default"


def test_the_reference_of_the_format_has_every_key() -> None:
    page = (ROOT / "docs" / "format-reference.md").read_text()
    for key in ("messages[].role", "messages[].content[].image_url.url", "tests[].contains",
                "variables.NAME.default", "response_format.json_schema.schema", "criteria.min_score",
                "labels.protected", "model_config.temperature"):  # fmt: skip
        assert f"| `{key}` |" in page, key


def test_the_page_of_deployment_has_the_environment_of_the_seed_row_by_row() -> None:
    """Each row names a test that there is."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| `([^:`]+)::(\w+)` \|$", page, re.MULTILINE)
    assert [variable for variable, _, _ in rows] == [
        "API_KEY_SALT", "DATABASE_URL", "DRIVER", "GITHUB_REPO", "S3_BUCKET", "OTEL_EXPORTER_OTLP_ENDPOINT",
    ]  # fmt: skip
    for variable, path, name in rows:
        assert f"def {name}(" in (ROOT / path).read_text(), variable
        assert f"`{variable}`" in (ROOT / "docs" / "configuration.md").read_text()
        assert f"{variable}: " in (ROOT / "deploy" / "compose.yaml").read_text()


def test_every_limit_is_as_the_page_says_and_has_its_test() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(
        r"^\| [^|]+ \| ([\d.]+) \| `([\w.]+)` \| `([^:`]+)::(\w+)` \|$", page, re.MULTILINE
    )
    assert len(rows) == page.partition("## Limits")[2].partition("\n\nChecks,")[0].count("\n|") - 2
    defaults = {f.metadata["env"]: f.default for f in fields(config.ServerSettings)}
    for value, where, path, name in rows:
        actual = defaults.get(where)
        if actual is None:
            module, _, constant = where.rpartition(".")
            actual = getattr(import_module(module), constant)
        assert float(value) == actual, where
        assert f"def {name}(" in (ROOT / path).read_text(), name
    bounded = {env for env in defaults if "_MAX_" in env} | {"GITPROMPT_GIT_MEMORY"}
    assert bounded <= {where for _, where, _, _ in rows}
