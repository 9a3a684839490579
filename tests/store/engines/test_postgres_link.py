# SPDX-License-Identifier: Apache-2.0
"""Addresses of PostgreSQL databases: what is wrong is told without secrets; what hangs is cut."""

from __future__ import annotations

import threading

import pytest

from gitprompt.errors import SetupError
from gitprompt.store.database import Database
from gitprompt.store.engines import engine_at
from gitprompt.store.tables.rows import Tally
from tests.postgres import PASSWORD, cluster, name_of
from tests.proxy import Proxy
from tests.store.stored import new_log

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("postgres://postgres:nope@127.0.0.1:{port}/{name}", "password authentication failed"),
        ("postgres://nobody-here:nope@127.0.0.1:{port}/{name}", "password authentication failed"),
        ("postgres://127.0.0.1:{port}/{name}", "no password"),
        ("{url}x", "does not exist"),
        ("postgres://postgres:secret@127.0.0.1:1/{name}", "refused"),
        ("postgres://postgres:secret@no.such.host.invalid/{name}", "no.such.host.invalid"),
        ("postgres://postgres:secret@127.0.0.1:port/{name}", "invalid integer value"),
        ("postgres://postgres:secret@127.0.0.1:{port}/{name}?nonsense=1", "no address of a PostgreSQL"),
        ("postgresql:nonsense secret", "no address of a PostgreSQL"),
        ("{url}?sslmode=verify-full", "SSL"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_told_without_its_password(url: str, wrong: str, said: str) -> None:
    with pytest.raises(SetupError) as caught:
        engine_at(wrong.format(url=url, port=cluster().port, name=name_of(url))).writer()
    told = f"{caught.value} {caught.value.hint}"
    assert said in told
    assert "secret" not in told.replace("password", "")
    assert PASSWORD not in told


def test_a_role_without_rights_is_told_what_to_grant(url: str) -> None:
    role = f"poor_{name_of(url)}"
    cluster().execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    with pytest.raises(SetupError, match="may not make the tables") as caught:
        engine_at(cluster().url(name_of(url), user=role)).writer()
    assert "GRANT CREATE ON DATABASE" in caught.value.hint


def test_an_address_with_several_hosts_finds_the_one_that_answers(url: str) -> None:
    several = url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:")
    engine = engine_at(several)
    engine.writer().close()
    assert PASSWORD not in str(engine)
    assert str(engine).endswith(f"on 127.0.0.1:1, 127.0.0.1:{cluster().port}")


def test_a_connection_that_hangs_is_cut(
    place: tuple[Proxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitprompt.store.engines import postgres_link

    monkeypatch.setattr(postgres_link, "_SECONDS", 1.0)
    proxy, url = place
    database = Database(url)
    proxy.hole = True
    future = database.start(new_log(log_id="a"))
    threading.Timer(4, lambda: setattr(proxy, "hole", False)).start()
    assert future.result(timeout=30).is_new
    assert database.read_now(Tally("default", "log")) == 1
    database.close()
