# SPDX-License-Identifier: Apache-2.0
"""Settings: options first, then the environment, then the defaults."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gitprompt import config
from gitprompt.config import ServerSettings, client_file, server_settings
from gitprompt.errors import UsageError


def test_an_option_counts_more_than_the_environment_and_that_more_than_the_default() -> None:
    environ = {"PORT": "4000", "HOST": ""}
    assert server_settings({"port": 5000}, environ).port == 5000
    settings = server_settings({"port": None}, environ)
    assert (settings.port, settings.host) == (4000, ServerSettings().host)


def test_each_setting_has_one_variable_and_a_sentence() -> None:
    names = [setting.metadata["env"] for setting in fields(ServerSettings)]
    assert len(set(names)) == len(names)
    assert all(setting.metadata["help"].endswith(".") for setting in fields(ServerSettings))


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        ({"port": "x"}, {}, "--port: 'x' is not a int"),
        ({}, {"PORT": "70000"}, "port 70000 is not between 0 and 65535"),
        ({"log_format": "xml"}, {}, "is neither text nor json"),
        ({"workers": 2}, {}, "only one worker is supported"),
        ({"poll_seconds": 0.0}, {}, "poll seconds must be between"),
        ({"rate_limit": -1}, {}, "rate limit must be 0 or more"),
        ({"forward_traces": "yes"}, {}, "nowhere to forward traces to"),
        ({"root": "services"}, {}, "--root goes with --repo or --origin"),
        ({}, {"DATABASE_URL": "mysql://x"}, "names no database that is known"),
    ],
)
def test_a_wrong_setting_is_named(
    options: dict[str, Any], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        server_settings(options, environ)
    assert message in caught.value.message


def test_the_nearest_client_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gitprompt.toml").write_text('server = "http://one"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert client_file() == {"server": "http://one"}
    (tmp_path / "a" / "gitprompt.toml").write_text('workspace = "two"\n')
    assert client_file() == {"workspace": "two"}
    for text, message in (
        ("x = 1\n", "x"),
        ("server = 1\n", "a value is not text"),
        ("[", "cannot"),
    ):
        (inner / "gitprompt.toml").write_text(text)
        with pytest.raises(UsageError, match=message):
            client_file()


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("", "sqlite:d/telemetry.db"), ("sqlite:./pm.db", "sqlite:./pm.db"), ("./pm.db", "sqlite:./pm.db"),
        ("/srv/a:b.db", "sqlite:/srv/a:b.db"), ("sqlite:///srv/pm.db", "sqlite:/srv/pm.db"),
        ("postgres://u:p@h/d", "postgres://u:p@h/d"), ("PostgreSQL://h/d", "postgresql://h/d"),
    ],
)  # fmt: skip
def test_a_database_is_a_file_or_a_url(url: str, location: str) -> None:
    assert config.database_location("d", url) == location
    file = config.database_file(location)
    assert (file is None) == location.startswith("postgres")


@pytest.mark.parametrize(
    "url", ["postgres//u:s3cret@h/db", "postgresql/u:s3cret@h", "u.s3cret@h/db", "postgres"]
)
def test_a_url_with_a_slip_is_no_file_and_is_not_printed(url: str) -> None:
    with pytest.raises(UsageError, match="does not begin with postgres://") as caught:
        config.database_location("data", url)
    assert "s3cret" not in caught.value.message + (caught.value.hint or "")
    assert config.database_location("data", "sqlite:/srv/@data/pm.db") == "sqlite:/srv/@data/pm.db"


def test_the_database_of_a_folder_is_in_it_however_that_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path / "data")
    monkeypatch.setenv("DATABASE_URL", "sqlite:./pm.db")
    for spelled in (".", "../data/", "../link", f"/{tmp_path}/data"):
        assert config.data_file(spelled, "") == "./pm.db"
    with pytest.raises(UsageError, match=r"names \./pm\.db"):
        config.data_file("..", "")
