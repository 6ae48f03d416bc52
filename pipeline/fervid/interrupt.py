"""What is printed when a signal stops the program. Imports nothing, so that it is there before anything else is."""

from __future__ import annotations

_TEXTS = ["stopped; what is finished is kept, and the same command goes on from there"]


def stop_text() -> str:
    """The line to print; empty when the command prints its own."""
    return _TEXTS[-1]


def print_when_stopped(text: str) -> None:
    """Print `text` instead from now on; nothing for an empty one."""
    _TEXTS.append(text)
