"""`report.html`: one file that shows a run, or all runs of a folder, in any browser, without a server and offline.

It links to videos where they lie and holds no picture of a face. A folder too large for one file gets a page a run, and
a page that lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fervid.alerts.find.scan import find_runs
from fervid.base.printable import printable
from fervid.charts.palette import label_colours
from fervid.errors import OutputError
from fervid.review.cards import failures_below, make_card, make_strip
from fervid.review.content import run_content
from fervid.review.media import browser_plays, relative_address
from fervid.review.page import single_file
from fervid.run.derived import publish_derived
from fervid.run.handle import Run

REPORT = "report.html"
LARGEST_FILE_BYTES = 16_000_000
"""Of the contents of runs in one page: a browser opens it within a second."""


def write_reports(named: Sequence[str | Path], *, out: Path | None = None) -> list[Path]:
    """Write `report.html` for runs: into the run folder, or into the folder that several runs share (or `out`).

    Returns the pages, the one to open first. Raises InputError for a folder without runs, OutputError for one that
    cannot be written.
    """
    runs = find_runs(named)
    folder = out or report_folder([run.folder for run in runs])
    failures = failures_below(folder) if len(runs) > 1 else []
    title = printable(folder.resolve().name or "runs") if len(runs) > 1 else _name(runs[0])
    contents = {run.folder: run_content(run) for run in runs}
    is_one_file = sum(len(json.dumps(content)) for content in contents.values()) <= LARGEST_FILE_BYTES
    pages = []
    if not is_one_file and len(runs) > 1:
        for run in runs:
            page = make_page([run], {run.folder: contents[run.folder]}, run.folder, _name(run), [])
            pages.append(_write(run.folder / REPORT, page))
    shown = contents if is_one_file or len(runs) == 1 else {}
    return [_write(folder / REPORT, make_page(runs, shown, folder, title, failures)), *pages]


def make_page(
    runs: Sequence[Run],
    contents: dict[Path, dict[str, Any]],
    folder: Path,
    title: str,
    failures: list[dict[str, str]],
) -> str:
    """The page of runs, for a file in `folder`. Runs without content are linked to as pages of their own."""
    cards, embedded = [], []
    labels: dict[str, None] = {}
    for run in runs:
        strip = make_strip(run.folder)
        card = make_card(run.folder)
        card |= {"strip": strip, "fitness": card["fitness"] or strip.get("fitness")}
        labels.update(dict.fromkeys(card["labels"]))
        if run.folder in contents:
            embedded.append((card["id"], contents[run.folder] | {"media": _media(run, folder)}))
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
    return single_file(f"{title} - fervid", data, embedded)


def _media(run: Run, folder: Path) -> dict[str, Any]:
    is_live = run.manifest.video.get("is_live", False)
    address = None if is_live else relative_address(Path(run.manifest.video_path), folder)
    return {"file": address, "plays": browser_plays(run.manifest.video), "clips": None}


def report_folder(folders: Sequence[Path]) -> Path:
    """Where a report about runs belongs: in the run, or in the folder that several share.

    Runs that share no more than the root of the file system are reported on in the current folder.
    """
    if len(folders) == 1:
        return folders[0]
    shared = folders[0].resolve().parent
    while not all(folder.resolve().is_relative_to(shared) for folder in folders):
        shared = shared.parent
    return shared if shared != shared.parent else Path.cwd()


def _name(run: Run) -> str:
    return printable(Path(run.manifest.video_path).name)


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        publish_derived(path.parent, {path.name: text.encode()})
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    return path
