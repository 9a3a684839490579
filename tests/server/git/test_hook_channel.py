# SPDX-License-Identifier: Apache-2.0
"""The channel of a push's hooks: what they ask, what they are answered, and who may say nothing."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.errors import Conflict
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.server.git import hook_channel
from gitprompt.server.git.hook_channel import HookChannel, Judge
from tests.world import Clone

NEW = "1" * 40
UPDATE = RefUpdate("refs/heads/main", ZERO, NEW)
MOVE = b"move\nend\n"
_LINES = st.one_of(
    st.just(b""),
    st.just(b"/tmp/objects"),
    st.builds(lambda ref: b"%s %s %s" % (b"0" * 40, b"1" * 40, ref), st.binary(max_size=20)),
    st.binary(max_size=40),
)


@pytest.fixture
def repository(clone: Clone) -> Repository:
    return Repository.open(str(clone.path))


def question(*updates: RefUpdate, objects: str = "", alternates: str = "") -> bytes:
    """What pre-receive writes."""
    refs = (f"{update.old} {update.new} {update.ref}" for update in updates)
    return "".join(f"{line}\n" for line in (objects, alternates, *refs, "end")).encode(
        "utf-8", "surrogateescape"
    )


class Judged:
    """A judge who says the same of every push, and remembers what it was asked."""

    def __init__(self, *says: str) -> None:
        self.says = says
        self.updates: list[RefUpdate] = []
        self.repositories: list[Repository] = []

    def __call__(self, repository: Repository, updates: Sequence[RefUpdate]) -> list[str]:
        self.updates += updates
        self.repositories.append(repository)
        return list(self.says)


@contextmanager
def opened() -> Iterator[HookChannel]:
    """A channel whose hooks are this test."""
    channel = HookChannel()
    try:
        yield channel
    finally:
        channel.release()
        channel.close()


async def asked(channel: HookChannel, text: bytes) -> list[str]:
    """Write as a hook does, and read to the line that ends an answer."""
    ask, reply = channel.theirs
    os.write(ask, text)
    said = b""
    while said.rpartition(b"\n")[0].rpartition(b"\n")[2] not in (b"ok", b"no"):
        said += await asyncio.to_thread(os.read, reply, 1 << 16)
    return said.decode("utf-8", "surrogateescape").splitlines()


def answers(repository: Repository, judge: Judge, *questions: bytes) -> list[list[str]]:
    """What the hooks of one push read, one after the other."""

    async def story(channel: HookChannel) -> list[list[str]]:
        answering = asyncio.create_task(channel.answer(repository, judge))
        lines = [await asked(channel, text) for text in questions]
        await asyncio.wait_for(answering, 10)
        return lines

    with opened() as channel:
        return asyncio.run(story(channel))


def packet(text: str) -> str:
    return f"{len(os.fsencode(text)) + 5:04x}{text}"


def test_what_the_judge_takes_may_move(repository: Repository) -> None:
    judge = Judged()
    verdict, consent = answers(repository, judge, question(UPDATE), MOVE)
    assert verdict == ["ok"]
    assert judge.updates == [UPDATE]
    assert consent == [
        packet("version=1"),
        "0000" + packet("ok refs/heads/main"),
        packet("option fall-through"),
        "0000",
        "ok",
    ]


def test_what_the_judge_refuses_gets_no_consent(repository: Repository) -> None:
    judge = Judged("gitprompt: refused", "  and why")
    assert answers(repository, judge, question(UPDATE)) == [
        ["gitprompt: refused", "  and why", "no"]
    ]


def test_a_push_whose_pre_receive_did_not_run_is_refused(repository: Repository) -> None:
    judge = Judged()
    (verdict,) = answers(repository, judge, MOVE)
    assert (verdict[0], judge.repositories) == ("no", [])


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Conflict("the origin\x1b[2J moved"), r"gitprompt: the origin\x1b[2J moved"),
        (
            KeyError("a path of the server"),
            "gitprompt: the push could not be judged; see the server's log",
        ),
    ],
)
def test_a_judge_that_fails_refuses(repository: Repository, error: Exception, says: str) -> None:
    def judge(repository: Repository, updates: Sequence[RefUpdate]) -> list[str]:
        raise error

    assert answers(repository, judge, question(UPDATE)) == [[says, "no"]]


@pytest.mark.parametrize("text", [b"end\n", b"objects\nend\n", b"\n\nnonsense\nend\n"])
def test_a_question_that_makes_no_sense_is_refused(repository: Repository, text: bytes) -> None:
    judge = Judged()
    (verdict,) = answers(repository, judge, text)
    assert (verdict[-1], judge.repositories) == ("no", [])


def test_a_question_is_not_read_without_end(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_channel, "_MAX_QUESTION", 500)
    judge = Judged()
    (verdict,) = answers(repository, judge, question(*[UPDATE] * 10))
    assert verdict == ["gitprompt: too many refs in one push", "no"]
    assert judge.repositories == []


def test_the_judge_sees_what_is_in_quarantine_and_nobody_else_does(
    repository: Repository, clone: Clone, tmp_path: Path
) -> None:
    objects, own = tmp_path / "incoming", clone.path / ".git" / "objects"
    objects.mkdir()
    environment = {
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(own),
    }
    oid = clone.git("hash-object", "-w", "--stdin", stdin="new", env=environment)
    judge = Judged()
    answers(repository, judge, question(UPDATE, objects=str(objects), alternates=str(own)), MOVE)
    (quarantined,) = judge.repositories
    assert quarantined.git("cat-file", "-t", oid) == b"blob\n"
    assert repository.git("cat-file", "-e", oid, accept=(0, 1, 128)) == b""
    assert "GIT_OBJECT_DIRECTORY" not in repository.environment


def test_a_push_that_only_deletes_has_no_quarantine(repository: Repository) -> None:
    judge = Judged()
    answers(repository, judge, question(RefUpdate("refs/heads/old", NEW, ZERO)), MOVE)
    assert judge.repositories[0].environment == repository.environment


def test_a_ref_that_is_not_utf_8_is_named_as_it_is(repository: Repository) -> None:
    ref = os.fsdecode(b"refs/heads/\xff \xc3\xa9")
    judge = Judged()
    _, consent = answers(repository, judge, question(RefUpdate(ref, ZERO, NEW)), MOVE)
    assert judge.updates[0].ref == ref
    assert "0000" + packet(f"ok {ref}") in consent


@pytest.mark.parametrize(("number", "drains"), [(5, False), (400, True)])
def test_a_hook_empties_the_pipe_of_git_where_the_consent_is_long(
    repository: Repository, number: int, drains: bool
) -> None:
    updates = [RefUpdate(f"refs/labels/a@l{at}", ZERO, NEW) for at in range(number)]
    _, consent = answers(repository, Judged(), question(*updates), MOVE)
    assert (consent[0] == "drain") is drains
    assert sum("option fall-through" in line for line in consent) == number


def test_a_git_that_ends_without_a_question_is_no_push(repository: Repository) -> None:
    channel, judge = HookChannel(), Judged()
    channel.release()  # the hook's ends are closed, as when git is gone
    asyncio.run(asyncio.wait_for(channel.answer(repository, judge), 10))
    channel.close()
    assert judge.repositories == []


def test_a_hook_that_is_gone_before_its_answer_ends_the_push_quietly(
    repository: Repository,
) -> None:
    channel, judge = HookChannel(), Judged()
    ask, _ = channel.theirs
    os.write(ask, question(RefUpdate("refs/heads/a", ZERO, NEW)))
    channel.release()  # nobody reads the answer any more
    asyncio.run(asyncio.wait_for(channel.answer(repository, judge), 10))
    channel.close()
    assert len(judge.repositories) == 1


def descriptors(act: Callable[[], None]) -> int:
    """How many more descriptors are open after something than before."""
    before = len(os.listdir("/proc/self/fd"))
    act()
    return len(os.listdir("/proc/self/fd")) - before


def test_a_channel_leaves_no_descriptor_behind() -> None:
    def act() -> None:
        with opened() as channel:
            channel.close()  # once more at the end, as when a push is cut off
            assert {int(fd) for fd in channel.environment.values()} == set(channel.theirs)

    assert descriptors(act) == 0


def test_a_push_that_is_cut_off_lets_go_of_its_channel(repository: Repository) -> None:
    async def story(channel: HookChannel) -> None:
        answering = asyncio.create_task(channel.answer(repository, Judged()))
        await asyncio.sleep(0)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        assert not asyncio.get_running_loop().remove_reader(channel.ask)

    with opened() as channel:
        asyncio.run(story(channel))


@given(st.one_of(st.binary(max_size=200), st.lists(_LINES, max_size=6).map(b"\n".join)))
def test_whatever_a_hook_asks_is_answered_with_ok_or_no(asked: bytes) -> None:
    judge = Judged()
    repository = Repository("/nowhere", "/nowhere", None, {})
    answer = io.BytesIO()
    updates = hook_channel._verdict(
        io.BytesIO(asked + b"\nend\n"), answer, repository=repository, judge=judge
    )
    said = answer.getvalue().splitlines()
    assert said[-1] == (b"no" if updates is None else b"ok")
    assert (updates is None) or judge.updates == updates
