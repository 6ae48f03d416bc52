"""Whether the files of a run are what was written, each by its hash; repair is elsewhere. Decodes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fervid.alerts.review.reviews import check_history
from fervid.errors import InputError
from fervid.privacy.audit import AUDIT_LOG
from fervid.run.derived import all_noted
from fervid.run.files import DERIVED, HOLD, MANIFEST, OBSERVATIONS, REVIEWS_TABLE, TAKEN_LOG
from fervid.run.manifest import manifest_content
from fervid.storage.files import file_sha256

Kind = Literal["manifest", "table", "observations", "derived", "verdicts", "record"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A file of a run that is not what was written: its name within the folder, what it is, and what is wrong."""

    name: str
    kind: Kind
    what: str


def verify_run(folder: Path) -> list[Fault]:
    """Read every file of a run that fervid wrote, and compare it with what was noted of it; the faults.

    Observations and what other commands made of a run may be missing: whoever deletes them loses nothing else.
    """
    try:
        content = manifest_content(folder)
    except InputError as problem:
        return [Fault(MANIFEST, "manifest", str(problem))]
    return [*_tables(folder, content), *_observations(folder, content), *_derived(folder), *_records(folder)]


def _tables(folder: Path, content: dict[str, Any]) -> Iterator[Fault]:
    for name, sha256 in content["outputs"].items():
        if what := _difference(folder / name, {sha256}):
            yield Fault(name, "table", what)


def _observations(folder: Path, content: dict[str, Any]) -> Iterator[Fault]:
    for name, sha256 in content.get("observations", {}).items():
        path = folder / OBSERVATIONS / name
        if path.exists() and (what := _difference(path, {sha256})):
            yield Fault(f"{OBSERVATIONS}/{name}", "observations", what)


def _derived(folder: Path) -> Iterator[Fault]:
    for name, hashes in all_noted(folder).items():
        if (folder / name).exists() and (what := _difference(folder / name, hashes)):
            yield Fault(name, "derived", what)


def _records(folder: Path) -> Iterator[Fault]:
    try:
        check_history(folder)
    except InputError as problem:
        yield Fault(REVIEWS_TABLE, "verdicts", str(problem))
    for name in (HOLD, AUDIT_LOG, TAKEN_LOG, DERIVED):
        if (folder / name).exists() and not _is_json(folder / name):
            yield Fault(name, "record", "it has a line that is not a JSON object")


def _difference(path: Path, known: set[str]) -> str:
    try:
        return "" if file_sha256(path) in known else "differs from its recorded hash"
    except FileNotFoundError:
        return "missing"
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"


def _is_json(path: Path) -> bool:
    """Whether a file is one JSON object, or lines of them."""
    try:
        text = path.read_text(encoding="utf-8")
        parts = [text] if path.suffix == ".json" else text.splitlines()
        return all(isinstance(json.loads(part), dict) for part in parts if part.strip())
    except (OSError, ValueError, RecursionError):
        return False
