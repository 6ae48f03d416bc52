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

    `@list.txt` names a file with one path a line. Raises VideoNotFound for a name that stands for nothing.
    """
    videos: dict[Path, None] = {}
    n_ignored = 0
    for name in names:
        if name.startswith("@"):
            nested = find_videos(_read_list(Path(name[1:])))
            videos.update(dict.fromkeys(nested.videos))
            n_ignored += nested.n_ignored
        elif Path(name).is_dir():
            files = sorted(p for p in Path(name).rglob("*") if p.is_file())
            taken = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith(".")]
            videos.update(dict.fromkeys(taken))
            n_ignored += len(files) - len(taken)
        elif not Path(name).exists() and glob.has_magic(name):
            matches = sorted(glob.glob(name, recursive=True))
            if not matches:
                raise VideoNotFound(f"{name} matches no file. Check the pattern.")
            nested = find_videos(matches)
            videos.update(dict.fromkeys(nested.videos))
            n_ignored += nested.n_ignored
        else:
            videos[Path(name)] = None
    if not videos:
        raise VideoNotFound(
            f"{', '.join(names)}: no video found ({n_ignored} other files). Name a video file or its folder."
        )
    return Inputs(tuple(videos), n_ignored)


def _read_list(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise VideoNotFound(f"list {path} cannot be read ({problem}). Give a text file with one path a line.") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
