# SPDX-License-Identifier: Apache-2.0
"""What is stored comes back as it was; what was cut or made up is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.drivers.ref_log.entry import Checkpoint, Entry, checkpoint_of, digest, entry_of
from gitprompt.errors import OriginUnreachable
from gitprompt.git.refs import RefUpdate

OIDS = st.text("0123456789abcdef", min_size=40, max_size=40)
DIGESTS = st.binary().map(digest)
# What git has in a name: text, and bytes that are none.
NAMES = st.text(
    st.one_of(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Cs"],
                            exclude_characters="~^:?*[\\"),
              st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])),
    min_size=1, max_size=12,
)  # fmt: skip


def is_name(name: str) -> bool:
    """As git has it. Surrogates that are UTF-8 together are another text there."""
    is_text = name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == name
    is_wrong = any(part in f"/{name}/" for part in ("..", "//", "@{", "/.", ".lock/", "./"))
    return is_text and not is_wrong


REFS = NAMES.filter(is_name).map(lambda name: f"refs/heads/{name}")
BRANCHES = st.just("refs/heads/main") | st.just("")
ENTRIES = st.builds(
    Entry, DIGESTS, DIGESTS, st.text(), st.text(), st.integers(), BRANCHES,
    st.lists(st.builds(RefUpdate, REFS, OIDS, OIDS), max_size=4), st.binary(),
    st.lists(DIGESTS, max_size=2),
)  # fmt: skip
CHECKPOINTS = st.builds(
    Checkpoint, DIGESTS, DIGESTS, st.integers(1, 10**12), BRANCHES,
    st.lists(st.lists(DIGESTS, max_size=2), max_size=2), st.dictionaries(REFS, OIDS, max_size=4),
)  # fmt: skip


@given(ENTRIES)
def test_an_entry_comes_back(entry: Entry) -> None:
    assert entry_of(entry.encoded(), "x") == entry._replace(pieces=list(entry.pieces))


@given(CHECKPOINTS)
def test_a_checkpoint_comes_back(checkpoint: Checkpoint) -> None:
    data = checkpoint.encoded()
    assert checkpoint_of(data, "x") == checkpoint
    assert Checkpoint(**checkpoint._asdict()).encoded() == data, "whoever writes it writes the same"


@given(ENTRIES, CHECKPOINTS, st.data())
def test_what_is_cut_is_refused(entry: Entry, checkpoint: Checkpoint, data: st.DataObject) -> None:
    for whole, read in ((entry.encoded(), entry_of), (checkpoint.encoded(), checkpoint_of)):
        at = data.draw(st.integers(0, len(whole) - 1))
        with pytest.raises(OriginUnreachable, match=r"^here is no "):
            read(whole[:at], "here")


@given(st.binary())
def test_what_anybody_wrote_is_refused(data: bytes) -> None:
    for read in (entry_of, checkpoint_of):
        with pytest.raises(OriginUnreachable):
            read(data, "here")


@pytest.mark.parametrize("ref", ["HEAD", "refs/heads/a b", "refs/heads/a\nb", "refs/gitprompt/x"])
def test_a_checkpoint_names_refs_alone(ref: str) -> None:
    made = Checkpoint("r", "d", 1, "", [], {ref: "1" * 40})
    with pytest.raises(OriginUnreachable, match="names what is no ref"):
        checkpoint_of(made.encoded(), "here")


def test_a_checkpoint_that_is_damaged_inside_is_refused() -> None:
    data = bytearray(Checkpoint("r", "d", 1, "", [], {"refs/heads/x": "1" * 40}).encoded())
    data[data.index(b"\n") + 11] ^= 0xFF  # after gzip's own header
    with pytest.raises(OriginUnreachable, match="here is no checkpoint of a log"):
        checkpoint_of(bytes(data), "here")


def test_pieces_are_named_by_digests() -> None:
    entry = Entry("r", "", "t", "n", 1, "", [], b"", ["../x"])
    with pytest.raises(OriginUnreachable, match="no piece"):
        entry_of(entry.encoded(), "here")
    made = Checkpoint("r", "d", 1, "", [["../x"]], {})
    with pytest.raises(OriginUnreachable, match="no piece"):
        checkpoint_of(made.encoded(), "here")
