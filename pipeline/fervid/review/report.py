"""`report.html`: one file that shows a run, or all runs of a folder, in any browser, without a server and offline.

It links to the original videos and contains no face images. A folder too large for one file gets a page per run, and
a page that lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fervid.alerts.language.rules import load_rules
from fervid.base.printable import printable
from fervid.charts.palette import label_colours
from fervid.errors import InputError, OutputError
from fervid.review.cards import failures_below, make_card, make_strip
from fervid.review.content import run_content
from fervid.review.media import browser_plays, relative_address
from fervid.review.page import single_file
from fervid.review.report_clips import Clip, ClipFolder
from fervid.review.run_rules import RuleDesk
from fervid.run.derived import publish_derived
from fervid.run.files import REPORT
from fervid.run.find import Guard, find_run_folders, shared_folder, unguarded
from fervid.run.handle import Run, open_run
from fervid.run.writing import writing

LARGEST_FILE_BYTES = 16_000_000
"""Of the contents of runs in one page: a browser opens it within a second."""


Cutting = Callable[[Sequence[Run]], dict[Path, list[Clip]]]
"""Cuts clips out of the videos of runs, by the folders of the runs."""


def write_reports(
    named: Sequence[str | Path],
    *,
    out: Path | None = None,
    guarded: Guard = unguarded,
    cutting: Cutting | None = None,
    rules: str | None = None,
) -> list[Path]:
    """Write `report.html` for runs: into the run folder, or into the folder that several runs share (or `out`).

    With `cutting` it plays clips of the alerts wherever it is opened. `rules` are those whose thresholds can be tried,
    by default those that `fervid alerts` takes. Returns the pages, the one to open first.
    Raises InputError for a folder without runs, OutputError for one that cannot be written.
    """
    folders = find_run_folders(named)
    runs: list[Run] = []
    contents: dict[Path, dict[str, Any]] = {}
    cards: dict[Path, dict[str, Any]] = {}
    desk = RuleDesk(None if rules is None else load_rules(rules))
    for place in folders:
        with guarded(place):
            run = open_run(place)
            content, card = run_content(run) | {"rules": desk.for_disk(run)}, _card(run)
            runs.append(run)
            contents[run.folder], cards[run.folder] = content, card
    if not runs:
        raise InputError(f"none of {len(folders)} runs can be shown. Run `fervid verify` on them.")
    source = shared_folder([run.folder for run in runs])
    folder = out or source
    failures = failures_below(source) if len(runs) > 1 else []
    title = printable(source.resolve().name or "runs") if len(runs) > 1 else _name(runs[0])
    clips = ClipFolder(folder, {} if cutting is None else cutting(runs))
    is_one_file = sum(len(json.dumps(content)) for content in contents.values()) <= LARGEST_FILE_BYTES
    pages = []
    if not is_one_file and len(runs) > 1:
        for run in runs:
            own = ClipFolder(run.folder, clips.of(run))
            page = make_page([run], {run.folder: contents[run.folder]}, cards, run.folder, _name(run), [], own)
            own.write()
            pages.append(_write(run.folder / REPORT, page, run))
    shown = contents if is_one_file or len(runs) == 1 else {}
    if shown:
        clips.write()
    holder = next((run for run in runs if run.folder == folder), None)
    page = make_page(runs, shown, cards, folder, title, failures, clips)
    return [_write(folder / REPORT, page, holder), *pages]


def make_page(
    runs: Sequence[Run],
    contents: dict[Path, dict[str, Any]],
    known: dict[Path, dict[str, Any]],
    folder: Path,
    title: str,
    failures: list[dict[str, str]],
    clips: ClipFolder,
) -> str:
    """The page of runs, for a file in `folder`. Runs without content are linked to as pages of their own."""
    cards, embedded = [], []
    labels: dict[str, None] = {}
    for run in runs:
        card = dict(known[run.folder])
        labels.update(dict.fromkeys(card["labels"]))
        if run.folder in contents:
            embedded.append((card["id"], contents[run.folder] | {"media": _media(run, folder, clips)}))
        else:
            card["href"] = relative_address(run.folder / REPORT, folder)
        cards.append(card)
    data = {
        "title": title,
        "report_id": hashlib.blake2b("".join(card["id"] for card in cards).encode(), digest_size=8).hexdigest(),
        "runs": cards,
        "failures": failures,
        "colours": label_colours(list(labels)),
    }
    return single_file(f"{title} - fervid", data, embedded, clips.elements() if embedded else {})


def _card(run: Run) -> dict[str, Any]:
    """What the list shows of a run, with its strip."""
    strip, card = make_strip(run.folder), make_card(run.folder)
    return card | {"strip": strip, "fitness": card["fitness"] or strip.get("fitness")}


def _media(run: Run, folder: Path, clips: ClipFolder) -> dict[str, Any]:
    is_live = run.manifest.video.get("is_live", False)
    address = None if is_live else relative_address(Path(run.manifest.video_path), folder)
    plays = browser_plays(run.manifest.video)
    return {"file": address, "plays": plays, "clips": None, "stretches": clips.media(run)}


def _name(run: Run) -> str:
    return printable(Path(run.manifest.video_path).name)


def _write(path: Path, text: str, run: Run | None) -> Path:
    """Write a page; `run` is the one whose folder it goes into. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with nullcontext() if run is None else writing(run.folder, run.manifest.settings_hash):
            publish_derived(path.parent, {path.name: text.encode()})
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    return path
