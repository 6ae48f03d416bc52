"""Writes the results of a batch beside its run folders: `batch.parquet`, one row per video, and `failed.jsonl`.

Rows are buffered on disk, so that the scheduling process keeps none of them in memory.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

from fervid.base.printable import printable
from fervid.batch.result import Result
from fervid.run.derived import note_hashes
from fervid.run.files import BATCH_TABLE, FAILED_LIST
from fervid.storage.files import file_sha256
from fervid.storage.place import Place, is_on_disk, make_folder, names_in, remove_file, remove_folder
from fervid.storage.publish import PART, sync, write_whole, written_whole

WAITING = ".batch."
"""Prefix of files that are buffered until the end of a batch."""


class BatchReport:
    """Collects the results of a batch below `out`."""

    def __init__(self, out: Place) -> None:
        make_folder(out)
        self._out = out
        for name in names_in(out):
            if name.startswith(WAITING) and name.endswith(PART):
                remove_file(out / name)
        # Objects in an object store cannot be appended to, so rows are buffered here.
        self._scratch = out if is_on_disk(out) else Path(tempfile.mkdtemp(prefix="fervid-"))
        name = f"{WAITING}{os.getpid()}{PART}"
        self.rows: Place = out / name
        self._waiting_rows, self._failed = self._scratch / name, self._scratch / f"{WAITING}failed.{os.getpid()}{PART}"
        self._row_file = self._waiting_rows.open("w", encoding="utf-8")
        self._failed_file = self._failed.open("w", encoding="utf-8")

    def add(self, result: Result) -> None:
        """Record the result of a video."""
        print(json.dumps(_row(result), ensure_ascii=False), file=self._row_file)
        if not result.is_fine:
            record = {"video": printable(result.path), "status": result.status, "reason": printable(result.reason)}
            known = {"found_before": result.was_there, "kind": type(result.error).__name__ if result.error else None}
            print(json.dumps(record | known, ensure_ascii=False), file=self._failed_file)

    def close(self) -> None:
        """Publish `failed.jsonl`; the rows are now complete for `write_batch_table`."""
        self._row_file.close()
        self._failed_file.close()
        if is_on_disk(self._out):
            note_hashes(self._out, {FAILED_LIST: file_sha256(self._failed)})
            sync(self._failed)
            os.replace(self._failed, self._out / FAILED_LIST)
            sync(self._out)
            return
        write_whole(self._out / FAILED_LIST, self._failed.read_bytes())
        with written_whole(self.rows) as local:
            os.replace(self._waiting_rows, local)
        remove_folder(self._scratch)

    def discard(self) -> None:
        """Remove the files of a batch that was stopped."""
        for file, path in ((self._row_file, self._waiting_rows), (self._failed_file, self._failed)):
            file.close()
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if not is_on_disk(self._out):
            remove_folder(self._scratch)


def write_batch_table(rows: Place, labels: list[str]) -> None:
    """Write `batch.parquet` from the buffered rows, and remove them. A step of an engine, because it needs Arrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("video", "folder", "status", "reason")),
            ("was_there", pa.bool_()),
            ("duration_s", pa.float64()),
            *((name, pa.int64()) for name in ("frames_analysed", "frames_failed", "faces", "tracks")),
            ("coverage", pa.float64()),
            ("dominant", pa.string()),
            *((f"share_{label}", pa.float64()) for label in labels),
            ("peak_anger", pa.float64()),
            ("peak_anger_s", pa.float64()),
            ("elapsed_s", pa.float64()),
        ]
    )
    with rows.open(encoding="utf-8") as lines:
        table = pa.Table.from_pylist([json.loads(line) for line in lines], schema=schema)
    with written_whole(rows.parent / BATCH_TABLE) as partial:
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)
        note_hashes(rows.parent, {BATCH_TABLE: file_sha256(partial)})
    remove_file(rows)


def _row(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {
        "video": printable(result.path),
        "status": result.status,
        "reason": printable(result.reason) or None,
        "was_there": result.was_there,
    }
    if (summary := result.summary) is not None:
        row |= {name: summary[name] for name in ("frames_analysed", "frames_failed", "faces", "tracks", "coverage")}
        peak = summary["peak_anger"] or {}
        row |= {
            "folder": PurePath(summary["folder"]).name,
            "duration_s": summary["duration_seconds"],
            "elapsed_s": summary["elapsed_seconds"],
            "dominant": summary["dominant"],
            "peak_anger": peak.get("value"),
            "peak_anger_s": peak.get("time_s"),
        }
        row |= {f"share_{label}": share for label, share in summary["shares"].items()}
    return row
