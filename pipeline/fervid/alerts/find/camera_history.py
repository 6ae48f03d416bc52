"""How agitated a camera usually is: the agitation of its runs in one folder of results. Judges no rule."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fervid.errors import InputError
from fervid.interpret.agitation import Usual
from fervid.observe.flow_values import MOST_SECONDS
from fervid.run.files import MANIFEST
from fervid.run.find import folders_below
from fervid.run.handle import Run, open_run
from fervid.run.tables import read_table

Stamp = tuple[tuple[str, int, int], ...]
"""The runs of a folder: name of each, and time and size of its manifest."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraHistory:
    """The agitation of a camera over `n_runs` runs, and for how many seconds it is known."""

    usual: Usual
    n_runs: int

    def to_json(self) -> dict[str, Any]:
        """Plain values for alerts.json."""
        return {"runs": self.n_runs, "seconds": round(self.usual.seconds, 3)}


def camera_name(run: Run) -> str:
    """The folder that the run's video lay in: recorders use one per camera."""
    return _camera(run).name or "."


# Decision MOT-6.
def camera_history(run: Run) -> CameraHistory:
    """That of the run's camera: the runs beside it, and itself, whose videos lay in one folder and that were made
    with the same settings and models.

    Of runs of one video the first by name counts. A run that cannot be read is left out, with a warning.
    """
    folder = Path(str(run.folder)).resolve()
    found = _histories(folder.parent, _stamp(folder.parent))
    return found.get((str(_camera(run)), run.manifest.settings_hash)) or CameraHistory(Usual(), 0)


def _camera(run: Run) -> Path:
    return Path(run.manifest.video_path).parent


def _stamp(folder: Path) -> Stamp:
    found = []
    for place in folders_below(folder):
        try:
            about = (place / MANIFEST).stat()
        except OSError:
            continue  # replaced a moment ago
        found.append((place.relative_to(folder).as_posix(), about.st_mtime_ns, about.st_size))
    return tuple(sorted(found))


@lru_cache(maxsize=4)
def _histories(folder: Path, stamp: Stamp) -> dict[tuple[str, str], CameraHistory]:
    """By camera and settings. Runs are added in the order of their names: sums do not depend on who asks."""
    found: dict[tuple[str, str], tuple[Usual, set[str]]] = {}
    for name, _, _ in stamp:
        try:
            run = open_run(folder / name)
            usual, videos = found.setdefault((str(_camera(run)), run.manifest.settings_hash), (Usual(), set()))
            if run.manifest.video_id in videos:
                continue
            _add(usual, run)
            videos.add(run.manifest.video_id)
        except InputError as problem:
            log.warning("left out of what is usual for its camera: %s", problem)
    return {key: CameraHistory(usual, len(videos)) for key, (usual, videos) in found.items()}


def _add(usual: Usual, run: Run) -> None:
    """Each frame stands for the time since the one before it."""
    if not run.manifest.settings.get("motion", {}).get("measure"):
        return
    table = read_table(run.folder, run.manifest.settings_hash, "frames", ["time_s", "agitation"])
    times, agitation = (table[name].to_numpy().astype(float) for name in ("time_s", "agitation"))
    usual.add(agitation, np.minimum(np.diff(times, prepend=times[:1]), MOST_SECONDS))
