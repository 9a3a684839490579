# SPDX-License-Identifier: Apache-2.0
"""The seed's table of drivers, row by row: what each variable is for, it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers import Driver
from gitprompt.drivers.filesystem import Filesystem
from gitprompt.drivers.github import Github
from gitprompt.drivers.ref_log import RefLog
from gitprompt.store.git_store import GitObjects

S3 = {"DRIVER": "s3", "S3_BUCKET": "acme-prompts"}
GITHUB = {"DRIVER": "github", "GITHUB_REPO": "acme/prompts"}
POSTGRES = {"DRIVER": "postgres", "DATABASE_URL": "postgres://u@h/d"}


def place(driver: Driver) -> str:
    assert isinstance(driver, RefLog)
    return driver._place


def url(driver: Driver) -> str:
    assert isinstance(driver, Github)
    return driver.url("default")


def seconds(driver: Driver) -> float:
    assert isinstance(driver, Github)
    return driver._seconds


def endpoint(driver: Driver) -> str:
    assert isinstance(driver, RefLog)
    config: Mapping[str, str] = driver._store._store.config  # type: ignore[attr-defined]
    return "; ".join(f"{name}={value}" for name, value in sorted(config.items()))


ROWS: list[tuple[str, Mapping[str, str], Callable[[Driver], object], object]] = [
    ("DRIVER", {}, lambda one: isinstance(one, Filesystem), True),
    ("DRIVER", {"DRIVER": "filesystem"}, lambda one: one.name, "filesystem"),
    ("DRIVER", GITHUB, lambda one: one.name, "github"),
    ("DRIVER", S3, lambda one: one.name, "s3"),
    ("DRIVER", POSTGRES, lambda one: one.name, "postgres"),
    ("GITHUB_REPO", GITHUB, url, "https://github.com/acme/prompts.git"),
    ("GITHUB_SYNC_INTERVAL_MS", GITHUB, seconds, 15.0),
    ("GITHUB_SYNC_INTERVAL_MS", {**GITHUB, "GITHUB_SYNC_INTERVAL_MS": "2500"}, seconds, 2.5),
    ("GITHUB_WEBHOOK_SECRET", {**GITHUB, "GITHUB_WEBHOOK_SECRET": "x"}, seconds, 60.0),
    ("S3_BUCKET", S3, place, "s3://acme-prompts"),
    ("S3_PREFIX", {**S3, "S3_PREFIX": "team/"}, place, "s3://acme-prompts/team"),
    ("S3_REGION", S3, endpoint, "bucket=acme-prompts; region=us-east-1"),
    (
        "S3_ENDPOINT", {**S3, "S3_ENDPOINT": "http://minio:9000", "S3_REGION": "eu-west-1"},
        lambda one: ("http://minio:9000" in endpoint(one), "eu-west-1" in endpoint(one)), (True, True),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "env", "what", "expected"), ROWS)
def test_a_variable_does_what_the_seed_says(
    name: str, env: Mapping[str, str], what: Callable[[Driver], object], expected: object
) -> None:
    driver = drivers.make(server_settings({}, env), GitObjects())
    try:
        assert what(driver) == expected
    finally:
        driver.close()


def test_all_of_them_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    names = {name for name, *_ in ROWS} | {"GITHUB_TOKEN", "S3_ACCESS_KEY", "S3_SECRET_KEY"}
    assert {name for name in names if f"`{name}`" not in page} == set()
