"""Write runs in other programs' forms into files. Knows no form itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fervid.errors import ConfigError, OutputError
from fervid.exports import ENDINGS, FORMATS
from fervid.exports.source import TABLES, open_tables
from fervid.registry import EXPORTER_PLUGINS, resolve
from fervid.storage.publish import write_whole

EXPORTS = "exports"


def export_runs(
    folders: Sequence[Path], forms: Iterable[str], *, table: str = "faces", out: Path | None = None
) -> list[Path]:
    """Write each run in each form, into its folder `exports` or into `out`, and return the files.

    `out` is a file for one run in one form, else a folder. Raises ConfigError, InputError or OutputError.
    """
    exporters = {form: resolve(FORMATS, form, kind="format", group=EXPORTER_PLUGINS) for form in forms}
    if table not in TABLES:
        raise ConfigError(f"table {table!r} does not exist. Use one of {', '.join(TABLES)}.")
    is_file = out is not None and len(folders) == 1 and len(exporters) == 1 and not out.is_dir()
    written = []
    for folder in folders:
        run = open_tables(folder, table=table)
        for form, export in exporters.items():
            kind = f".{table}" if form in ("csv", "jsonl") else ""
            # Several runs may be of videos with one name; their folders never are.
            name = f"{Path(run.video).stem if out is None else folder.name}{kind}{_ending(form, export)}"
            path = out if out is not None and is_file else (out or folder / EXPORTS) / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, export(run))
            except OSError as problem:
                raise OutputError(f"{path} cannot be written ({problem.strerror}). Use another --out.") from None
            written.append(path)
    return written


def _ending(form: str, export: Any) -> str:
    """What follows the video's name: as in the table, or as the exporter of another package says."""
    return ENDINGS.get(form) or str(getattr(export, "ending", f".{form}"))
