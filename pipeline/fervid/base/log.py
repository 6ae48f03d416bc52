"""What people read on a terminal: log lines, and names and reasons of which each stays one line. Knows no command.

A file's name may hold line breaks, which would forge lines, and sequences that move a terminal's cursor or turn the
direction of writing.
"""

from __future__ import annotations

import logging
import sys

from fervid.run.manifest import printable


def one_line(text: object) -> str:
    """The text of a path, an error or a message on one line: whatever is not printable becomes an escape."""
    return "".join(char if char.isprintable() else _escaped(char) for char in printable(str(text)))


def start_logging(level: int) -> None:
    """Log to stderr from this process, one line a message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(levelname)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return one_line(super().formatMessage(record))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
