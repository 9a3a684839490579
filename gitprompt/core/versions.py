# SPDX-License-Identifier: Apache-2.0
"""Versions: SemVer 2 precedence, plus bare integers and `x.y` as other systems export them.

The tag `refs/tags/prompts/<name>/<version>` is spelled and read here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from gitprompt.errors import Invalid

Bump = Literal["major", "minor", "patch"]

FIRST = "1.0.0"  # the version of what was never published
TAG_PREFIX = "refs/tags/prompts/"
MAX_LENGTH = 64

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})(?:\.({_NUMBER})(?:\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?)?)?\Z"
)
_LOOSE = re.compile(r"[vV]?[0-9]+(?:\.[0-9]+)*(?:[-+].*)?\Z", re.DOTALL)


@lru_cache(maxsize=4096)
def check_version(version: str) -> str:
    """Return `version`, or raise Invalid with the reason.

    >>> check_version("1.10.0-rc.1")
    '1.10.0-rc.1'
    """
    if len(version) > MAX_LENGTH:
        raise Invalid(f"version is {len(version)} characters long; at most {MAX_LENGTH}")
    if not _VERSION.match(version):
        raise Invalid(f"version {version!r} is not a semantic version", hint=_hint(version))
    if version.endswith(".lock"):
        raise Invalid(f"version {version!r} ends with .lock, which Git refuses in a tag")
    return version


def _hint(version: str) -> str:
    if "+" in version:
        return "Build metadata (+…) has no precedence; leave it out."
    if version[:1] in ("v", "V"):
        return f"Leave out the leading {version[0]!r}."
    return "Use MAJOR.MINOR.PATCH, for example 1.4.0 or 2.0.0-rc.1 (no leading zeros)."


def is_version(text: str) -> bool:
    return len(text) <= MAX_LENGTH and bool(_VERSION.match(text)) and not text.endswith(".lock")


def reads_as_version(text: str) -> bool:
    """True if a reader could take `text` for a version or a number, valid or not."""
    return bool(_LOOSE.match(text))


@lru_cache(maxsize=4096)
def precedence(version: str) -> str:
    """A text whose byte order is SemVer 2 precedence; equal for 1, 1.0 and 1.0.0.

    SQLite and PostgreSQL sort by it, so the order is the same in memory and on disk. A property
    test holds it against the `semver` library.
    """
    match = _VERSION.match(version)
    if not match:
        raise Invalid(f"version {version!r} is not a semantic version", hint=_hint(version))
    major, minor, patch, pre = match.groups()
    core = f"{_sortable(major)}{_sortable(minor or '0')}{_sortable(patch or '0')}"
    if pre is None:
        return core + "~"
    return core + "-" + "".join(_sortable_identifier(part) for part in pre.split("."))


def _sortable(number: str) -> str:
    return f"{len(number):02d}{number}"


def _sortable_identifier(identifier: str) -> str:
    # Numeric identifiers are lower than alphanumeric ones; '!' is lower than any character of
    # an identifier, so a shorter list is lower than a longer one (SemVer 2, section 11.4).
    if identifier.isdigit():
        return f"0{_sortable(identifier)}!"
    return f"1{identifier}!"


def is_prerelease(version: str) -> bool:
    return "-" in version


@lru_cache(maxsize=4096)
def rank(version: str) -> tuple[bool, str]:
    """By this the newest is the highest: precedence, and every release above any pre-release."""
    return not is_prerelease(version), precedence(version)


def newest(versions: Iterable[str]) -> str | None:
    """The highest by precedence; pre-releases only when there is nothing else."""
    return max(versions, key=rank, default=None)


def bumped(version: str, bump: Bump) -> str:
    """The next version after `version`; a pre-release is finished by a patch bump (SemVer 2)."""
    import semver

    return str(semver.Version.parse(_complete(version)).next_version(part=bump))


def bump_between(before: str, after: str) -> Bump | None:
    """Which part of the number says that `after` follows; None if it does not follow."""
    if precedence(after) <= precedence(before):
        return None
    old, new = (_complete(version).partition("-")[0].split(".") for version in (before, after))
    if old[0] != new[0]:
        return "major"
    return "minor" if old[1] != new[1] else "patch"


def _complete(version: str) -> str:
    release, dash, pre = version.partition("-")
    return release + ".0" * (2 - release.count(".")) + dash + pre


def tag_ref(name: str, version: str) -> str:
    """The ref of a published version; both parts must have been checked."""
    return f"{TAG_PREFIX}{name}/{version}"


def split_tag_ref(ref: str) -> tuple[str, str]:
    """Name and version of `refs/tags/prompts/<name>/<version>`, unchecked; empty if absent."""
    name, _, version = ref.removeprefix(TAG_PREFIX).rpartition("/")
    return name, version


def version_id(name: str, version: str) -> int:
    """A stable id below 2**53, so that JavaScript clients read it exactly."""
    import hashlib  # 4 ms, which a hook does not pay

    digest = hashlib.sha256(f"{name}@{version}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 11
