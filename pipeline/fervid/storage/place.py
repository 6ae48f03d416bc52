"""Parses the user's paths and URLs into places on disk or in an object store. Reads and writes nothing itself.

The libraries of object stores are imported on demand.
"""

# Decisions STO-5, STO-8.

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

from fervid.errors import ConfigError, Extra, missing

if TYPE_CHECKING:
    from typing_extensions import TypeIs
    from upath import UPath

Place: TypeAlias = "Path | UPath"
"""Where a file or folder is: on disk, or in an object store."""

EXTRAS: dict[str, Extra] = {"s3": "s3", "gs": "gcs"}
"""The scheme of an object store, and the extra of fervid with its library."""

SCHEME_END = "://"
BLOCK_BYTES, MAX_BLOCKS = 1 << 20, 16
"""Block size when reading an object: about a second of video. The next block is prefetched, and recent ones are cached:
a decoder alternates between the index of a file and its frames. Larger blocks save requests, but each segment reopens
the file at several positions."""


def as_place(name: str | Place) -> Place:
    """The place of a name: a path, `file://`, `s3://` or `gs://`. Raises ConfigError or DependencyMissing."""
    if not isinstance(name, str):
        return name
    scheme, end, rest = name.partition(SCHEME_END)
    if not end:
        return Path(name)
    if scheme == "file":
        return Path(unquote(urlsplit(name).path))
    if scheme not in EXTRAS:
        raise ConfigError(f"{name}: {scheme}{SCHEME_END} is not supported. Give a path, or file://, s3:// or gs://.")
    if not rest.strip("/"):
        raise ConfigError(f"{name} has no bucket. Write {scheme}{SCHEME_END}BUCKET/FOLDER.")
    try:
        from upath import UPath

        # Listings are not cached: other processes write there too.
        place = UPath(name.rstrip("/"), use_listings_cache=False)
        _ = place.fs
    except ImportError as problem:
        raise missing(name, "a library for object storage", EXTRAS[scheme], problem) from None
    return place


def is_url(name: str) -> bool:
    """Whether a name has a scheme, as object stores have."""
    return SCHEME_END in name


def is_on_disk(place: Place) -> TypeIs[Path]:
    """Whether a place is a path of this machine; else it is in an object store."""
    return isinstance(place, Path)


def open_for_reading(place: Place, *, is_all_wanted: bool = True, n_bytes: int | None = None) -> Any:
    """A binary file. Objects are fetched block by block, or as a whole with `is_all_wanted`.

    `n_bytes` is its size if known, which saves a request.
    """
    if is_on_disk(place):
        return place.open("rb")
    if not is_all_wanted:
        return place.open("rb", cache_type="none", size=n_bytes)
    return place.open(
        "rb", block_size=BLOCK_BYTES, cache_type="background", cache_options={"maxblocks": MAX_BLOCKS}, size=n_bytes
    )


def read_text(place: Place) -> str:
    """The text of a small file, which is UTF-8. Raises OSError or UnicodeDecodeError."""
    return read_bytes(place).decode()


def read_bytes(place: Place) -> bytes:
    """The content of a small file. Raises OSError."""
    return place.read_bytes() if is_on_disk(place) else bytes(place.fs.cat_file(place.path))


def make_folder(place: Place) -> None:
    """Make a folder and those above it, so that they are there after a power cut. Object stores have none to make."""
    if not is_on_disk(place):
        return
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    place.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder to disk, if the system supports it.

    Windows cannot open a folder, and some network file systems refuse to sync one.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            raise
    finally:
        os.close(descriptor)


def remove_file(place: Place) -> None:
    """Remove a file or object; it may be missing."""
    with suppress(FileNotFoundError):
        if is_on_disk(place):
            place.unlink()
        else:
            place.fs.rm_file(place.path)  # one request; `unlink` checks for existence first


def remove_folder(place: Place) -> None:
    """Remove a folder and its contents as far as possible; it may be missing."""
    if is_on_disk(place):
        shutil.rmtree(place, ignore_errors=True)
        return
    with suppress(FileNotFoundError):
        place.fs.rm(place.path, recursive=True)


def remove_if_empty(place: Place) -> None:
    """Remove an empty folder on disk. In object stores folders do not exist without objects."""
    if is_on_disk(place):
        with suppress(OSError):
            place.rmdir()


def names_in(folder: Place) -> list[str]:
    """The names in a folder, sorted; empty for a missing folder."""
    if is_on_disk(folder):
        return sorted(os.listdir(folder)) if folder.is_dir() else []
    try:
        return sorted(entry.rstrip("/").rsplit("/", 1)[-1] for entry in folder.fs.ls(folder.path, detail=False))
    except FileNotFoundError:
        return []


def sizes_in(folder: Place) -> dict[str, int]:
    """The files in a folder with their sizes in bytes; empty for a missing folder."""
    if is_on_disk(folder):
        try:
            with os.scandir(folder) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except OSError:
            return {}
    try:
        found = folder.fs.ls(folder.path, detail=True)
    except FileNotFoundError:
        return {}
    return {entry["name"].rsplit("/", 1)[-1]: int(entry["size"] or 0) for entry in found if entry["type"] == "file"}
