"""The checks of `fervid doctor --storage`: whether a store can be used, and leftovers of stopped runs."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from fervid.base.printable import counted
from fervid.storage.lease import CLOCK
from fervid.storage.place import Place
from fervid.storage.publish import write_new, write_over
from fervid.storage.store_errors import storage_error
from fervid.upkeep.doctor import Finding
from fervid.upkeep.leftovers import as_store, clean, survey

if TYPE_CHECKING:
    from upath import UPath

    from fervid.upkeep.leftovers import Survey

MOST_NAMED = 5
"""Largest number of names in one finding; the rest are counted."""


def examine_storage(place: Place, *, clean: Literal["remains", "all"] | None) -> Iterator[Finding]:
    """Every finding about a folder of results in an object store. Raises ConfigError for a path on disk."""
    out = as_store(place)
    try:
        yield _access(out)
        found = survey(out)
    except Exception as error:
        store_error = storage_error(error)
        if store_error is None and not isinstance(error, OSError):
            raise
        text = str(store_error or f"{out}: {error}").rstrip(".")
        yield Finding("storage", "problem", text, "Check the bucket's name, its permissions and the network.")
        return
    yield from _runs(found)
    yield from _leftovers(out, found, clean)


def _access(out: UPath) -> Finding:
    """Write, read and remove an object, with the conditions that locks need."""
    probe = out / f"{CLOCK}{uuid.uuid4().hex}"
    begun = time.perf_counter()
    was_new = write_new(probe, b"1")
    seconds = time.perf_counter() - begun
    try:
        keeps_new = was_new and not write_new(probe, b"2")
        info = probe.fs.info(probe.path)
        keeps_known = "ETag" in info and write_over(probe, b"3", info) and not write_over(probe, b"4", info)
    finally:
        probe.unlink()
    text = f"{out}: written and read, {seconds * 1000:.0f} ms per small object; conditional creation: "
    if not keeps_new:
        advice = "Concurrent runs would not notice each other: run only one at a time."
        return Finding("storage", "warning", f"{text}no", advice)
    return Finding("storage", "ok", f"{text}yes; conditional replacement: {'yes' if keeps_known else 'no'}")


def _runs(found: Survey) -> Iterator[Finding]:
    in_use = f"; in use now: {_named(found.in_use)}" if found.in_use else ""
    yield Finding("runs", "ok", f"{found.n_complete} complete{in_use}")
    if found.incomplete:
        yield Finding(
            "torn",
            "warning",
            f"{len(found.incomplete)} incomplete runs (missing files): {_named(found.incomplete)}",
            "Analyse them again.",
        )
    if found.interrupted:
        segments = counted(sum(found.interrupted.values()), "observed segment")
        yield Finding(
            "stopped",
            "warning",
            f"{counted(len(found.interrupted), 'run')} with {segments}: {_named(sorted(found.interrupted))}",
            "The same `fervid analyze` resumes from them; --clean all removes them.",
        )


def _leftovers(out: UPath, found: Survey, how: Literal["remains", "all"] | None) -> Iterator[Finding]:
    kinds = Counter(remnant.kind for remnant in found.remnants)
    listed = ", ".join(f"{n} x {kind}" for kind, n in sorted(kinds.items())) or "none"
    if how is None:
        if not kinds:
            yield Finding("remains", "ok", listed)
        else:
            yield Finding("remains", "warning", listed, "Remove them with --clean remains.")
        return
    n_removed = clean(out, found, with_interrupted=how == "all")
    yield Finding("remains", "ok", f"found: {listed}; {n_removed} objects and uploads removed")


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
