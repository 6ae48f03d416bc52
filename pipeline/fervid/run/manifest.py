"""The provenance of a run: the only file of a run with run times, paths and machine details.

It is written last; its presence means that the run is complete.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Protocol

from fervid.base.types import VideoInfo
from fervid.errors import InputError, OutputInUse
from fervid.run.files import MANIFEST
from fervid.run.shape import KNOWN, fault_of
from fervid.storage.files import file_sha256
from fervid.storage.place import Place, is_on_disk, read_text, sizes_in
from fervid.storage.publish import write_new, write_whole
from fervid.video.ledger import Ledger

SCHEMA_VERSION = 1
"""Of the files of a run. A later version reads earlier ones."""

SEAL = "sha256"
OF_EARLIER_VERSIONS = KNOWN - {"output_bytes", "observations", "superseded_by"}
"""What a manifest without a hash of its own may hold."""
LIBRARIES = (
    "fervid",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "av",
    "pyarrow",
    "ai-edge-litert",
    "tensorflow",
)


@dataclass(frozen=True, slots=True)
class RunManifest:
    """Everything about a run that is not in its tables."""

    video_id: str
    video_path: str
    video_bytes: int
    video: dict[str, Any]
    start_time_s: float
    """The container's start time: `time_s` plus this is the presentation time that ffprobe reports."""
    status: str
    """"complete", or "partial" where the file was damaged: `warnings` and `ledger` say what was lost."""
    settings: dict[str, Any]
    settings_hash: str
    observe_key: str
    model: dict[str, Any]
    runner: str
    ledger: Ledger
    unconfirmed_faces: int
    warnings: tuple[str, ...]
    started_utc: str
    finished_utc: str
    elapsed_seconds: float
    stage_seconds: dict[str, float]
    segments_reused: int
    outputs: dict[str, str]
    """File name to SHA-256."""
    output_bytes: dict[str, int] = field(default_factory=dict)
    """File name to size, which reveals truncated files without reading them."""
    observations: dict[str, str] = field(default_factory=dict)
    """File name to SHA-256 of what the tables were made of; it may have been deleted since."""
    results: dict[str, Any] = field(default_factory=dict)
    """Key figures of the tables; see `summary.results_in_numbers`."""
    recordings: tuple[str, ...] = ()
    """Ids of one person's videos that share a baseline, this one among them; empty for a video alone."""
    superseded_by: str = ""
    """The id of the video that is at `video_path` now, where that was replaced after the analysis."""
    schema_version: int = SCHEMA_VERSION
    versions: dict[str, str] = field(default_factory=lambda: library_versions())

    def write(self, folder: Place) -> None:
        """Write `manifest.json` in one atomic step, once. The ledger must balance: an imbalance is a bug."""
        assert self.ledger.balance(), f"the frame ledger does not balance: {self.ledger}"
        sealed = seal(asdict(self))
        if is_on_disk(folder):
            write_json(folder / MANIFEST, sealed)
        elif not write_new(folder / MANIFEST, json_bytes(sealed)):
            # A task assumed lost may have finished after all: with the same method it has the same result.
            stored = manifest_content(folder)
            if (stored["video_id"], stored["settings_hash"]) != (self.video_id, self.settings_hash):
                raise OutputInUse(f"{folder} was written by another run meanwhile. Give another folder with --out.")


class MadeBy(Protocol):
    """The method of a result: results with equal video, settings and runner are equal."""

    @property
    def settings_hash(self) -> str:
        """Of the settings and of what else decides a result."""
        ...

    @property
    def runner(self) -> str:
        """What ran the network."""
        ...


def write_json(path: Place, content: dict[str, Any]) -> None:
    """Write a JSON file in one atomic step."""
    write_whole(path, json_bytes(content))


def json_bytes(content: dict[str, Any]) -> bytes:
    """JSON as files of a run hold it."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a manifest with a hash of its own, by which a changed character of it is noticed."""
    return {name: value for name, value in content.items() if name != SEAL} | {SEAL: _own_hash(content)}


def _own_hash(content: dict[str, Any]) -> str:
    plain = {name: value for name, value in content.items() if name != SEAL}
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def read_manifest(folder: Place) -> RunManifest:
    """The manifest of a run folder. Raises InputError when there is none, or one of a later version."""
    content = manifest_content(folder)
    content["ledger"] = Ledger(**{name: content["ledger"].get(name, 0) for name in Ledger.__slots__})
    content["warnings"] = tuple(content["warnings"])
    content["recordings"] = tuple(content.get("recordings", ()))
    try:
        return RunManifest(**{name: value for name, value in content.items() if name in RunManifest.__slots__})
    except TypeError as problem:
        raise _damaged(folder, str(problem)) from None


def manifest_content(folder: Place) -> dict[str, Any]:
    """The manifest of a run folder as plain values, read without any library. Raises InputError as `read_manifest`."""
    try:
        content: dict[str, Any] = json.loads(read_text(folder / MANIFEST))
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no {MANIFEST}, so it is not a complete run. Run `fervid analyze` first."
        ) from None
    except (OSError, ValueError, RecursionError) as problem:
        raise _damaged(folder, f"it cannot be read: {problem}") from None
    if not isinstance(content, dict):
        raise _damaged(folder, "it is not a JSON object")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{folder} has schema version {str(content.get('schema_version'))[:20]}, this fervid reads "
            f"{SCHEMA_VERSION}. Use the version of fervid that wrote it."
        )
    if fault := fault_of(content) or _seal_fault(content):
        raise _damaged(folder, fault)
    return {"results": {}} | content


def _seal_fault(content: dict[str, Any]) -> str:
    """What is wrong with the hash of a manifest; one of an earlier version has none, and nothing that came with it."""
    try:
        found = _own_hash(content)
    except ValueError as problem:  # a lone surrogate, which no name of a file comes to
        return str(problem)
    if SEAL in content:
        return "" if content[SEAL] == found else "its content does not match its own hash"
    later = sorted(set(content) - OF_EARLIER_VERSIONS)
    return f"it has {later[0]!r} but no hash of its own" if later else ""


def _damaged(folder: Place, fault: str) -> InputError:
    return InputError(
        f"{folder / MANIFEST} is damaged or was changed ({fault}). Run `fervid analyze --overwrite` on its video."
    )


# Decision BAT-7.
def done_before(
    folder: Place, video_id: str, method: MadeBy, *, wanted: Iterable[str] = (), is_read: bool = False
) -> dict[str, Any] | None:
    """The manifest of a run folder that holds this video's complete result by this method, with the `wanted` files.

    A file of another size than was written is torn, and the result not complete. With `is_read` every file is read and
    compared by its hash too.
    """
    try:
        content = manifest_content(folder)
    except InputError:
        return None
    asked = video_id, method.settings_hash, method.runner
    if tuple(content.get(key) for key in ("video_id", "settings_hash", "runner")) != asked:
        return None
    found = sizes_in(folder)
    if not all(found.get(name) for name in wanted) or misfits(content, found):
        return None
    if is_read and any(file_sha256(folder / name) != sha256 for name, sha256 in content["outputs"].items()):
        return None
    return content


def misfits(content: dict[str, Any], found: Mapping[str, int]) -> list[str]:
    """Files that a manifest lists which are missing, empty, or of another size than was written (where it is noted)."""
    sizes: dict[str, int] = content.get("output_bytes") or {}
    return [name for name in content["outputs"] if not found.get(name) or found[name] != sizes.get(name, found[name])]


def video_record(info: VideoInfo) -> dict[str, object]:
    """What a manifest says of a video."""
    unwanted = ("path", "container_time", "container_time_source")
    record = {key: value for key, value in asdict(info).items() if key not in unwanted}
    return record | {"time_base": str(info.time_base), "sample_aspect_ratio": str(info.sample_aspect_ratio)}


def recordings_in(folder: Place) -> tuple[str, ...]:
    """The recordings that the result in a run folder shares its baseline with; none where there is no result."""
    try:
        return tuple(manifest_content(folder).get("recordings", ()))
    except InputError:
        return ()


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    return dict(_library_versions())


@cache
def _library_versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # a tenth of what starting the command costs

    found = {"python": platform.python_version(), "platform": sys.platform, "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
