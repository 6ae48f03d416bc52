"""The names of all files of a run and of a folder of runs. Knows nothing of their contents."""

from __future__ import annotations

import re
from pathlib import Path

from fervid.storage.place import Place

MANIFEST = "manifest.json"
"""Written last: a folder with it is a complete run."""
TABLES = ("frames", "faces", "tracks", "timeline")
OBSERVATIONS = "observations"
HOLD = "HOLD.json"
"""In the folder of a run that has to stay as it is, whatever retention says."""
PLOT = "timeline.png"
DERIVED = "derived.jsonl"
"""Notes of the files that commands made of a run's tables."""
RECORDING = "recording.json"
"""Of a live recording that is not finished."""

ALERTS_TABLE, ALERTS_JSON, ALERTS_CSV, ALERTS_PAGE = "alerts.parquet", "alerts.json", "alerts.csv", "alerts.html"
REVIEWS_TABLE = "reviews.parquet"
EVIDENCE, BUNDLE = "evidence", "evidence.zip"
ANNOTATED = "annotated.mp4"
EXPORTS = "exports"
TAKEN, TAKEN_LOG = "taken", "taken.jsonl"
"""Files that were taken from the review page, and who took what and when."""
REPORT = "report.html"
PROFILE, PROFILE_PAGE, PROFILE_PLOT = "profile.json", "profile.html", "profile.png"

MADE_LATER = (ALERTS_TABLE, PLOT, DERIVED)
"""What other commands than `analyze` put beside the tables of a run, and others read."""
MADE_AGAIN = frozenset((PLOT, DERIVED, ALERTS_TABLE, ALERTS_JSON, ALERTS_CSV, ALERTS_PAGE))
"""What commands make of the tables at any time; verdicts and what people put there are not."""

BATCH_TABLE, FAILED_LIST, FAILED, ID_CACHE = "batch.parquet", "failed.jsonl", "failed", ".ids.json"
"""Beside the runs of a batch."""
SEQUENCES, SEQUENCE_NOTE = "sequences", "images.json"
"""The folder of videos that were made of images, beside the runs, and what is noted in the folder of each."""
COMPACTED, VIDEOS_TABLE = "compacted.json", "videos.parquet"
"""In a folder of tables that `fervid compact` copied from many runs; what else is in the folder stays."""
PROFILES_TABLE, COMPARISON = "profiles.parquet", "comparison.html"
PURGE_LOG, DOOMED = "purge.jsonl", ".purged-"

PAGES = {"review": REPORT, "alerts": ALERTS_PAGE, "profile": PROFILE_PAGE, "comparison": COMPARISON}
"""Pages that people open, by the words of their links."""

ID_DIGITS = 8
NAME_LETTERS, NAME_BYTES = 60, 120
"""Of a video's name at the begin of its run folder's: file systems take 255 bytes for all of a name."""
RUN_NAME = re.compile(r"[a-z0-9\u00a1-\ud7ff\uf900-\U0010ffff][a-z0-9\u00a1-\ud7ff\uf900-\U0010ffff-]*-[0-9a-f]{8}")
"""The default name of a run folder; users may rename it."""


def table_file(name: str) -> str:
    """The file of a table."""
    return f"{name}.parquet"


def segment_file(folder: Place, index: int) -> Place:
    """Where the observations of a segment are published, within the folder of a run."""
    return folder / OBSERVATIONS / table_file(f"{index:05d}")


def pages_beside(folder: Path, own: str) -> dict[str, str]:
    """Texts and addresses of the other pages in a folder, for the header of its page `own`."""
    return {text: name for text, name in PAGES.items() if name != own and (folder / name).is_file()}
