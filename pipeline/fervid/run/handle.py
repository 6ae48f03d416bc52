"""A finished run on disk: its folder, its manifest, its tables, and a summary for people and programs."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from fervid.base.printable import printable
from fervid.errors import InputError
from fervid.run.derived import noted_hashes
from fervid.run.files import ID_DIGITS, MADE_LATER, MANIFEST, NAME_BYTES, NAME_LETTERS, PLOT
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


def is_named(run: Run, name: str) -> bool:
    """Whether a user's `name` means this run: its video's file name with as much of its path as given, folder or id."""
    if name in (run.manifest.video_id, run.folder.name):
        return True
    wanted, path = PurePath(name).parts, PurePath(run.manifest.video_path).parts
    return bool(wanted) and path[-len(wanted) :] == wanted


def run_folder_name(path: Place, video_id: str) -> str:
    """A readable and safe folder name: the letters and digits of the stem, in any script, and the start of the id."""
    return f"{_safe(path.stem)}-{video_id[:ID_DIGITS]}"


class RunFolders:
    """The run folders below `out`, found by what they hold: a renamed video is the same video."""

    def __init__(self, out: Place) -> None:
        self._out = out
        names = [name for name in names_in(out) if not name.startswith(".")]
        self._by_id = {name[-ID_DIGITS:]: name for name in names}
        self._by_stem: dict[str, list[str]] = {}
        for name in names:
            self._by_stem.setdefault(_stem(name), []).append(name)
        self._videos: dict[str, list[tuple[str, str, str]]] = {}

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

    def held_in(self, folder: Place) -> str:
        """The id of the video whose result a run folder holds; empty where there is none."""
        try:
            return str(manifest_content(folder)["video_id"])
        except InputError:
            return ""

    def is_begun_after(self, folder: Place, seconds: float) -> bool:
        """Whether a finished run was begun later than at `seconds` since 1970."""
        try:
            return datetime.fromisoformat(manifest_content(folder)["started_utc"]).timestamp() > seconds
        except (InputError, KeyError, ValueError):
            return False

    def replaced(self, path: Place, video_id: str, former_id: str | None) -> tuple[Place, ...]:
        """The runs whose video was at `path` when they were made, where another one is now.

        They are looked for among those named like the file, and by the id that it had before, if known. Runs that are
        marked as superseded are none of them.
        """
        own = self.of(path, video_id).name
        found = []
        for stem in dict.fromkeys((_safe(path.stem), _former_stem(path.stem))):
            if self._by_stem.get(stem, [own]) != [own]:  # most have no other
                found += self._held_by(stem)
        if former_id is not None and (name := self._by_id.get(former_id[:ID_DIGITS])) is not None:
            found += self._held_by(_stem(name))
        now = printable(path.absolute())
        return tuple(dict.fromkeys(self._out / name for name, at, held in found if at == now and held != video_id))

    def _held_by(self, stem: str) -> list[tuple[str, str, str]]:
        """Of the runs whose names begin alike: the folder's name, where its video is, and the video's id."""
        names = self._by_stem.get(stem, [])
        if stem not in self._videos:
            self._videos[stem] = []
            for name in names:
                with suppress(InputError):
                    content = manifest_content(self._out / name)
                    if not content.get("superseded_by"):
                        self._videos[stem].append((name, str(content["video_path"]), str(content["video_id"])))
        return self._videos[stem]


def _safe(stem: str) -> str:
    """A file's name without what file systems and shells give a meaning: NFC, in small letters, hyphens between.

    Letters and digits with a plain form (`é`, `Ａ`) take it, others are kept.
    """
    kept = ""
    for letter in unicodedata.normalize("NFC", stem):
        kind = unicodedata.category(letter)[0]
        if plain := _plain(letter):
            kept += plain
        elif kind in "LN" or (kind == "M" and kept and not kept[-1].isascii()):
            kept += letter
        elif kind != "M":
            kept += "-"
    name = unicodedata.normalize("NFC", _hyphened(kept))[:NAME_LETTERS]
    return name.encode()[:NAME_BYTES].decode("utf-8", "ignore").rstrip("-") or "video"


def _former_stem(stem: str) -> str:
    """What run folders were named after until 2026-11-30: plain letters alone."""
    return _hyphened(_plain(stem))[:NAME_LETTERS].rstrip("-") or "video"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _hyphened(text: str) -> str:
    return re.sub(r"[\x00-/:-@\[-`{-\x7f]+", "-", text).strip("-").lower()


def _stem(name: str) -> str:
    return name[: -ID_DIGITS - 1]
