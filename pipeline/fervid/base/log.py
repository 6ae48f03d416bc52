"""Log lines on stderr, of which each stays one line. Knows no command."""

from __future__ import annotations

import logging
import sys

from fervid.base.printable import one_line


def start_logging(level: int) -> None:
    """Log to stderr from this process, one line per message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(levelname)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return one_line(super().formatMessage(record))
