# SPDX-License-Identifier: Apache-2.0
"""gitprompt mirror: what is at one place is at another, whole, and nothing that was published moves."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from gitprompt.drivers.mirror import Mirror
from gitprompt.drivers.objects import StoreRefused
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import Conflict, OriginUnreachable, UsageError
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.transfer import mirroring
from tests.drivers.three_nodes import document, send
from tests.transfer.copies import a_bucket, copy, refs_of
from tests.world import Clone, Refused, Server, run

TAG = "refs/tags/prompts/welcome/1.0.0"


@pytest.fixture
def source(published: Clone, forge: Clone) -> Path:
    """With a history, 60 versions, labels and a branch that is not the default one."""
    tag = published.git("rev-parse", TAG)
    made = "".join(f"create refs/tags/prompts/p{at}/1.0.0 {tag}\n" for at in range(60))
    published.git("update-ref", "--stdin", stdin=made)
    published.git("branch", "trunk")
    published.git("push", "-q", "origin", "--tags", "trunk")
    forge.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    return forge.path


def test_a_path_is_made_and_gets_all(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.git"
    copied = copy(str(source), str(target))
    assert refs_of(target) == refs_of(source)
    assert (copied.refs, copied.written, copied.others) == (len(refs_of(source)),) * 2 + (0,)
    assert run("git", "symbolic-ref", "HEAD", cwd=target).strip() == "refs/heads/trunk"
    shown = subprocess.run(
        "git show-ref | sha256sum",
        shell=True,
        cwd=target,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split()[0] == copied.digest
    assert copy(str(source), str(target)) == copied._replace(written=0)


def test_through_a_bucket_and_back_nothing_is_lost(source: Path, tmp_path: Path) -> None:
    bucket, _ = a_bucket()
    first = copy(str(source), bucket)
    back = copy(bucket, str(tmp_path / "back.git"))
    assert refs_of(tmp_path / "back.git") == refs_of(source)
    assert first.digest == back.digest


def test_cut_short_it_goes_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("_CHUNK", "_ENTRY"):
        monkeypatch.setattr(mirroring, setting, 10)
    target, (bucket, _) = tmp_path / "copy.git", a_bucket()
    for there in (str(target), bucket):
        pushes = 0
        with monkeypatch.context() as patch:

            def push(real: Any) -> Any:
                def once(*args: Any) -> None:
                    nonlocal pushes
                    pushes += 1
                    if pushes == 3:
                        raise KeyboardInterrupt
                    real(*args)

                return once

            for kind in (Mirror, RefLog):
                patch.setattr(kind, "push", push_of(kind, push))
            with pytest.raises(KeyboardInterrupt):
                copy(str(source), there)
        copied = copy(str(source), there)
        assert 0 < copied.written == copied.refs - 20


def push_of(kind: Any, wrap: Any) -> Any:
    return wrap(kind.push)


def test_what_others_have_there_stays(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.git"
    copy(str(source), str(target))
    tip = refs_of(target)["refs/heads/main"]
    run("git", "update-ref", "refs/heads/theirs", tip, cwd=target)
    assert copy(str(source), str(target)).others == 1
    assert refs_of(target)["refs/heads/theirs"] == tip


def test_a_version_that_is_another_one_there_stops_it(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.git"
    copy(str(source), str(target))
    run("git", "update-ref", TAG, "refs/heads/main", cwd=target)
    run("git", "update-ref", "-d", "refs/heads/trunk", cwd=target)
    before = refs_of(target)
    with pytest.raises(Conflict, match=f"1 version tags are other ones at .*: {TAG}"):
        copy(str(source), str(target))
    assert refs_of(target) == before


def test_somebody_who_publishes_there_meanwhile_loses_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket, store = a_bucket()
    copy(str(source), bucket)
    other = RefLog(store, name="s3", place="memory", prefix="p/")
    run("git", "init", "-q", "--bare", "rival.git", cwd=tmp_path)
    theirs = Repository.open(str(tmp_path / "rival.git"))
    other.claim("default", theirs)
    other.fetch("default", theirs)
    run("git", "tag", "prompts/late/1.0.0", "-m", "x", "main", cwd=source)
    tip = refs_of(source)["refs/heads/main"]
    real = RefLog.push
    done: list[int] = []

    def push(self: RefLog, *args: Any) -> None:
        if not done:
            done.append(1)
            real(other, "default", theirs, [RefUpdate("refs/heads/theirs", "0" * 40, tip)])
        real(self, *args)

    monkeypatch.setattr(RefLog, "push", push)
    assert copy(str(source), bucket).others == 1


def test_a_target_that_says_yes_and_keeps_nothing_is_found_out(
    source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Mirror, "push", lambda *_: None)
    with pytest.raises(OriginUnreachable, match="has not what was written to it"):
        copy(str(source), str(tmp_path / "copy.git"))


def test_what_went_on_there_is_not_put_back(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.git"
    copy(str(source), str(target))
    tree = run("git", "rev-parse", "refs/heads/main^{tree}", cwd=target).strip()
    later = run("git", "commit-tree", "-p", "refs/heads/main", "-m", "x", tree, cwd=target).strip()
    run("git", "update-ref", "refs/heads/main", later, cwd=target)
    run("git", "tag", "prompts/late/1.0.0", "-m", "x", "main", cwd=source)
    before = refs_of(target)
    with pytest.raises(Conflict, match=r"1 branches or labels went on at .*: refs/heads/main"):
        copy(str(source), str(target))
    assert refs_of(target) == before
    copy(str(target), str(source))
    assert refs_of(source)["refs/heads/main"] == later


def test_head_of_what_is_there_stays(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.git"
    copy(str(source), str(target))
    run("git", "symbolic-ref", "HEAD", "refs/heads/main", cwd=target)
    copy(str(source), str(target))
    assert run("git", "symbolic-ref", "HEAD", cwd=target).strip() == "refs/heads/main"


def test_a_bucket_that_may_only_be_read_is_copied(source: Path, tmp_path: Path) -> None:
    bucket, _ = a_bucket()
    copy(str(source), bucket)

    def refuse(*_: object) -> bool:
        raise StoreRefused("403 AccessDenied")

    log = bucket.driver
    assert isinstance(log, RefLog)
    log._store.create = refuse  # type: ignore[assignment,method-assign]
    log._is_checked = False
    log.only_read()
    copy(bucket, str(tmp_path / "back.git"))
    assert refs_of(tmp_path / "back.git") == refs_of(source)


def test_a_clone_with_a_work_tree_is_not_written(
    source: Path, published: Clone, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is a clone with a work tree"):
        copy(str(source), str(published.path))
    (published.path / "repos").mkdir()
    with pytest.raises(UsageError, match="is a clone with a work tree"):
        copy(str(source), str(published.path))
    copy(str(published.path), str(tmp_path / "copy.git"))


def test_a_shallow_clone_is_told(source: Path, tmp_path: Path) -> None:
    tree = run("git", "rev-parse", "refs/heads/main^{tree}", cwd=source).strip()
    later = run("git", "commit-tree", "-p", "refs/heads/main", "-m", "x", tree, cwd=source).strip()
    run("git", "update-ref", "refs/heads/main", later, cwd=source)
    run("git", "clone", "-q", "--depth=1", "--bare", f"file://{source}", "s.git", cwd=tmp_path)
    with pytest.raises(OriginUnreachable, match="is a shallow clone") as caught:
        copy(str(tmp_path / "s.git"), str(tmp_path / "copy.git"))
    assert "--unshallow" in caught.value.hint
    assert not (tmp_path / "copy.git").exists(), "nothing is left of what was made for it"


class TestDataFolders:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        """Of a server that has served two versions, one of which somebody has moved."""
        server = Server(tmp_path / "data", env={"DATABASE_URL": ""}).start()
        for version in ("1.0.0", "1.1.0"):
            sent = send(server, "POST", "/v1/prompts", document("kept", version), "default")
            assert sent.status_code == 201
        assert send(server, "POST", "/v1/prompts", document("bill"), "billing").status_code == 201
        server.stop()
        return server.data

    def test_what_was_served_first_is_copied(self, data: Path, tmp_path: Path) -> None:
        hosted = Repository.open(str(data / "repos" / "default.git"))
        before = refs_of(hosted.git_dir)
        tag, tip = "refs/tags/prompts/kept/1.0.0", before["refs/heads/main"]
        update_refs(hosted, [RefUpdate(tag, before[tag], tip)], message="test")
        copied = copy(str(data), str(tmp_path / "copy.git"))
        assert copied.pinned == 1
        assert refs_of(tmp_path / "copy.git") == before

    @pytest.mark.postgres
    def test_its_own_pins_count_and_not_those_of_the_target(
        self, data: Path, clone: Clone, tmp_path: Path
    ) -> None:
        from tests.postgres import new_url

        hosted = Repository.open(str(data / "repos" / "default.git"))
        before = refs_of(hosted.git_dir)
        tag, tip = "refs/tags/prompts/kept/1.0.0", before["refs/heads/main"]
        update_refs(hosted, [RefUpdate(tag, before[tag], tip)], message="test")
        said = clone.gitprompt("mirror", str(data), "postgres:", env={"DATABASE_URL": new_url()})
        assert "1 tags were moved after they were served" in said

    def test_what_it_has_pinned_is_not_written_otherwise(self, data: Path, tmp_path: Path) -> None:
        copy(str(data), str(tmp_path / "copy.git"))
        tag = "refs/tags/prompts/kept/1.0.0"
        run("git", "update-ref", tag, "refs/heads/main", cwd=tmp_path / "copy.git")
        run("git", "update-ref", "-d", tag, cwd=data / "repos" / "default.git")
        with pytest.raises(Conflict, match="1 version tags are other ones"):
            copy(str(tmp_path / "copy.git"), str(data))

    def test_one_that_mirrors_another_origin_is_not_written(
        self, data: Path, source: Path, tmp_path: Path
    ) -> None:
        run("git", "config", "gitprompt.origin", "/srv/a.git", cwd=data / "repos" / "default.git")
        with pytest.raises(UsageError, match=r"is a mirror of /srv/a\.git"):
            copy(str(source), str(data))

    def test_each_workspace_is_copied_by_its_name(self, data: Path, tmp_path: Path) -> None:
        copy(str(data), str(tmp_path / "copy.git"), "billing")
        assert "refs/tags/prompts/bill/1.0.0" in refs_of(tmp_path / "copy.git")
        with pytest.raises(UsageError, match="has no workspace 'sales'"):
            copy(str(data), str(tmp_path / "other.git"), "sales")

    def test_one_gets_what_a_bucket_has_and_serves_it(self, data: Path, tmp_path: Path) -> None:
        bucket, _ = a_bucket()
        copy(str(data), bucket)
        (tmp_path / "new" / "repos").mkdir(parents=True)
        copy(bucket, str(tmp_path / "new"))
        server = Server(tmp_path / "new", env={"DATABASE_URL": ""}).start()
        try:
            assert server.request("/v1/prompts/kept?version=1.0.0").status_code == 200
            with pytest.raises(Exception, match="is in use by"):
                copy(bucket, str(tmp_path / "new"))
        finally:
            server.stop()


class TestCommand:
    def test_it_says_what_it_did(self, source: Path, clone: Clone, tmp_path: Path) -> None:
        target = str(tmp_path / "copy.git")
        said = clone.gitprompt("mirror", str(source), target)
        number = len(refs_of(source))
        assert f"has the {number} refs of {source}; {number} were written now" in said
        assert "sha256 of what both have: " in said
        value = json.loads(clone.gitprompt("mirror", "--json", str(source), target))
        assert (value["written"], value["refs"], value["workspace"]) == (0, number, "default")

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("nowhere.git", "x.git"), "there is no nowhere.git"),
            (("", "x.git"), "a place is empty"),
            (("ssh://u:secret@host/a.git", "x.git"), "has a password, which ssh: does not take"),
            (("S3://b", "x.git"), "S3_BUCKET: 'b' is no name of a bucket"),
            (("..", "x.git"), "is no Git repository, nor the data folder of a server"),
            ((".", ".."), "Name a path that is not there yet"),
            (("s3://b", "x.git"), "S3_BUCKET: 'b' is no name of a bucket"),
            (("s3:", "x.git"), "DRIVER=s3 needs S3_BUCKET"),
            (("postgres:", "x.git"), "needs a PostgreSQL database"),
            (("github:acme", "x.git"), "'default=acme' is not owner/repository"),
            ((".", "x.git", "--workspace", "a/b"), "'a/b' is no name of a workspace"),
        ],
    )
    def test_what_is_wrong_is_told(self, args: tuple[str, ...], said: str, clone: Clone) -> None:
        with pytest.raises(Refused, match=said):
            clone.gitprompt("mirror", *args)
        assert not (clone.path / "x.git").exists()


@pytest.mark.stores
def test_a_real_bucket_is_served_after_it(source: Path, clone: Clone, tmp_path: Path) -> None:
    from tests.seaweed import BUCKET, seaweed

    prefix = uuid.uuid4().hex
    env = seaweed().environment(prefix)
    clone.gitprompt("mirror", str(source), f"s3://{BUCKET}/{prefix}", env=env)
    server = Server(tmp_path / "data", env=env).start()
    try:
        assert server.request("/v1/prompts/welcome?render=false").status_code == 200
    finally:
        server.stop()


@pytest.mark.postgres
def test_a_real_database_is_served_after_it(source: Path, clone: Clone, tmp_path: Path) -> None:
    from tests.postgres import new_url

    env = {"DATABASE_URL": new_url(), "API_KEY_SALT": "x"}
    clone.gitprompt("mirror", str(source), "postgres:", env=env)
    server = Server(tmp_path / "data", env={**env, "DRIVER": "postgres"}).start()
    try:
        assert server.request("/v1/prompts/welcome?render=false").status_code == 200
    finally:
        server.stop()
