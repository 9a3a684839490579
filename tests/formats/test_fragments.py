# SPDX-License-Identifier: Apache-2.0
"""Text that prompts share, put in the place of its tag."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.template import compile_template
from gitprompt.formats import FormatError, fragments


def prompt(*contents: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content} for content in contents]}


def included(text: str, **files: str) -> str:
    inclusion = fragments.include(prompt(text), lambda name: files[name].encode())
    assert inclusion.troubles == ()
    result: str = inclusion.document["messages"][0]["content"]
    return result


def trouble(text: str, files: dict[str, str] | None = None) -> str:
    """What is wrong with the first tag of a text, and that nothing was included."""
    available = files or {}

    def source(name: str) -> bytes | None:
        return available[name].encode() if name in available else None

    document = prompt(text)
    inclusion = fragments.include(document, source)
    assert inclusion.document is document
    return inclusion.troubles[0].message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi. {{> tone}}", "Hi. Be kind."),
        ("{{>tone}}\nGo.", "Be kind.\nGo."),
        ("{{> tone }}  \nGo.", "Be kind.\nGo."),
        ("a\r\n  {{> two}}\r\nb", "a\r\n  one\n  two\r\nb"),
        ("\t{{> two}}", "\tone\n\ttwo"),
        ("- {{> two}}", "- one\ntwo"),
        ("a\n{{> nothing}}\nb", "a\nb"),
        ("a {{> nothing}}\nb", "a \nb"),
        ("{{#on}}{{> tone}}{{/on}}", "{{#on}}Be kind.{{/on}}"),
        ("{{> outer}}", "[Be kind.]"),
        ("{{> legal/eu}}", "Law: {{country}}"),
        ("{{> tone}}{{> tone}}", "Be kind.Be kind."),
        ("no tag", "no tag"),
    ],
)
def test_the_text_takes_the_place_of_the_tag(text: str, expected: str) -> None:
    files = {"tone": "Be kind.\n", "two": "one\r\ntwo\r\n", "nothing": "\n", "outer": "[{{> tone}}]\n",
             "legal/eu": "Law: {{country}}"}  # fmt: skip
    assert included(text, **files) == expected


_PLAIN = st.text(st.sampled_from("ab\n "), max_size=12)


@given(_PLAIN, _PLAIN, st.lists(_PLAIN, min_size=1, max_size=3))
def test_an_included_text_renders_as_the_partial_does(
    before: str, after: str, lines: list[str]
) -> None:
    """Where a tag is not alone on its line, Mustache's partial and our inclusion are the same."""
    fragment = "{{x}}".join(lines) + "{{x}}"
    text = f"{before}.{{{{> f}}}}.{after}"
    partial = compile_template(text).render({"x": "X"}, partials={"f": fragment})
    assert compile_template(included(text, f=fragment)).render({"x": "X"}) == partial


@given(st.text(st.sampled_from("ab \n"), min_size=1, max_size=20).filter(lambda t: t.strip(" ")))
def test_a_tag_alone_on_its_line_indents_as_the_partial_does(body: str) -> None:
    text = "begin\n  {{> f}}\nend"
    file = body.removesuffix("\n") + "\n"
    partial = compile_template(text).render({}, partials={"f": file})
    if body.removesuffix("\n"):
        # Mustache indents the empty rest after a final line end not at all, and nor do we.
        assert included(text, f=file) == partial


def test_parts_and_roles_that_are_no_templates() -> None:
    document = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "{{> f}}"},
                                         {"type": "image_url", "image_url": {"url": "{{> f}}"}}]},
            {"role": "assistant", "content": "{{> f}}"},
        ]
    }  # fmt: skip
    inclusion = fragments.include(document, lambda _name: b"text")
    user, assistant = inclusion.document["messages"]
    assert user["content"][0]["text"] == "text"
    assert user["content"][1]["image_url"]["url"] == "text"
    assert assistant["content"] == "{{> f}}"
    assert document["messages"][0]["content"][0]["text"] == "{{> f}}", "what was given is unchanged"  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "files", "message"),
    [
        ("{{> absent}}", {}, "there is no fragment prompts/_fragments/absent.md"),
        ("{{> ../secret}}", {}, "fragment name '../secret': the segment '..' is not of the form"),
        ("{{> a}}", {"a": "{{> a}}"}, "a fragment includes itself: a → a"),
        ("{{> a}}", {"a": "{{> b}}", "b": "{{> a}}"}, "a fragment includes itself: a → b → a"),
        ("{{> a}}", {"a": "{{#x}}"}, "the fragment a: section 'x' is never closed"),
        ("{{=<% %>=}}<%> a%>", {"a": "x"}, "a text that changes the delimiters cannot include"),
        ("{{> a}}", {"a": "{{=<% %>=}}"}, "a text that changes the delimiters cannot include"),
        ("{{> a}}", {"a": "a\0b"}, "prompts/_fragments/a.md: the file contains a NUL character"),
    ],
)
def test_what_cannot_be_included_is_told(text: str, files: dict[str, str], message: str) -> None:
    assert message in trouble(text, files)


def chain(length: int) -> dict[str, str]:
    return {f"f{n}": f"{{{{> f{n + 1}}}}}" for n in range(1, length)} | {f"f{length}": "end"}


def test_fragments_nest_eight_deep_and_no_deeper() -> None:
    assert included("{{> f1}}", **chain(8)) == "end"
    assert "deeper than 8: f1 → f2" in trouble("{{> f1}}", chain(9))
    # Also if the deep end is known from an earlier tag.
    assert "deeper than 8" in trouble("{{> f2}}{{> f1}}", chain(9))


def test_a_text_that_doubles_itself_is_stopped_before_it_is_built() -> None:
    files = {f"f{n}": f"{{{{> f{n + 1}}}}}" * 50 for n in range(1, 8)} | {"f8": "x" * 1000}
    assert "more than" in trouble("{{> f1}}", files)
    assert "with its fragments" in trouble("{{> f}}" * 900, {"f": "x" * 2000})
    assert "includes more than 1000" in trouble("{{> f}}" * 1_001, {"f": "x"})
    assert "includes more than 1000" in trouble("{{> g}}", {"f": "x", "g": "{{> f}}" * 1_001})


@pytest.mark.timeout(20)
def test_no_text_grows_beyond_bounds_on_the_way() -> None:
    wide = " " * 400_000 + "{{> lines}}"
    assert "with its fragments" in trouble(wide, {"lines": "\n" * 400_000})
    assert "with its fragments" in trouble("{{> wide}}", {"lines": "\n" * 400_000, "wide": wide})
    copies = {f"c{n}": "{{> big}}" for n in range(900)} | {"big": "x" * 1_000_000}
    tracemalloc.start()
    try:
        assert "with its fragments" in trouble(
            "".join(f"{{{{> c{n}}}}}" for n in range(900)), copies
        )
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_each_tag_that_fails_is_told_with_its_place() -> None:
    inclusion = fragments.include(prompt("fine", "a {{> b}} {{> c}}"), lambda _name: None)
    assert [(t.where, t.offset) for t in inclusion.troubles] == [
        (("messages", 1, "content"), 2),
        (("messages", 1, "content"), 10),
    ]


def test_a_character_is_traced_to_the_text_that_has_it() -> None:
    inclusion = fragments.include(prompt("abc {{> f}} xyz"), lambda _name: b"12345")
    where = ("messages", 0, "content")
    result = inclusion.document["messages"][0]["content"]
    assert result == "abc 12345 xyz"
    assert inclusion.origin(where, 1) == (1, "")
    assert inclusion.origin(where, result.index("3")) == (4, "f")
    assert inclusion.origin(where, result.index("y")) == ("abc {{> f}} xyz".index("y"), "")
    assert inclusion.origin(("messages", 7, "content"), 3) == (3, "")


@pytest.mark.parametrize(
    "document",
    [None, [], "{{> f}}", {"messages": "{{> f}}"}, {"messages": [1]}, {"messages": [{"role": []}]},
     {"messages": [{"role": "user", "content": "{{> f"}]}],
)  # fmt: skip
def test_what_has_no_shape_includes_nothing(document: Any) -> None:
    assert not fragments.are_in(document)
    assert fragments.include(document, None).document is document


def test_a_document_by_itself_must_be_complete() -> None:
    inclusion = fragments.include(prompt("{{> f}}"), None)
    assert "tagged by itself" in inclusion.troubles[0].message


def test_a_fragment_is_included_into_a_fragment_file_like_into_a_document() -> None:
    files = chain(8)
    inclusion = fragments.include_in_fragment("own", "{{> f2}}", lambda name: files[name].encode())
    assert inclusion.document == "end"
    inclusion = fragments.include_in_fragment("own", "{{> f1}}", lambda name: files[name].encode())
    assert "deeper than 8" in inclusion.troubles[0].message
    inclusion = fragments.include_in_fragment("own", "{{> own}}", lambda _name: b"")
    assert "own → own" in inclusion.troubles[0].message


def test_a_file_ends_without_its_last_line_end() -> None:
    assert fragments.text_of(b"\xef\xbb\xbfa\r\nb\n\n") == "a\nb\n"
    with pytest.raises(FormatError, match="not valid UTF-8"):
        fragments.text_of(b"\xff")


def test_files_of_a_folder_are_read_and_links_are_not(tmp_path: Path) -> None:
    (tmp_path / "legal").mkdir()
    (tmp_path / "legal/eu.md").write_text("law")
    (tmp_path / "secret.md").symlink_to("/etc/hostname")
    (tmp_path / "linked").symlink_to(tmp_path / "legal")
    source = fragments.Files(str(tmp_path))
    assert source("legal/eu") == b"law"
    assert source("secret") is None
    assert source("linked/eu") is None
    assert source("absent") is None
    assert source.names == {"legal/eu", "secret", "linked/eu", "absent"}


def test_a_fragment_with_the_markers_of_a_merge_is_refused() -> None:
    with pytest.raises(FormatError, match="conflict markers"):
        fragments.text_of(b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n")
