"""Writes runs to files in the formats of other programs. Knows nothing of the formats themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fervid.base.registry import EXPORTER_PLUGINS, origin, plugin_code, plugin_fault, plugins, resolve
from fervid.errors import ConfigError, OutputError
from fervid.exports import ENDINGS, FORMATS
from fervid.exports.source import TABLES, RunTables, open_tables
from fervid.run.derived import publish_derived
from fervid.run.files import EXPORTS
from fervid.run.find import Guard, unguarded
from fervid.run.writing import writing
from fervid.storage.publish import write_whole

KIND = "format"


# Decision QUE-2.
def export_runs(
    folders: Sequence[Path],
    forms: Iterable[str],
    *,
    table: str = "faces",
    out: Path | None = None,
    guarded: Guard = unguarded,
) -> list[Path]:
    """Write each run in each format, into its folder `exports` or into `out`, and return the files.

    `out` is a file for one run in one format if it has that format's extension, else a folder. No format overwrites the
    file of another. Raises ConfigError, OutputError, PluginError when a plug-in's format fails, or InputError unless
    `guarded` takes it.
    """
    exporters = {form: resolve(FORMATS, form, kind=KIND, group=EXPORTER_PLUGINS) for form in forms}
    if table not in TABLES:
        raise ConfigError(f"table {table!r} does not exist. Use one of {', '.join(TABLES)}.")
    endings = {form: _ending(form, export) for form, export in exporters.items()}
    file = _file_of(out, endings) if len(folders) == 1 else None
    written: list[Path] = []
    for folder in folders:
        with guarded(folder):
            run = open_tables(folder, table=table)
            for form, export in exporters.items():
                kind = f".{table}" if form in ("csv", "jsonl") else ""
                # Runs of videos in different folders may share a name; run folders never do.
                name = f"{Path(run.video).stem if out is None else folder.name}{kind}{endings[form]}"
                content = _content(form, export, run)
                if out is None:
                    with writing(folder, run.manifest["settings_hash"]):
                        written.append(_write(folder / EXPORTS / name, content, folder))
                else:
                    written.append(_write(file or out / name, content, folder))
    return written


def _write(path: Path, content: bytes, folder: Path) -> Path:
    """Write a file of a run, noted where it is within its folder. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.resolve().is_relative_to(folder.resolve()):
            publish_derived(folder, {path.resolve().relative_to(folder.resolve()).as_posix(): content})
        else:
            write_whole(path, content)
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Use another --out.") from None
    return path


def format_rows() -> list[tuple[str, str, str]]:
    """Every format: its name, its file extension, and a description or the package that provides it."""
    own = [(form, ENDINGS[form], _about(resolve(FORMATS, form, kind=KIND))) for form in FORMATS]
    brought = sorted(plugins(EXPORTER_PLUGINS).items())
    return own + [(name, "", f"plug-in of {origin(entry)}") for name, entry in brought if name not in FORMATS]


def _about(export: Any) -> str:
    return (sys.modules[export.__module__].__doc__ or "").partition("\n")[0]


def _content(form: str, export: Any, run: RunTables) -> bytes:
    """The bytes of a run in a format. Raises PluginError when a plug-in's format fails."""
    if form in FORMATS:
        own: bytes = export(run)
        return own
    entry = plugins(EXPORTER_PLUGINS)[form]
    with plugin_code(entry, kind=KIND):
        made = export(run)
    if not isinstance(made, bytes):
        raise plugin_fault(entry, f"returned {type(made).__name__}, expected bytes", kind=KIND)
    return made


def _ending(form: str, export: Any) -> str:
    """The suffix after the video's name: from the table, or from the plug-in's exporter.

    It is unique per format, so that no format overwrites the files of another.
    """
    if form in ENDINGS:
        return ENDINGS[form]
    ending = str(getattr(export, "ending", f".{form}"))
    is_its_own = ending == f".{form}" or ending.startswith(f".{form}.")
    return ending if is_its_own and ending not in ENDINGS.values() else f".{form}{ending}"


def _file_of(out: Path | None, endings: dict[str, str]) -> Path | None:
    """`out` if it is a file for the single requested format; None if it is a folder.

    Raises ConfigError for a name with another extension: it may be a file of another format.
    """
    if out is None or len(endings) != 1 or out.is_dir() or not out.suffix:
        return None
    ((form, ending),) = endings.items()
    every = sorted({*ENDINGS.values(), ending}, key=len, reverse=True)
    if next((one for one in every if out.name.lower().endswith(one.lower())), "") != ending:
        raise ConfigError(f"--out {out}: files of the format {form} end in {ending}. Use that ending, or a folder.")
    return out
