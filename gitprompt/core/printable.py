# SPDX-License-Identifier: Apache-2.0
"""Makes text from elsewhere fit to be printed.

Names, reasons, prompts, file names and a server's answers are strangers' text. On a terminal an
escape sequence moves the cursor or sets the title, a bidirectional control shows another order than
is there, and a line end forges a row. Such characters are shown as escapes; everything else stays.
"""

from __future__ import annotations

# Control, format, surrogate, line separator, paragraph separator.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_JOINERS = "\u200c\u200d"  # scripts and emoji need them, and they move nothing


def printable(text: str) -> str:
    """`text` on one line: whatever steers a terminal or ends a line is written as an escape.

    >>> printable("why\\x1b[2J\\nforged")
    'why\\\\x1b[2J\\\\nforged'
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    """Like `printable`, for text that may have several lines and tabs of its own."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def printable_json(text: str) -> str:
    """JSON whose strings have escapes for the same characters, so that it still says the same."""
    if text.isascii() and "\x7f" not in text:
        return text  # the encoder has escaped the rest
    return "".join(char if char == "\n" or is_safe(char) else _json_escape(char) for char in text)


def is_safe(char: str) -> bool:
    import unicodedata  # only for what is unusual: a hook pays for every import

    return unicodedata.category(char) not in _UNSAFE or char in _JOINERS


def _shown(char: str) -> str:
    return char if is_safe(char) else char.encode("unicode_escape").decode("ascii")


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def readable(data: bytes | str) -> str:
    """Text of a person whose system may not be in UTF-8: UTF-8 if it is that, else Latin-1, which any
    bytes are. A `str` is what Python has made of an argument, whatever it took the encoding for."""
    if isinstance(data, str):
        if not any("\udc80" <= char <= "\udcff" for char in data):
            return data
        data = data.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
