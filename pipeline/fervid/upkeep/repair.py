"""Rebuilds damaged files of a run from intact ones: tables from observations, the plot from a table.

Nothing is replaced by anything but the bytes that were there: a table is written only if it comes out with the hash
that the manifest holds. Files that need the video, the rules or the author are left and reported.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from fervid.batch.job import Method, VideoJob
from fervid.batch.steps import draw_video, read_all, table_metadata, write_tables
from fervid.config import Settings
from fervid.emotion.plugin import find_model
from fervid.errors import FervidError
from fervid.interpret.build import FrameTiming
from fervid.interpret.whole import interpret
from fervid.observe.observations import read_thumbnails
from fervid.run.files import OBSERVATIONS, PLOT
from fervid.run.manifest import manifest_content
from fervid.storage.files import file_sha256
from fervid.storage.lock import locked
from fervid.storage.publish import sync, write_whole
from fervid.upkeep.verify import Fault, verify_run


def repair_run(folder: Path, faults: Sequence[Fault]) -> dict[str, str]:
    """Repair a run as far as it can be; what was done, by the name of each file that is whole again.

    Raises OutputInUse when another process works on the run, OutputError when it cannot be written.
    """
    done: dict[str, str] = {}
    with locked(folder):
        faults = verify_run(folder)  # again: it may have been analysed meanwhile
        if any(fault.kind == "manifest" for fault in faults):
            return done
        content = manifest_content(folder)
        tables = [fault.name for fault in faults if fault.kind == "table"]
        if tables and not any(fault.kind == "observations" for fault in faults):
            done |= dict.fromkeys(_remade_tables(folder, content, tables), "rebuilt from the observations")
        for fault in faults:
            if fault.kind == "observations" and not tables:
                (folder / fault.name).unlink()
                done[fault.name] = "removed: it is observed again when it is needed"
            elif fault.kind == "verdicts":
                done[fault.name] = f"put aside as {_put_aside(folder / fault.name)}"
            elif fault.name == PLOT and set(tables) <= set(done):
                draw_video(_job(folder, content))
                done[PLOT] = "drawn again"
    return done


def _remade_tables(folder: Path, content: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Tables that came out with the bytes that the manifest states, and were put in their places."""
    paths = sorted(folder / OBSERVATIONS / name for name in content.get("observations", {}))
    if not paths or content["video"].get("is_live") or not all(path.is_file() for path in paths):
        return []
    try:
        job = _job(folder, content)
        observations, _, _ = read_all(list(paths))
        tables = interpret(
            observations,
            job.method.settings,
            job.method.model,
            video_id=job.video_id,
            duration_seconds=float(content["video"]["duration_seconds"]),
            thumbnails=read_thumbnails(paths),
            timing=FrameTiming.of(content["video"], content["settings"]["video"]),
        )
    except FervidError:
        return []
    about = table_metadata(job, Fraction(content["video"]["time_base"]), float(content["start_time_s"]))
    remade = []
    with tempfile.TemporaryDirectory(prefix="fervid-") as scratch:
        for name, made in write_tables(Path(scratch), tables, about).items():
            if name in names and made.sha256 == content["outputs"].get(name):
                write_whole(folder / name, (Path(scratch) / name).read_bytes())
                assert file_sha256(folder / name) == made.sha256
                remade.append(name)
    return remade


def _job(folder: Path, content: dict[str, Any]) -> VideoJob:
    settings = Settings.model_validate(content["settings"])
    method = Method.of(settings, find_model(settings.emotion.model), content["runner"])
    # A baseline over other recordings is not measured again: the tables without it come out as they were.
    method = method.of_person(tuple(content.get("recordings", ())))
    return VideoJob(Path(content["video_path"]), content["video_id"], folder, method)


def _put_aside(path: Path) -> str:
    aside = path.with_name(f"{path.stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}{path.suffix}")
    os.replace(path, aside)
    sync(path.parent)
    return aside.name
