"""The commands, a line each. The module of a command is imported when it is asked for, not to print the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "analyze": ("analyze:analyze", "Analyse videos: find faces, score seven emotions, write timelines."),
    "profile": ("profile:profile", "Profile runs: emotions over a video, similar videos, genre tags."),
    "report": ("report:report", "Write report.html: one file to review runs offline in any browser."),
    "serve": ("serve:serve", "Serve the review page on this machine."),
    "annotate": ("annotate:annotate", "Draw boxes, labels and the timeline of runs into their videos."),
    "explain": ("explain:explain", "Show which part of a face determined the score of its label."),
    "live": ("live:live", "Watch a webcam, a stream or a file in real time."),
    "demo": ("demo:demo", "Make a short clip, analyse it, find its alert, show the results."),
    "data": ("data:data", "Describe a data set: faces per split and label, copies, FER+."),
    "train": ("train:train", "Train a classifier on FER-2013 and write a model folder."),
    "train-finder": ("train_finder:train_finder", "Train a face finder on your images and videos."),
    "targets": ("targets:targets", "Store teachers' logits, for `fervid train --targets`."),
    "tune": ("tune:tune", "Search training recipes by k-fold cross-validation."),
    "evaluate": ("evaluate:evaluate", "Measure models on FER-2013, and compare them."),
    "query": ("query:query", "Query the tables of finished runs with SQL."),
    "compact": ("query:compact", "Copy the tables of many runs into one file per table."),
    "export": ("export:export", "Write finished runs for other programs."),
    "config": ("config:config", "Print every setting with its value, meaning and source."),
    "bench": ("bench:bench", "Measure the speed of this machine, in about a minute."),
    "doctor": ("doctor:doctor", "Check versions, codecs, models, memory, disk, devices and speed."),
    "verify": ("verify:verify", "Compare every file of finished runs with its recorded hash."),
    "purge": ("purge:purge", "Remove old results, except runs on hold."),
    "alerts": ("alerts:app", "Find events for review; review them; evaluate and tune rules."),
    "genres": ("genres:app", "Learn genre tags from your own labelled videos; measure them."),
    "motion": ("motion:app", "Fit a model of agitated motion to your own labels or verdicts."),
    "models": ("models:app", "List models; check, describe or combine them."),
    "evidence": ("evidence:app", "Verify evidence bundles."),
}
"""Name: `module:object` within this package, and the line of `fervid --help`. The object is a function or a Typer."""


def load_command(name: str) -> Any:
    """The command of that name, as a command or group of Typer. Raises KeyError for an unknown one."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"fervid.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(found)
    return typer.main.get_command(alone)


class _Commands(Mapping[str, Any]):
    """The commands by name, each loaded when it is first read."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = load_command(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class LazyGroup(TyperGroup):
    """The group of all commands; its help is printed from the table alone."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # only read

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The names in the order of the table."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Print the names with their lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
