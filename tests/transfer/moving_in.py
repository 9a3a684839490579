# SPDX-License-Identifier: Apache-2.0
"""What another system exports, and a sidecar that it comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.server.client import Client
from tests.world import Refused, Server, in_this_process

FIXTURES = Path(__file__).parents[1] / "fixtures"
LANGFUSE = [
    str(FIXTURES / f"langfuse-{kind}.json")
    for kind in ("traces", "observations", "scores", "prompts", "trace-full")
]


class House:
    """A workspace of a sidecar, and the command that fills it."""

    def __init__(self, server: Server, workspace: str, folder: Path) -> None:
        self.server, self.workspace, self.folder = server, workspace, folder
        self.client = Client(server, **{"X-Workspace-Id": workspace})

    def migrate(
        self, *inputs: str, house: str = "langfuse", options: tuple[str, ...] = (), code: int = 0,
        scopes: str = "read,write,admin", env: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The report of a run that must end with this code."""
        said = self.said(
            *(part for path in inputs for part in ("--input", path)), "--json", *options, house=house, code=code,
            scopes=scopes, env=env,
        )  # fmt: skip
        report: dict[str, Any] = json.loads(said[said.index("{") : said.rindex("}") + 1])
        return report

    def said(
        self, *options: str, house: str = "langfuse", code: int = 0, scopes: str = "read,write,admin",
        env: Mapping[str, str] | None = None,
    ) -> str:  # fmt: skip
        environment = {
            **self.server.env, "GITPROMPT_API_KEY": self.server.key(scopes, self.workspace),
            "XDG_STATE_HOME": str(self.folder / "state"), **(env or {}),
        }  # fmt: skip
        command = (
            "migrate",
            "--from",
            house,
            "--endpoint",
            self.server.url,
            "--rejected",
            str(self.rejected),
        )
        try:
            said = in_this_process(*command, *options, env=environment)
        except Refused as refused:
            assert refused.code == code, refused.said
            return refused.said
        assert code == 0, said
        return said

    @property
    def rejected(self) -> Path:
        return self.folder / "rejected.jsonl"

    @property
    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.rejected.read_text().splitlines()]

    def write(self, name: str, *records: Any) -> str:
        path = self.folder / name
        path.write_text("\n".join(map(json.dumps, records)))
        return str(path)


def losses(report: Mapping[str, Any]) -> dict[str, str]:
    """The reasons by field; of several of one field the first."""
    found: dict[str, str] = {}
    for loss in report["losses"]:
        found.setdefault(loss["field"], loss["reason"])
    return found


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def trace(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{number:032x}", "timestamp": "2026-09-14T08:15:02.100Z", "name": "t", **more}


def observation(number: int, whose: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"o{number}", "traceId": f"{whose:032x}", "type": "SPAN", "name": "s",
        "startTime": "2026-09-14T08:15:02.200Z", "endTime": "2026-09-14T08:15:02.300Z", **more,
    }  # fmt: skip


def prompt(name: str, version: Any = 1, text: Any = "Hi {{x}}", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "type": "text",
        "prompt": text,
        "createdAt": "2026-08-03T09:00:00Z",
        **more,
    }
