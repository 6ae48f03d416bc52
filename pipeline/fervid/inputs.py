"""From what a user names (files, folders, globs, @lists) to the videos to analyse. Opens no video."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fervid.errors import VideoNotFound

VIDEO_SUFFIXES = frozenset(
    (
        ".mp4 .m4v .mov .3gp .3g2 .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .flv .wmv .asf .ogv .mxf .h264 .hevc .mjpeg"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Videos in order, each once, and how many other files the named folders held."""

    videos: tuple[Path, ...]
    n_ignored: int


def find_videos(names: Iterable[str]) -> Inputs:
    """Files are taken as named, whatever their suffix; in folders (searched to the bottom) only known video suffixes.

    `@list.txt` names a file with one path or pattern a line. Raises VideoNotFound for a name that stands for nothing.
    """
    videos: dict[Path, None] = {}
    n_ignored = 0
    for name in names:
        for entry in _read_list(Path(name[1:])) if name.startswith("@") else [name]:
            for path in _expand(entry):
                if path.is_dir():
                    files = sorted(p for p in path.rglob("*") if p.is_file())
                    taken = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith(".")]
                    videos.update(dict.fromkeys(taken))
                    n_ignored += len(files) - len(taken)
                else:
                    videos[path] = None
    if not videos:
        named = ", ".join(names)
        raise VideoNotFound(f"{named}: no video found ({n_ignored} other files). Name a video file or its folder.")
    return Inputs(tuple(videos), n_ignored)


def _expand(name: str) -> list[Path]:
    """The paths that a name or pattern stands for; a file whose name looks like a pattern is that file."""
    if Path(name).exists() or not glob.has_magic(name):
        return [Path(name)]
    matches = sorted(glob.glob(name, recursive=True))
    if not matches:
        raise VideoNotFound(f"{name} matches no file. Check the pattern.")
    return [Path(match) for match in matches]


def _read_list(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise VideoNotFound(f"list {path} cannot be read ({problem}). Give a text file with one path a line.") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
