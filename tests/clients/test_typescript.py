# SPDX-License-Identifier: Apache-2.0
"""The types that openapi-typescript makes of our description are such that a client compiles."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gitprompt.server.http.openapi import document
from gitprompt.server.surfaces import ENDPOINTS
from tests.clients.npm import npm_folder
from tests.world import run

pytestmark = pytest.mark.clients
TOOLS = ("openapi-typescript@7.9.1", "typescript@5.9.3")
CLIENT = """
import type { paths } from "./api";

type Answer = paths["/v1/prompts/{name}"]["get"]["responses"]["200"]["content"]["application/json"];
type Render = paths["/v1/prompts/{name}/render"]["post"];
type Body = NonNullable<Render["requestBody"]>["content"]["application/json"];

export function firstText(answer: Answer): string {
  const message = answer.content.messages[0];
  const role: "system" | "developer" | "user" | "assistant" | "tool" | undefined = message.role;
  if (typeof message.content === "string") return `${role}: ${message.content}`;
  return (message.content ?? []).map((part) => String(part["type"])).join();
}
export const version = (answer: Answer): string => answer.version.version_tag;
export const body: Body = { variables: { name: "Ada", items: [1, 2] }, label: "production" };
"""
WRONG = CLIENT.replace("messages[0]", "massages[0]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two tools and the generated types."""
    folder = npm_folder(tmp_path_factory.mktemp("typescript"), TOOLS)
    (folder / "openapi.json").write_text(json.dumps(document(ENDPOINTS)))
    # A key with a default may be left out of a request.
    options = ("--default-non-nullable=false", "-o", "api.d.ts")
    run("npx", "openapi-typescript", "openapi.json", *options, cwd=folder)
    return folder


def compiled(folder: Path, client: str) -> subprocess.CompletedProcess[str]:
    (folder / "client.ts").write_text(client)
    command = ["npx", "tsc", "--strict", "--noEmit", "--skipLibCheck", "client.ts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_client_reads_the_messages_of_a_prompt(folder: Path) -> None:
    outcome = compiled(folder, CLIENT)
    assert outcome.returncode == 0, outcome.stdout


def test_a_client_that_misspells_a_key_does_not_compile(folder: Path) -> None:
    outcome = compiled(folder, WRONG)
    assert "massages" in outcome.stdout
    assert outcome.returncode != 0
