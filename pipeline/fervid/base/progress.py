"""Progress on stderr: a bar on a terminal, a line every half minute in a log. Knows nothing of the work."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from tqdm import tqdm

LINE_SECONDS = 30.0
"""Where stderr is a file or a pipe, a line is written this often: a bar that is redrawn would fill a log."""

SECONDS_OF_VIDEO = "{n:.0f}/{total:.0f} s of video [{elapsed}<{remaining}{postfix}]"


def make_bar(total: float, *, description: str = "", counts: str | None = None, is_shown: bool, **options: Any) -> Any:
    """A tqdm bar over `total`, removed when it is closed; `counts` is the text after the bar in tqdm's format.

    Without a terminal on stderr it is a line every LINE_SECONDS. With `is_shown` false nothing is written.
    """
    if counts is None:
        counts = "{n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
    if sys.stderr.isatty():
        form, pace = "{desc}: {percentage:3.0f}%|{bar}| " + counts, {}
    else:
        form = "{desc}: {percentage:3.0f}% " + counts
        pace = {"file": _Lines(sys.stderr), "mininterval": LINE_SECONDS, "delay": LINE_SECONDS}
    return tqdm(total=total, desc=description, disable=not is_shown, leave=False, bar_format=form, **(options | pace))


CURSOR_UP = "\x1b[A"


class _Lines:
    """Takes what tqdm writes to redraw a bar, and writes it as lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if line := text.replace("\r", "").replace(CURSOR_UP, "").strip():
            self._stream.write(line + "\n")

    def flush(self) -> None:
        self._stream.flush()
