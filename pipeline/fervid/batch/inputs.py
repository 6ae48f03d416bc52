"""Resolves arguments (files, folders, globs, lists) to the videos to analyse. Opens no video."""

from __future__ import annotations

import csv
import difflib
import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.batch.stills import STILL_SUFFIXES, Stills, in_order, is_numbered, numbered_images
from fervid.errors import ConfigError, VideoNotFound
from fervid.run.files import RUN_NAME
from fervid.run.find import is_run, names_of_own_runs
from fervid.storage.place import SCHEME_END, Place, as_place, is_on_disk, is_url

if TYPE_CHECKING:
    from upath import UPath

VIDEO_SUFFIXES = frozenset(
    (
        ".mp4 .m4v .mov .3gp .3g2 .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .flv .wmv .asf .ogv .mxf .h264 .hevc "
        ".mjpeg .dav .vob .gif .264 .265 .h265 .m2v .divx .f4v .ogg .mpv"
    ).split()
)
LEAST_STILLS = 2
"""Fewer images are no video."""
SUFFIXES_SHOWN = 6
NUMBER_COLUMNS = ("fps", "every", "min_face_px", "start", "end", "duration", "bin")
_DECIMAL_COMMA = re.compile(r"^(\d+),(\d+)$")
log = logging.getLogger(__name__)

PATH_COLUMN, PERSON_COLUMN = "path", "person"
OPTION_COLUMNS = (
    "preset",
    "fps",
    "every",
    "start",
    "end",
    "duration",
    "start_time",
    "time_zone",
    "stream",
    "rotate",
    "crop",
    "fast_scan",
    "bin",
    "detector",
    "min_face_px",
    "model",
    "labels",
    "baseline",
)
"""Options that a CSV list may set for each of its videos, named like those of `fervid analyze`."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Videos in order, each once, and the number of other files in the given folders.

    `options` are those of single videos in a CSV list, by column, and `people` maps videos to the person that the list
    gives. `is_many` is true for a folder, pattern, list or several files.
    """

    videos: tuple[Place, ...]
    n_ignored: int
    options: Mapping[Place, Mapping[str, str]] = field(default_factory=dict)
    people: Mapping[Place, str] = field(default_factory=dict)
    is_many: bool = False
    ignored_suffixes: str = ""


def find_videos(names: Iterable[str], stills: Stills | None = None) -> Inputs:
    """Given files are used whatever their suffix; in folders (searched recursively, except run folders) only files with
    known video suffixes. Names may be object storage URLs: `s3://bucket/folder`, `s3://bucket/*.mp4`.

    With `stills` a pattern such as `frames/%05d.jpg`, and each folder of images without a video, is the video made of
    them.

    `@list.txt` is a file with one path or pattern per line, `list.csv` or `@list.csv` one with a column `path` and any
    of `person` and OPTION_COLUMNS; an empty cell leaves the option unset. Raises VideoNotFound for a name that matches
    nothing, ConfigError for an unknown CSV column.
    """
    names = list(names)
    videos: dict[Place, Mapping[str, str]] = {}
    ignored: Counter[str] = Counter()
    is_many = len(names) > 1
    for name in names:
        for named, options in _entries(name):
            entry = str(as_place(named)) if is_url(named) else named
            for path in [_of_numbered(entry, stills)] if is_numbered(entry) else _expand(entry):
                found = _inside(path, stills, ignored) if path.is_dir() else [path]
                is_many |= path.is_dir() or named != name or str(path) != entry
                for video in found:
                    if videos.setdefault(video, options) != options:
                        raise ConfigError(f"{name} lists {video} with two sets of options. Keep one row per video.")
    if not videos:
        found_instead = f"{ignored.total()} other files" + (f": {others}" if (others := _others(ignored)) else "")
        raise VideoNotFound(f"{', '.join(names)}: no video found ({found_instead}). {_next_step(ignored)}")
    own: dict[Place, Mapping[str, str]] = {}
    people: dict[Place, str] = {}
    for path, cells in videos.items():
        if PERSON_COLUMN in cells:
            people[path] = cells[PERSON_COLUMN]
        if options := {name: text for name, text in cells.items() if name != PERSON_COLUMN}:
            own[path] = options
    return Inputs(tuple(videos), ignored.total(), own, people, is_many, _others(ignored))


def _inside(folder: Place, stills: Stills | None, ignored: Counter[str]) -> list[Place]:
    """The videos in a folder, and those made of images; counts the suffixes of the other files."""
    files = list(_walk(folder))
    found = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")]
    used = set(found)
    if stills is not None and is_on_disk(folder):
        with_video = {path.parent for path in found}
        series: dict[Path, list[Path]] = {}
        for path in files:
            if is_on_disk(path) and path.suffix.lower() in STILL_SUFFIXES and path.parent not in with_video:
                series.setdefault(path.parent, []).append(path)
        for place, images in series.items():
            if len(images) >= LEAST_STILLS:
                found.append(stills.video_of(in_order(images), place.absolute().name or "images"))
                used.update(images)
    ignored.update((path.suffix.lower() or "no suffix") for path in files if path not in used)
    return found


def _of_numbered(pattern: str, stills: Stills | None) -> Place:
    """The video made of the images of a pattern. Raises ConfigError without `stills`."""
    if stills is None:
        raise ConfigError(f"{pattern} is a series of images. Give their number per second, as in --rate 25.")
    images = numbered_images(Path(pattern))
    return stills.video_of(images, images[0].absolute().parent.name or "images")


def _others(ignored: Counter[str]) -> str:
    """Of which kinds other files are, such as `2 .jpg, 1 .txt`."""
    return ", ".join(f"{n} {suffix}" for suffix, n in ignored.most_common(SUFFIXES_SHOWN))


def _next_step(ignored: Counter[str]) -> str:
    if any(suffix in STILL_SUFFIXES for suffix in ignored):
        return "For a series of images give their number per second, as in --rate 25."
    return "Give a video file or its folder."


def _entries(name: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The videos of an argument, each with its own options."""
    path = as_place(name.removeprefix("@"))
    if path.suffix.lower() == ".csv":
        yield from _read_csv(path)
    elif name.startswith("@"):
        yield from ((entry, {}) for entry in _read_list(path))
    else:
        yield name, {}


def _walk(folder: Place) -> Iterator[Place]:
    """The files below a folder, sorted by name. Links to folders are not followed because of cycles."""
    if not is_on_disk(folder):
        yield from _walk_objects(folder)
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                # A run folder may contain derived videos.
                if not (RUN_NAME.fullmatch(entry.name) and is_run(path)):
                    yield from _walk(path)
            elif not entry.is_symlink() or not path.is_dir():
                yield path


def _walk_objects(folder: UPath) -> Iterator[UPath]:
    """The objects below a folder, sorted by name, except those of runs."""
    base = folder.path.rstrip("/") + "/"
    names = [name.removeprefix(base) for name in sorted(folder.fs.find(folder.path))]
    runs = names_of_own_runs(names)
    for name in names:
        parts = name.split("/")
        if not any("/".join(parts[:n]) in runs for n in range(1, len(parts))):
            yield folder / name


def _expand(name: str) -> list[Place]:
    """The places that match a name or pattern; an existing file whose name looks like a pattern is used as is."""
    if is_url(name):
        return _expand_object(name)
    if os.path.lexists(name) or not glob.has_magic(name):
        return [Path(name)]
    matches = sorted(glob.glob(name, recursive=True))
    if not matches:
        raise VideoNotFound(f"{name} matches no file. Check the pattern.")
    return [Path(match) for match in matches]


def _expand_object(name: str) -> list[Place]:
    place = as_place(name)
    if is_on_disk(place) or not glob.has_magic(name) or place.exists():
        return [place]
    matches = sorted(place.fs.glob(place.path))
    if not matches:
        raise VideoNotFound(f"{name} matches no object. Check the pattern.")
    scheme = name.partition(SCHEME_END)[0]
    return [as_place(f"{scheme}{SCHEME_END}{match}") for match in matches]


def _read_list(path: Place) -> list[str]:
    lines = _read_text(path, "one path per line").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _read_csv(path: Place) -> list[tuple[str, Mapping[str, str]]]:
    lines = _read_text(path, "a column `path`").splitlines()
    head = lines[0] if lines else ""
    # A spreadsheet separates cells by what the decimal sign of its language leaves free.
    separator = max((",", ";", "\t"), key=head.count)
    reader = csv.DictReader(lines, skipinitialspace=True, delimiter=separator)
    columns = [_column(name) for name in reader.fieldnames or ()]
    allowed = (PATH_COLUMN, *OPTION_COLUMNS, PERSON_COLUMN)
    known = ", ".join(allowed)
    if PATH_COLUMN not in columns:
        raise ConfigError(f"{path} has no column {PATH_COLUMN!r} (columns: {', '.join(columns)}). Use one of: {known}.")
    for column in columns:
        if column not in allowed and (near := difflib.get_close_matches(column, allowed, n=1, cutoff=0.65)):
            raise ConfigError(f"{path}: column {column!r} does not exist. Did you mean {near[0]!r}?")
    if notes := [column for column in columns if column and column not in allowed]:
        log.warning("%s: columns that are no options are kept as notes: %s", path.name, ", ".join(notes))
    rows: list[tuple[str, Mapping[str, str]]] = []
    for row in reader:
        if any(row.pop(None, ())):
            raise ConfigError(f"{path}, line {reader.line_num}: more cells than columns. Quote cells with commas.")
        cells = {_column(name): (cell or "").strip() for name, cell in row.items()}
        cells = {name: cell for name, cell in cells.items() if name in allowed}
        cells |= {name: _DECIMAL_COMMA.sub(r"\1.\2", cells[name]) for name in NUMBER_COLUMNS if name in cells}
        entry = cells.pop(PATH_COLUMN)
        if not entry:
            raise ConfigError(f"{path}, line {reader.line_num}: the path is empty. Give a video in every row.")
        rows.append((entry, {name: cell for name, cell in cells.items() if cell}))
    return rows


def _column(name: str) -> str:
    """The name of a column as options are called: `Min face px` is `min_face_px`."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _read_text(path: Place, expected: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        hint = (
            f" For the file @{path.name} itself write ./@{path.name}." if path.suffix.lower() in VIDEO_SUFFIXES else ""
        )
        raise VideoNotFound(
            f"list {path} cannot be read ({problem}). Give a text file with {expected}.{hint}"
        ) from None
