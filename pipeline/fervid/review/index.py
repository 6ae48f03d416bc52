"""The runs of a server, by their names in URLs; reloaded after changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from fervid.alerts.review.opinions import agreements
from fervid.alerts.review.reviews import Review
from fervid.base.printable import printable
from fervid.charts.palette import label_colours
from fervid.errors import InputError
from fervid.review.cards import Queue, failures_below, make_card, make_queue, make_strip, run_id
from fervid.review.moments import FaceScores, ScoreShelf, longest_stretch, peaks_of
from fervid.run.bad_values import BAD_VALUES, bad_values
from fervid.run.files import ALERTS_JSON, MANIFEST, REVIEWS_TABLE
from fervid.run.find import folders_below
from fervid.run.handle import Run, open_run
from fervid.run.moved import current_runs


class UnknownRun(KeyError):
    """No run has this name in URLs."""


# Decision REV-13.
class RunIndex:
    """Runs below folders. Looks for new ones whenever the list is asked for."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self._roots = roots
        self._folders: dict[str, Path] = {}
        self._cards: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
        self._strips: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
        self._queues: dict[str, tuple[tuple[int, ...], Queue]] = {}
        self._scores = ScoreShelf()
        self._one_listing = Lock()

    def listing(self) -> dict[str, Any]:
        """All runs and what the last batch could not analyse, ready for JSON. Whoever asks meanwhile waits for it."""
        with self._one_listing:
            return self._list()

    def _list(self) -> dict[str, Any]:
        self._look()
        current = self._current()
        cards, failures = [], [one for root in self._roots for one in failures_below(root)]
        for name, folder in self._folders.items():
            try:
                cards.append(self._card(name, folder) | {"is_left_out": name not in current})
            except (InputError, OSError, *BAD_VALUES) as problem:
                reason = str(problem) if isinstance(problem, InputError) else str(bad_values(folder, problem))
                failures.append({"name": printable(folder.name), "status": "unreadable", "reason": printable(reason)})
        labels = dict.fromkeys(label for card in cards for label in card["labels"])
        title = self._roots[0].resolve().name if len(self._roots) == 1 else f"{len(self._roots)} folders"
        colours = label_colours(list(labels))
        return {"title": title, "runs": cards, "failures": failures, "colours": colours}

    def alerts(self) -> dict[str, Any]:
        """The alerts of all runs with everybody's verdicts, and how far each two people agree, ready for JSON.

        Runs that cannot be read are left out, as the list names them, and runs whose videos were replaced.
        """
        self._look()
        rows: list[dict[str, Any]] = []
        shared: list[Review] = []
        for name, folder in self._current().items():
            try:
                queue = self._queue(name, folder)
            except (InputError, OSError, *BAD_VALUES):
                continue
            rows += queue.rows
            shared += queue.shared
        return {"alerts": rows, "agreement": [one.to_json() for one in agreements(shared)]}

    def find(self, label: str, at_least: float, seconds: float) -> dict[str, dict[str, Any]]:
        """By the name of each run in which one face shows a label `at_least` so much for so many seconds: where.

        With label "" all runs. `faces` are the most usable faces at any moment.
        """
        found = {}
        for name, scores in self._every_scores():
            longest, begin = longest_stretch(scores, label, at_least) if label else (0.0, 0.0)
            if not label or (longest >= seconds and longest > 0):
                found[name] = {"seconds": longest, "start_s": begin, "faces": scores.most_faces}
        return found

    def moments(self, label: str, most: int) -> list[dict[str, Any]]:
        """The strongest moments of a label over all runs, largest first."""
        found = [{"run": name} | peak for name, scores in self._every_scores() for peak in peaks_of(scores, label)]
        return sorted(found, key=lambda peak: -peak["value"])[:most]

    def _every_scores(self) -> Iterator[tuple[str, FaceScores]]:
        self._look()
        for name, folder in self._current().items():
            try:
                scores = self._scores.of(folder, _stamp(folder))
            except (InputError, OSError, *BAD_VALUES):
                continue
            yield name, scores

    def _current(self) -> dict[str, Path]:
        """The folders of runs whose videos were not replaced since, or that are served by themselves."""
        current, _ = current_runs(self._folders.values(), self._roots)
        known = set(current)
        return {name: folder for name, folder in self._folders.items() if folder in known}

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """By the name of each run when what is shown of it last changed."""
        self._look()
        return {name: _stamp(folder) for name, folder in self._folders.items()}

    def _look(self) -> None:
        folders = [folder for root in self._roots for folder in folders_below(root)]
        self._folders = {run_id(folder): folder for folder in folders}

    def strips(self, names: list[str]) -> dict[str, dict[str, Any]]:
        """The strips of some runs; unknown and damaged ones are skipped."""
        strips = {}
        for name in names:
            folder = self._folders.get(name)
            if folder is None:
                continue
            stamp = _stamp(folder)
            if self._strips.get(name, (None,))[0] != stamp:
                try:
                    self._strips[name] = stamp, _sendable(make_strip(folder))
                except (InputError, OSError, *BAD_VALUES):
                    continue
            strips[name] = self._strips[name][1]
        return strips

    def run(self, name: str) -> Run:
        """A run by its name in addresses: looked up, never made into a path. Raises UnknownRun or InputError."""
        return open_run(self.folder(name))

    def folder(self, name: str) -> Path:
        """The folder of a run by its name in addresses. Raises UnknownRun."""
        if name not in self._folders:
            self._look()
        if name not in self._folders:
            raise UnknownRun(name)
        return self._folders[name]

    def _queue(self, name: str, folder: Path) -> Queue:
        stamp = _stamp(folder)
        if self._queues.get(name, (None,))[0] != stamp:
            queue = make_queue(folder)
            _sendable({"alerts": queue.rows})
            self._queues[name] = stamp, queue
        return self._queues[name][1]

    def _card(self, name: str, folder: Path) -> dict[str, Any]:
        stamp = _stamp(folder)
        if self._cards.get(name, (None,))[0] != stamp:
            self._cards[name] = stamp, _sendable(make_card(folder))
        return self._cards[name][1]


def _sendable(content: dict[str, Any]) -> dict[str, Any]:
    """The content, if JSON has all of it. Raises ValueError, so that one run does not spoil the list of all."""
    json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    return content


def _stamp(folder: Path) -> tuple[int, ...]:
    """When the files that a card is made from were last changed."""
    times = []
    for name in (MANIFEST, ALERTS_JSON, REVIEWS_TABLE):
        try:
            times.append(os.stat(f"{folder}/{name}").st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)
