"""What `interruptions.py` interrupts: every command that writes, and the folder that each begins with."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import typer.main

from fervid.cli import app
from fervid.demo.scenes import FRAME_RATE, SHOTS, draw_frame
from fervid.run.files import MANIFEST
from warm import run

AGAIN = "alerts review again"
"""Another verdict beside the first one: only in pairs."""
NOTIFY, TRUTH = "notify.toml", "truth.csv"
CLIP_SHOTS = slice(1, 3)
CLIP_PX = 320, 180
ANALYZE = ("analyze", "-q", "--workers", "2", "--set", "video.segment_seconds=3")
PAIRS = (
    ("analyze", "analyze --alerts"),
    ("analyze", "alerts"),
    ("analyze", "alerts --evidence"),
    ("analyze", "alerts review"),
    ("analyze", "annotate"),
    ("analyze", "profile RUN"),
    ("analyze", "export"),
    ("analyze", "report"),
    ("analyze", "compact"),
    ("analyze", "purge"),
    ("analyze --alerts", "analyze --alerts"),
    ("alerts --evidence", "alerts --evidence"),
    ("alerts --evidence", "alerts"),
    ("alerts --evidence", "purge"),
    ("alerts review", "alerts review again"),
    ("alerts review", "purge"),
    ("compact", "compact"),
    ("profile RUN", "alerts review"),
    ("annotate", "purge"),
    ("alerts", "alerts review"),
)
"""Commands that meet. Those that read all runs meet those that write one: else they may see some before, some after."""


@dataclass(frozen=True)
class Folder:
    """Where the commands work: the clip, the results, and one of the runs."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def clip(self) -> Path:
        return self.root / "demo.mp4"

    @property
    def runs(self) -> list[Path]:
        return sorted(path.parent for path in self.out.glob(f"*/{MANIFEST}"))

    @property
    def run(self) -> Path:
        return next(path for path in sorted(self.out.glob("demo-*")))


def commands(folder: Folder) -> dict[str, tuple[str, ...]]:
    """The arguments of each command that writes, by its name here."""
    out, one, alert = str(folder.out), str(folder.run), (folder.root / "alert").read_text()
    anew = (*ANALYZE, str(folder.clip), "-o", out)
    rows = str(folder.out / "rows.csv")
    notified, truth = (str(folder.root / name) for name in (NOTIFY, TRUTH))
    formats = ("csv", "vtt", "eaf", "otio")
    return {
        "analyze": (*anew, "--fps", "3"),
        "analyze --alerts": (*anew, "--set", "timeline.bin_seconds=2", "--alerts"),
        "alerts": ("alerts", out, "--rules", "distress"),
        "alerts --evidence": ("alerts", one, "--evidence"),
        "alerts --notify": ("alerts", out, "--notify", notified),
        "alerts review": ("alerts", "review", one, "--alert", alert, "--verdict", "false", "--reason", "second"),
        AGAIN: ("alerts", "review", one, "--alert", alert, "--verdict", "unsure", "--reason", "third"),
        "alerts evaluate": ("alerts", "evaluate", out, "--truth", truth, "-o", str(folder.out / "evaluated")),
        "alerts tune": ("alerts", "tune", out, "--truth", truth, "-o", str(folder.out / "tuned")),
        "report": ("report", out),
        "annotate": ("annotate", one, "--start", "1", "--end", "2", "-q"),
        "explain": ("explain", one, "--at", "2"),
        "profile RUN": ("profile", one),
        "profile FOLDER": ("profile", out),
        "export": ("export", one, *itertools.chain(*(("--format", name) for name in formats))),
        "query --out": ("query", "SELECT * FROM faces ORDER BY ALL", out, "--format", "csv", "-o", rows),
        "compact": ("compact", out),
        "live --record": ("live", str(folder.clip), "--record", out, "--pace", "unpaced", "--view", "none", "-q"),
        "purge": ("purge", out, "--older-than", "0d"),
        "purge --hold": ("purge", out, "--hold", one, "--reason", "case 7"),
        "verify --repair": ("verify", out, "--repair"),
    }


NOT_TRIED = {
    "demo": "draws a clip, then does what analyze, alerts and report do",
    "serve": "runs until it is stopped; verdicts given there are written as by alerts review",
    "alerts notify": "sends what waits, as alerts --notify does",
    "genres fit": "needs 30 labelled videos of a tag",
    "motion fit": "needs labelled recordings of agitated people",
    "models readout": "needs labelled recordings",
    "train": "needs FER-2013",
    "train-finder": "needs footage, and takes hours",
    "targets": "needs FER-2013",
    "tune": "needs FER-2013",
    "evaluate": "needs FER-2013",
    "models combine": "needs FER-2013",
    "data": "prints",
    "config": "prints",
    "bench": "prints",
    "doctor": "prints; --clean is for object storage",
    "models": "prints",
    "models verify": "prints",
    "models card": "prints",
    "models networks": "prints",
    "evidence verify": "prints",
    "genres evaluate": "prints",
}
"""Why the other commands are not interrupted here."""


def check_all_are_named(tried: Iterable[str]) -> None:
    """Every command of the table is tried, or has a reason why not."""

    def leaves(command: Any, name: str) -> Iterator[str]:
        for below, one in getattr(command, "commands", {}).items():
            yield from leaves(one, f"{name} {below}".strip())
        if not getattr(command, "commands", {}) or command.invoke_without_command:
            yield name

    table = set(leaves(typer.main.get_command(app), "")) - {""}
    names = {name.split(" --")[0].split(" RUN")[0].split(" FOLDER")[0] for name in tried if name != AGAIN}
    names = {"alerts find" if name == "alerts" else name for name in names}
    assert table == names | NOT_TRIED.keys(), table ^ (names | NOT_TRIED.keys())


def make_clip(path: Path) -> None:
    """A man who looks angry for three seconds, then nobody: the smallest in which every command finds its work."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height = CLIP_PX
        stream.pix_fmt = "yuv420p"
        for shot in SHOTS[CLIP_SHOTS]:
            background = shot.background()
            for i in range(round(shot.seconds * FRAME_RATE)):
                image = cv2.resize(draw_frame(shot, background, i / FRAME_RATE), CLIP_PX, interpolation=cv2.INTER_AREA)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _finish(*arguments: str) -> None:
    code, _, said = run(arguments)
    assert code == 0, said


def make_base(folder: Folder) -> None:
    """The folder that every point begins with."""
    folder.root.mkdir()
    make_clip(folder.clip)
    _finish(*ANALYZE, str(folder.clip), "-o", str(folder.out), "--alerts")
    (alert,) = json.loads((folder.run / "alerts.json").read_text())["alerts"]
    (folder.root / "alert").write_text(alert["alert_id"])
    _finish("alerts", "review", str(folder.out), "--alert", alert["alert_id"], "--verdict", "true", "--reason", "first")
    (folder.run / "case-notes.txt").write_text("mine")
    (folder.root / NOTIFY).write_text('[command]\nargv = ["/bin/true"]\n')
    for name in ("copy-a", "copy-b"):
        shutil.copytree(folder.run, folder.out / folder.run.name.replace("demo", name))
    rows = (f"{run.name},1.3,4,angry" for run in folder.runs)
    (folder.root / TRUTH).write_text("\n".join(("video,start,end,emotion", *rows)))


def fresh(base: Path, folder: Folder, name: str) -> None:
    """A copy of the base in the place where every command works."""
    for path in folder.root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(base, folder.root, dirs_exist_ok=True)
    if name == "verify --repair":  # so that there is something to make again
        (folder.run / "tracks.parquet").write_bytes(b"")
        (folder.run / "timeline.parquet").unlink()
