"""Updates the manifests of runs whose videos were renamed, moved or replaced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fervid.base.printable import printable
from fervid.errors import FervidError
from fervid.run.files import MANIFEST
from fervid.run.manifest import manifest_content, seal, write_json
from fervid.run.recorded import restated
from fervid.run.writing import writing
from fervid.storage.files import is_content
from fervid.storage.place import Place, is_on_disk

log = logging.getLogger(__name__)

MARK, NO_MARK = b'"superseded_by"', b'"superseded_by": ""'
Held = Callable[[Place, str], bool]
"""Whether a file has the content with an id."""


def followed(
    folder: Place,
    content: dict[str, Any],
    path: Place,
    *,
    given: str | None = None,
    zone: str | None = None,
    is_held: Held = is_content,
) -> dict[str, Any]:
    """The manifest of a finished run whose video is at `path`: with that path, if its content is not at the old one.

    `given` and `zone` are the start time and the time zone that a user states now: they are stored as well. The run is
    not superseded any more. A copy beside the original leaves its path as it is. A run that another command writes into
    is left for next time.
    """
    before, now = str(content["video_path"]), printable(path.absolute())
    if before != now and (not is_on_disk(path) or _is_there(Path(before), content, is_held)):
        now = before
    changes = restated(content["video"], given=given, zone=zone)
    if before == now and not changes and not content.get("superseded_by"):
        return content

    def change(stored: dict[str, Any]) -> dict[str, Any]:
        mark = {"superseded_by": ""} if "superseded_by" in stored else {}
        return stored | {"video_path": now, "video": stored["video"] | changes} | mark

    if (changed := _rewritten(folder, content["settings_hash"], change)) is None:
        return content
    if before != now:
        log.warning("%s: was %s when it was analysed; its run follows it", path.name, before)
    return changed


def _is_there(before: Path, content: dict[str, Any], is_held: Held) -> bool:
    try:
        return before.stat().st_size == content["video_bytes"] and is_held(before, content["video_id"])
    except OSError:
        return False


def supersede(folder: Place, path: Place, video_id: str) -> None:
    """Mark the run of a video that was at `path`, where the one with the id `video_id` is now.

    A run whose video is elsewhere or the same stays as it is. One that another command writes into is left for next
    time.
    """
    now = printable(path.absolute())

    def mark(stored: dict[str, Any]) -> dict[str, Any]:
        is_replaced = stored["video_path"] == now and stored["video_id"] != video_id
        return stored | {"superseded_by": video_id} if is_replaced else stored

    try:
        settings_hash = manifest_content(folder)["settings_hash"]
    except FervidError:
        return
    done = _rewritten(folder, settings_hash, mark)
    if done is not None and done.get("superseded_by") == video_id:
        log.warning("%s: was replaced; its earlier run in %s is superseded", path.name, folder)


def current_runs(folders: Iterable[Path], named: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Runs that are current, or that are `named` themselves, and the superseded ones."""
    wanted = {folder.resolve() for folder in named}
    current: list[Path] = []
    superseded: list[Path] = []
    for folder in folders:
        is_out = is_superseded(folder) and folder.resolve() not in wanted
        (superseded if is_out else current).append(folder)
    return current, superseded


def is_superseded(folder: Path) -> bool:
    """Whether the video of a run was replaced since; not where the manifest cannot be read, as its reader will say."""
    try:
        text = (folder / MANIFEST).read_bytes()
        # Most manifests need not be parsed for this.
        return MARK in text and NO_MARK not in text and bool(manifest_content(folder).get("superseded_by"))
    except (FervidError, OSError):
        return False


def _rewritten(
    folder: Place, settings_hash: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any] | None:
    """The manifest of a run after a change that is stored; None where it cannot be stored now."""
    try:
        with writing(folder, settings_hash) if is_on_disk(folder) else nullcontext():
            stored = manifest_content(folder)
            if (content := change(stored)) != stored:
                write_json(folder / MANIFEST, seal(content))
            return content
    except (FervidError, OSError):
        return None
