"""What is printed when a signal stops the program. Imports next to nothing, to be there before all else."""

from __future__ import annotations

import sys
import time

STARTED = time.perf_counter()
"""Start of the program; the user's waiting time counts from here, including imports."""

RESUMES = "stopped; finished work is kept. Run the same command again to continue"
CHANGED_NOTHING = "stopped; nothing was changed"
STARTS_OVER = "stopped; the same command starts over"
TEXTS = {
    "analyze": RESUMES,
    "train": RESUMES,
    "tune": RESUMES,
    "bench": CHANGED_NOTHING,
    "config": CHANGED_NOTHING,
    "data": CHANGED_NOTHING,
    "evidence": CHANGED_NOTHING,
    "query": CHANGED_NOTHING,
    "purge": "stopped; purge.jsonl lists what was removed, and the same command removes the rest",
    "help": "stopped",
    "": "stopped",
}
"""The message by command, valid whenever it is stopped. All others start over."""

_own_texts: list[str] = []


def command_of(arguments: list[str]) -> str:
    """The command among the words of a command line; empty where there is none."""
    return next((word for word in arguments if not word.startswith("-")), "")


def stop_text() -> str:
    """The line to print; empty when the command prints its own."""
    return _own_texts[-1] if _own_texts else TEXTS.get(command_of(sys.argv[1:]), STARTS_OVER)


def print_when_stopped(text: str) -> None:
    """Print `text` instead from now on; nothing for an empty one."""
    _own_texts.append(text)
