"""Leftovers of interrupted runs in an object store: finds them, and removes them on request.

A store has no half-written objects, but it keeps (and charges for) the parts of unfinished uploads, a lock outlives its
process, and a run stopped during publishing has tables without a manifest. Its observations are not leftovers: the
same command resumes from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fervid.batch.report import WAITING
from fervid.errors import ConfigError, InputError, OutputInUse
from fervid.run.files import MADE_AGAIN, MANIFEST, OBSERVATIONS, RUN_NAME, TABLES, table_file
from fervid.run.manifest import manifest_content
from fervid.storage.lease import CLOCK, LEASE_SECONDS, LOCK, modified, read_lease, store_time
from fervid.storage.lock import locked
from fervid.storage.place import Place, is_on_disk, names_in, remove_file
from fervid.storage.publish import PART

if TYPE_CHECKING:
    from upath import UPath

BATCH = "batch"
OWN_FILES = MADE_AGAIN | {table_file(name) for name in TABLES}
"""Files that an analysis publishes and can rebuild, besides observations and the manifest."""


@dataclass(frozen=True, slots=True)
class Remnant:
    """Something that no run will use again: an object, or (`upload_id`) an upload that was never finished."""

    place: UPath
    kind: str
    n_bytes: int = 0
    upload_id: str = ""


@dataclass(slots=True)
class Survey:
    """The contents of an output folder in an object store."""

    n_complete: int = 0
    in_use: list[str] = field(default_factory=list)
    """Runs (or `batch`) locked by another process; their files are skipped."""
    interrupted: dict[str, int] = field(default_factory=dict)
    """Runs without a manifest, with their number of observed segments."""
    incomplete: list[str] = field(default_factory=list)
    """Runs whose manifest lists missing files."""
    remnants: list[Remnant] = field(default_factory=list)


def as_store(place: Place) -> UPath:
    """A place that must be in an object store. Raises ConfigError."""
    if is_on_disk(place):
        raise ConfigError(
            f"{place} is on disk, where each run removes the leftovers of the previous one. Give s3:// or gs://."
        )
    return place


def survey(out: UPath) -> Survey:
    """List everything below `out`. Raises OSError, or what the store's library raises, when it cannot be read."""
    found = Survey()
    now = store_time(out)
    leases: dict[str, bool] = {}
    runs: dict[str, dict[str, Any]] = defaultdict(dict)
    loose: list[tuple[str, dict[str, Any]]] = []
    for name, info in _objects(out):
        first, _, rest = name.partition("/")
        if not rest and first.startswith(".") and first.endswith(LOCK):
            owner = first.removeprefix(".").removesuffix(LOCK)
            lease = read_lease(out / first)
            if lease is not None:
                leases[owner] = not lease.is_stale()
            if lease is not None and not leases[owner]:
                found.remnants.append(Remnant(out / first, "lock of a finished process", info["size"]))
        elif rest and RUN_NAME.fullmatch(first):
            runs[first][rest] = info
        elif not rest:
            loose.append((first, info))
    found.in_use = sorted(name for name, is_held in leases.items() if is_held)
    for name, info in loose:
        is_old = _is_old(modified(info), now)
        if name.startswith(CLOCK) and is_old:
            found.remnants.append(Remnant(out / name, "clock probe", info["size"]))
        elif name.startswith(WAITING) and name.endswith(PART) and not leases.get(BATCH):
            found.remnants.append(Remnant(out / name, "rows of a batch that was stopped", info["size"]))
    for run, files in sorted(runs.items()):
        if not leases.get(run):
            _judge(found, out / run, files)
    for upload in _uploads(out):
        place, begun = upload
        run = place.path.removeprefix(_base(out)).partition("/")[0]
        if _is_old(begun.when, now) and not leases.get(run):
            found.remnants.append(Remnant(place, "unfinished upload", upload_id=begun.upload_id))
    return found


def clean(out: UPath, found: Survey, *, with_interrupted: bool = False) -> int:
    """Remove the remnants of a survey, and with `with_interrupted` the observations of stopped runs; how many went.

    Files that came into use meanwhile are skipped.
    """
    n_removed = 0
    for remnant in found.remnants:
        if remnant.upload_id:
            bucket, _, key = remnant.place.path.partition("/")
            remnant.place.fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=remnant.upload_id)
            n_removed += 1
            continue
        name = remnant.place.name
        if name.endswith(LOCK):
            owner = out / name.removeprefix(".").removesuffix(LOCK)
        else:
            owner = remnant.place.parent if remnant.place.parent != out else out / BATCH
        n_removed += _remove_alone(owner, [remnant.place])
    for run in found.interrupted if with_interrupted else ():
        folder = out / run / OBSERVATIONS
        n_removed += _remove_alone(out / run, [folder / name for name in names_in(folder)])
    return n_removed


def _judge(found: Survey, folder: UPath, files: dict[str, Any]) -> None:
    if MANIFEST in files:
        if _is_whole(folder, files):
            found.n_complete += 1
        else:
            found.incomplete.append(folder.name)
        return
    observed = [name for name in files if name.startswith(f"{OBSERVATIONS}/")]
    if observed:
        found.interrupted[folder.name] = len(observed)
    for name in sorted(set(files) & OWN_FILES):  # verdicts and other files of users are kept
        found.remnants.append(Remnant(folder / name, "table of an unfinished run", files[name]["size"]))


def _is_whole(folder: UPath, files: Iterable[str]) -> bool:
    try:
        return set(manifest_content(folder)["outputs"]) <= set(files)
    except InputError:
        return False


def _remove_alone(owner: UPath, places: list[UPath]) -> int:
    """Remove objects while holding the lock of their owner; returns the number removed."""
    try:
        with locked(owner):
            if (owner / MANIFEST).exists():
                places = [place for place in places if place.parent != owner]
            for place in places:
                remove_file(place)
            return len(places)
    except OutputInUse:
        return 0


@dataclass(frozen=True, slots=True)
class _Upload:
    upload_id: str
    when: datetime


def _uploads(out: UPath) -> Iterator[tuple[UPath, _Upload]]:
    """Unfinished multipart uploads below `out`. Only S3 keeps such."""
    if out.protocol != "s3":
        return
    bucket, _, prefix = _base(out).partition("/")
    marker: dict[str, str] = {}
    while True:
        page = out.fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **marker)
        for upload in page.get("Uploads", []):
            name = f"{bucket}/{upload['Key']}".removeprefix(_base(out))
            yield out / name, _Upload(upload["UploadId"], modified({"LastModified": upload["Initiated"]}))
        if not page.get("IsTruncated"):
            return
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def _objects(out: UPath) -> Iterator[tuple[str, dict[str, Any]]]:
    out.fs.invalidate_cache()
    for path, info in sorted(out.fs.find(out.path, detail=True).items()):
        yield path.removeprefix(_base(out)), info


def _base(out: UPath) -> str:
    return f"{out.path.rstrip('/')}/"


def _is_old(when: datetime, now: datetime) -> bool:
    return (now - when).total_seconds() > LEASE_SECONDS
