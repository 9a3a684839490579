# SPDX-License-Identifier: Apache-2.0
"""The prompt document: where its file lives, what is served, when two are the same.

The shape itself is in `schemas/prompt.schema.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from gitprompt.core.model import Document, Kind
from gitprompt.core.versions import is_version
from gitprompt.errors import Invalid, UsageError

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 1 << 20
PROMPTS = "prompts"
FRAGMENTS = "prompts/_fragments"
SUITES = "evals"
SETTINGS = "gitprompt.yaml"
KEYS = frozenset(
    {"name", "version", "description", "type", "messages", "variables", "model_config", "ollama",
     "tags", "metadata", "tools", "tool_choice", "response_format",
     "deprecated", "tests"}
)  # fmt: skip
_IDENTITY = ("name", "version")


def below(root: str, path: str) -> str:
    """A path of ours as the repository has it; `root` is the folder that has prompts/ and evals/."""
    return f"{root}/{path}" if root and path != SETTINGS else path


def inside(root: str, path: str) -> str | None:
    """A path of the repository as ours, or None for what is not below the root.

    >>> inside("services/chat", "services/chat/prompts/welcome.yaml")
    'prompts/welcome.yaml'
    """
    if not root or path == SETTINGS:
        return path
    return path[len(root) + 1 :] if path.startswith(root + "/") else None


# What a root is: the schema of the settings has the same (a test compares them).
ROOT_PATTERN = (
    r'^[^./:*?\[\]"\\\u0000-\u0020-][^/:*?\[\]"\\\u0000-\u001f]*'
    r'(/[^./:*?\[\]"\\\u0000-\u0020-][^/:*?\[\]"\\\u0000-\u001f]*)*$'
)


def check_root(text: str) -> str:
    """A root as a person types it, as the settings would have it. Raises Invalid."""
    root = text.replace("\\", "/").removeprefix("./").rstrip("/")
    if text in ("", ".", "./"):
        return ""
    if len(root) > 200 or root.endswith("\n") or not re.match(ROOT_PATTERN, root):
        raise Invalid(
            f"the root {text!r} is no folder below the top of the repository",
            hint="Write it as seen from there: services/chat/prompts-repo",
        )
    return root


def no_such_root(root: str) -> UsageError:
    """The error for a root that is not there."""
    return UsageError(
        f"{root} is to have the prompts, and there is no such folder",
        hint=f"Look at root in {SETTINGS}, and at --root; or make it: gitprompt init {root}",
    )


def version_paths(name: str, version: str) -> tuple[str, ...]:
    """The seed's layout, one file per version; looked for before the working copy."""
    return tuple(f"{PROMPTS}/{name}/{version}{suffix}" for suffix in (".json", ".yaml", ".yml"))


def is_unread(path: str) -> bool:
    """Whether a file lies where prompts or suites do and is none of ours, though it may well be meant
    as one: another format (.prompt, .prompty, .txt), or the ending in capitals."""
    folder, _, file = path.rpartition("/")
    if folder.split("/")[0] not in (PROMPTS, SUITES) or file.startswith("."):
        return False
    return place(path)[0] is None and not file.upper().startswith(_ABOUT)


_ABOUT = ("README", "LICENSE", "LICENCE", "CONTRIBUTING", "CHANGELOG", "CODEOWNERS", "OWNERS")


def prompt_paths(name: str) -> tuple[str, ...]:
    """Where the working copy of a prompt may be. Two of these at once are an error."""
    return tuple(f"{PROMPTS}/{name}{suffix}" for suffix in SUFFIXES)


def fragment_path(name: str) -> str:
    """Where the text of a fragment is."""
    return f"{FRAGMENTS}/{name}.md"


def fragment_name(path: str) -> str | None:
    """The fragment whose text is at a path, or None for any other file."""
    if not path.startswith(FRAGMENTS + "/") or not path.endswith(".md"):
        return None
    return path[len(FRAGMENTS) + 1 : -len(".md")]


def stem(path: str, folder: str) -> str | None:
    """The name that a path inside `folder` means, or None for any other file.

    >>> stem("prompts/support/triage.yaml", "prompts")
    'support/triage'
    """
    if not path.startswith(folder + "/") or not path.endswith(SUFFIXES):
        return None
    return path[len(folder) + 1 :].rpartition(".")[0]


def place(path: str) -> tuple[Kind | None, str, str | None]:
    """Which document a path of a work tree is: its kind, its name, and its version in the seed's
    layout prompts/<name>/<version>.json. Kind None: none of ours."""
    if path == SETTINGS:
        return "settings", "", None
    fragment = fragment_name(path)
    if fragment is not None:
        return "fragment", fragment, None
    name = stem(path, PROMPTS)
    if name is not None:
        folder, _, last = name.rpartition("/")
        if folder and is_version(last):
            return "prompt", folder, last
        return "prompt", name, None
    suite = stem(path, SUITES)
    return ("suite", suite, None) if suite is not None else (None, "", None)


def served(document: Document, *, name: str, version: str) -> dict[str, Any]:
    """The document as it is served: it always carries its name and version, first."""
    return {"name": name, "version": version, **_without_identity(document)}


def canonical(document: Document) -> bytes:
    """One byte string for all spellings of a document: sorted keys, no spaces, UTF-8, and whole
    numbers written as integers. Name and version are left out: they are the tag's to say."""
    return json.dumps(
        _plain(_without_identity(document)),
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def digest(document: Document) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    import hashlib  # 4 ms, which a hook does not pay

    return hashlib.sha256(canonical(document)).hexdigest()


def _without_identity(document: Document) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in _IDENTITY}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def pointer(path: Iterable[str | int]) -> str:
    """A path into a document as a person writes it: messages[1].content."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
