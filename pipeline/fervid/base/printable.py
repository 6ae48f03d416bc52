"""Names, counts and reasons as text that every encoder takes and that stays one line. Knows no file and no terminal.

A file's name may hold line breaks, which would forge lines, and sequences that move a terminal's cursor or turn the
direction of writing.
"""

from __future__ import annotations

import os

from fervid.storage.place import Place


def printable(path: Place | str) -> str:
    """A path, or a text with paths in it, as text that every encoder takes: bytes that are not UTF-8 become escapes."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


# Decision STO-7.
def one_line(text: object) -> str:
    """The text of a path, an error or a message on one line: whatever is not printable becomes an escape."""
    return "".join(char if char.isprintable() else _escaped(char) for char in printable(str(text)))


def counted(n: int, noun: str) -> str:
    """A number with its noun, as in "1 alert" and "1,200 alerts"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
