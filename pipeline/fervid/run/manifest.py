"""What a run was made from, with and of: the one file of a run that holds times of running, paths and machines.

It is written last; its presence means that the run is complete.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from fervid.base.types import VideoInfo
from fervid.errors import InputError, OutputInUse
from fervid.storage.place import Place, is_on_disk, names_in, read_text
from fervid.storage.publish import write_new, write_whole
from fervid.video.ledger import Ledger

SCHEMA_VERSION = 1
"""Of the files of a run. A later version reads earlier ones."""

MANIFEST = "manifest.json"
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
    """Everything about a run that its tables do not say."""

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
    results: dict[str, Any] = field(default_factory=dict)
    """What the tables come to; see `summary.results_in_numbers`."""
    schema_version: int = SCHEMA_VERSION
    versions: dict[str, str] = field(default_factory=lambda: library_versions())

    def write(self, folder: Place) -> None:
        """Write `manifest.json` in one atomic step. The ledger must balance: an imbalance is a bug."""
        assert self.ledger.balance(), f"the frame ledger does not balance: {self.ledger}"
        if is_on_disk(folder):
            write_json(folder / MANIFEST, asdict(self))
        elif not write_new(folder / MANIFEST, _as_json(asdict(self))):
            # A task that was given up for lost may have come to its end: by the same method it has the same result.
            stored = manifest_content(folder)
            if (stored["video_id"], stored["settings_hash"]) != (self.video_id, self.settings_hash):
                raise OutputInUse(f"{folder} was written by another run meanwhile. Give another folder with --out.")


class MadeBy(Protocol):
    """By what a result was made: two of the same video, settings and runner are the same."""

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
    write_whole(path, _as_json(content))


def _as_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def read_manifest(folder: Place) -> RunManifest:
    """The manifest of a run folder. Raises InputError when there is none, or one of a later version."""
    content = manifest_content(folder)
    content["ledger"] = Ledger(**content["ledger"])
    content["warnings"] = tuple(content["warnings"])
    return RunManifest(**content)


def manifest_content(folder: Place) -> dict[str, Any]:
    """The manifest of a run folder as plain values, read without any library. Raises InputError as `read_manifest`."""
    try:
        content: dict[str, Any] = json.loads(read_text(folder / MANIFEST))
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no {MANIFEST}, so it is no complete run. Run `fervid analyze` first."
        ) from None
    except (OSError, ValueError) as problem:
        raise InputError(f"{folder / MANIFEST} cannot be read ({problem}). Run `fervid analyze --overwrite`.") from None
    if not isinstance(content, dict):
        raise InputError(f"{folder / MANIFEST} holds no manifest. Run `fervid analyze --overwrite`.")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{folder} has schema version {content.get('schema_version')}, this fervid reads {SCHEMA_VERSION}. "
            "Use the version of fervid that wrote it."
        )
    return content


# Decision BAT-7.
def done_before(folder: Place, video_id: str, method: MadeBy, *, wanted: Iterable[str] = ()) -> dict[str, Any] | None:
    """The manifest of a run folder that holds this video's complete result by this method, with the `wanted` files."""
    try:
        content = manifest_content(folder)
    except InputError:
        return None
    asked = video_id, method.settings_hash, method.runner
    same = tuple(content.get(key) for key in ("video_id", "settings_hash", "runner")) == asked
    whole = same and {*content["outputs"], *wanted} <= set(names_in(folder))
    return content if whole else None


def video_record(info: VideoInfo) -> dict[str, object]:
    """What a manifest says of a video."""
    record = {key: value for key, value in asdict(info).items() if key != "path"}
    return record | {"time_base": str(info.time_base), "sample_aspect_ratio": str(info.sample_aspect_ratio)}


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    from importlib.metadata import PackageNotFoundError, version  # a tenth of what starting the command costs

    found = {"python": platform.python_version(), "platform": sys.platform, "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
