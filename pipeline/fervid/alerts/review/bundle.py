"""A tamper-evident archive of files: any changed byte is detected. Independent of the files' content.

The archive has one canonical form: entries sorted by name, uncompressed, with one fixed date. `verify_bundle`
checks each file against the list of hashes within, the list against its own hash, and then rebuilds the archive in
memory: any differing byte, also in a header, is a change. Anyone who can write files can also make a new bundle with
new hashes, so record the digest printed at creation: `expected` compares with it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fervid.errors import InputError, OutputError
from fervid.storage.publish import write_whole

LISTING = "evidence.json"
DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date of the format; the real dates are in the contents."""


def make_bundle(contents: Mapping[str, Path], about: Mapping[str, Any]) -> tuple[bytes, str]:
    """An archive of files by their names in it, with a list of their hashes, and its digest. Raises OSError."""
    files = {name: source.read_bytes() for name, source in sorted(contents.items())}
    listing = _listing({name: hashlib.sha256(data).hexdigest() for name, data in files.items()}, about)
    return _archive(files | {LISTING: listing}), hashlib.sha256(listing).hexdigest()


# Decision PRI-3.
def write_bundle(path: Path, contents: Mapping[str, Path], about: Mapping[str, Any]) -> str:
    """Write what `make_bundle` makes in one atomic step; returns its digest."""
    try:
        archive, digest = make_bundle(contents, about)
        write_whole(path, archive)
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Check its folder.") from None
    return digest


def verify_bundle(path: Path, *, expected: str | None = None) -> tuple[str, int]:
    """The digest of an intact bundle and its number of files. Raises InputError naming what was changed."""
    try:
        stored = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(stored)) as archive:
            _check_sizes(archive, len(stored))
            names = archive.namelist()
            files = {name: archive.read(name) for name in names}
        listing = json.loads(files[LISTING])
        about, hashes = listing["about"], listing["files"]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give an evidence.zip.") from None
    except Exception as problem:  # for damaged archives zipfile raises various errors
        raise InputError(f"{path} was changed or is not an evidence bundle ({problem}).") from None
    if files[LISTING] != _listing(hashes, about):
        raise InputError(f"{path} was changed: the list of hashes does not match its own hash.")
    for name in sorted({*hashes, *files} - {LISTING}):
        if name not in files or name not in hashes:
            raise InputError(f"{path} was changed: {name} was {'removed' if name not in files else 'added'}.")
        if hashlib.sha256(files[name]).hexdigest() != hashes[name]:
            raise InputError(f"{path} was changed: {name} differs from its hash.")
    if len(names) != len(files) or _archive(files) != stored:
        raise InputError(f"{path} was changed: every file is intact, but the archive around them is not.")
    digest = hashlib.sha256(files[LISTING]).hexdigest()
    if expected is not None and digest != expected.strip().lower():
        raise InputError(f"{path} is another bundle: its digest is {digest}, expected {expected}.")
    return digest, len(hashes)


def _check_sizes(archive: zipfile.ZipFile, n_bytes: int) -> None:
    """Raises ValueError for an archive that would unpack to more than its size: bundles are never compressed."""
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ValueError(f"{entry.filename} is compressed, but bundles are not")
    if sum(entry.file_size for entry in archive.infolist()) > n_bytes:
        raise ValueError("its entries are larger than the archive")


def _listing(hashes: Mapping[str, str], about: Mapping[str, Any]) -> bytes:
    content = {"about": about, "files": dict(sorted(hashes.items()))}
    own = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    return (json.dumps(content | {"sha256": own}, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _archive(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system = 3  # as on Unix, on every system
            archive.writestr(entry, files[name])
    return out.getvalue()
