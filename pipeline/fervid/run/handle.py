"""A finished run on disk: its folder, its manifest, its tables, and a summary for people and programs."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from fervid.errors import InputError
from fervid.run.derived import noted_hashes
from fervid.run.files import ID_DIGITS, MADE_LATER, MANIFEST, PLOT
from fervid.run.manifest import RunManifest, manifest_content, read_manifest
from fervid.run.summary import results_in_numbers, summarise
from fervid.run.tables import read_table
from fervid.storage.place import Place, as_place, is_on_disk, names_in

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """A run folder. Tables are read when asked for, as Arrow tables (`.to_pandas()` for a DataFrame).

    A handle reads only its own run: if the folder was analysed again with other settings, InputError is raised.
    """

    folder: Path
    manifest: RunManifest
    was_there: bool = False
    """Whether the result existed already, so that nothing was analysed."""

    def __repr__(self) -> str:
        video = PurePath(self.manifest.video_path).name
        return f"<Run {str(self.folder)!r} of {video!r}, {self.manifest.status}>"

    def _repr_html_(self) -> str:
        """The run in a notebook: its summary, and its plot where it has one of its own."""
        from fervid.run.notebook import run_html

        return run_html(self.summary(), self._plot())

    @property
    def frames(self) -> pa.Table:
        """One row per analysed frame, faces or not."""
        return self._table("frames")

    @property
    def faces(self) -> pa.Table:
        """One row per face: box, raw and smoothed probabilities, label, quality."""
        return self._table("faces")

    @property
    def tracks(self) -> pa.Table:
        """One row per track."""
        return self._table("tracks")

    @property
    def timeline(self) -> pa.Table:
        """One row per time bin, weighted by seconds."""
        return self._table("timeline")

    def summary(self) -> dict[str, Any]:
        """The key figures of the run, ready for JSON."""
        content = asdict(self.manifest)
        if not content["results"]:  # written before manifests held them
            content["results"] = results_in_numbers(
                self.timeline, self.faces, self.tracks, self.manifest.model["labels"]
            )
        plot = (PLOT,) if (self.folder / PLOT).is_file() else ()
        return summarise(content, self.folder, was_there=self.was_there, others=plot)

    def _plot(self) -> bytes | None:
        """The plot of this run; None without one, or if another run replaced it."""
        try:
            content = (self.folder / PLOT).read_bytes()
        except OSError:
            return None
        known = {self.manifest.outputs.get(PLOT), *noted_hashes(self.folder, PLOT)}  # earlier versions: the manifest
        return content if hashlib.sha256(content).hexdigest() in known else None

    def _table(self, name: str) -> pa.Table:
        return read_table(self.folder, self.manifest.settings_hash, name)


def open_run(folder: str | Place) -> Run:
    """Open a run folder. Raises InputError when it is not a complete run.

    One in object storage is copied, without its observations, to a folder of this machine that the process removes when
    it ends: what is written there does not go back.
    """
    place = as_place(folder)
    if not is_on_disk(place):
        from fervid.storage.copies import Copies

        content = manifest_content(place)  # or the reason why it is not a run
        copies = Copies(place, (MANIFEST, *content["outputs"], *MADE_LATER))
        place = next(iter(copies.places))
    return Run(place, read_manifest(place))


def run_folder_name(path: Place, video_id: str) -> str:
    """A readable and safe folder name: the stem in plain letters, and the start of the id."""
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    return (
        f"{re.sub(r'[^A-Za-z0-9]+', '-', plain).strip('-').lower()[:60].rstrip('-') or 'video'}-{video_id[:ID_DIGITS]}"
    )


class RunFolders:
    """The run folders below `out`, found by what they hold: a renamed video is the same video."""

    def __init__(self, out: Place) -> None:
        self._out = out
        self._by_id = {name[-ID_DIGITS:]: name for name in names_in(out) if not name.startswith(".")}

    def of(self, path: Place, video_id: str) -> Place:
        """The folder of a video: the one that holds its result, under whatever name, or the one to be made."""
        folder = self._out / run_folder_name(path, video_id)
        other = self._by_id.get(video_id[:ID_DIGITS])
        if other is None or other == folder.name or folder.exists():
            return folder
        try:
            held = manifest_content(self._out / other)["video_id"]
        except InputError:
            return folder
        return self._out / other if held == video_id else folder
