"""Bundles of evidence: any changed byte is found."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fervid.alerts.review.bundle import LISTING, verify_bundle, write_bundle
from fervid.errors import InputError


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    names = {"a/clip.mp4": b"\x00\x01clip" * 40, "a/alert.json": b'{"x": 1}', "b/empty": b""}
    for i, content in enumerate(names.values()):
        (tmp_path / str(i)).write_bytes(content)
    path = tmp_path / "evidence.zip"
    write_bundle(path, {name: tmp_path / str(i) for i, name in enumerate(names)}, {"video": "ü.mp4", "blur": "all"})
    return path


def test_a_whole_bundle_is_verified_and_its_digest_is_the_one_that_was_noted(bundle: Path, tmp_path: Path) -> None:
    digest, n_files = verify_bundle(bundle)
    assert n_files == 3
    assert verify_bundle(bundle, expected=digest.upper()) == (digest, 3)
    with pytest.raises(InputError, match="is another bundle"):
        verify_bundle(bundle, expected="0" * 64)
    again = tmp_path / "again.zip"
    names = {"a/clip.mp4": "0", "a/alert.json": "1", "b/empty": "2"}
    assert write_bundle(again, {n: tmp_path / f for n, f in names.items()}, {"video": "ü.mp4", "blur": "all"}) == digest
    assert again.read_bytes() == bundle.read_bytes()


def test_a_change_of_any_byte_is_found(bundle: Path) -> None:
    whole = bundle.read_bytes()
    rng = np.random.default_rng(1)
    ends = {*range(150), *range(len(whole) - 150, len(whole))}
    for position in sorted(ends | {*range(0, len(whole), 7)}):
        spoilt = bytearray(whole)
        spoilt[position] ^= 1 << int(rng.integers(8))
        bundle.write_bytes(spoilt)
        with pytest.raises(InputError, match="was changed"):
            verify_bundle(bundle)


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"\0" + b, lambda b: b[: len(b) // 2]]
)
def test_missing_and_additional_bytes_are_found(bundle: Path, spoil: object) -> None:
    bundle.write_bytes(spoil(bundle.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match="was changed"):
        verify_bundle(bundle)


def test_files_put_in_taken_out_and_put_in_place_of_others_are_named(bundle: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

    def stored(changed: dict[str, bytes]) -> None:
        with zipfile.ZipFile(bundle, "w") as archive:
            for name, data in changed.items():
                archive.writestr(name, data)

    for changed, message in (
        (files | {"c/extra": b"x"}, "c/extra was added"),
        ({name: data for name, data in files.items() if name != "b/empty"}, "b/empty was removed"),
        (files | {"a/clip.mp4": b"other"}, "a/clip.mp4 differs from its hash"),
        (files | {LISTING: files[LISTING].replace(b"all", b"any")}, "does not match its own hash"),
        (files, "the archive around them is not"),  # the same files, packed again
    ):
        stored(changed)
        with pytest.raises(InputError, match=message):
            verify_bundle(bundle)


def test_what_is_no_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        verify_bundle(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(InputError, match="is not an evidence bundle"):
        verify_bundle(tmp_path / "text.zip")
