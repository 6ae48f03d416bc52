"""Updates the manifest's path when a video was renamed or moved."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from fervid.base.printable import printable
from fervid.errors import FervidError
from fervid.run.files import MANIFEST
from fervid.run.manifest import manifest_content, seal, write_json
from fervid.run.recorded import restated
from fervid.run.writing import writing
from fervid.storage.place import Place, is_on_disk

log = logging.getLogger(__name__)


def followed(
    folder: Place, content: dict[str, Any], path: Place, *, given: str | None = None, zone: str | None = None
) -> dict[str, Any]:
    """The manifest of a finished run whose video is at `path` now, with that path stored if the old one leads nowhere.

    `given` and `zone` are the start time and the time zone that a user states now: they are stored as well. A copy
    beside the original leaves the run as it is. A run that another command writes into is left for next time.
    """
    before, now = str(content["video_path"]), printable(path.absolute())
    if not is_on_disk(folder) or not is_on_disk(path):
        return content
    changes = restated(content["video"], given=given, zone=zone)
    with suppress(OSError):
        if before == now or Path(before).exists():
            now = before
    if before == now and not changes:
        return content
    with suppress(FervidError, OSError), writing(Path(folder), content["settings_hash"]):
        stored = manifest_content(folder)
        content = stored | {"video_path": now, "video": stored["video"] | changes}
        write_json(folder / MANIFEST, seal(content))
        if before != now:
            log.warning("%s: was %s when it was analysed; its run follows it", path.name, before)
    return content
