"""A hash of rows, stored in the footer of their file: detects damage that still decodes.

Checksums of pages leave the footer out, and the manifest, which holds hashes of whole files, goes before another
analysis reads what was observed for the one before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc


class RowsDigest:
    """SHA-256 of columns of numbers, lists of numbers and bytes, however the rows come in pieces."""

    def __init__(self, schema: pa.Schema, names: Iterable[str]) -> None:
        self._of_column = {name: hashlib.sha256(f"{name} {schema.field(name).type}".encode()) for name in names}
        self._of_lengths = {name: hashlib.sha256() for name in self._of_column}

    def add(self, rows: pa.Table) -> None:
        """Take the next rows, which have no nulls."""
        for name, digest in self._of_column.items():
            for piece in rows[name].chunks:
                if pa.types.is_list(piece.type):
                    self._of_lengths[name].update(pc.list_value_length(piece).to_numpy().tobytes())
                    piece = piece.flatten()
                digest.update(_bytes(piece))

    def hexdigest(self, *others: bytes) -> str:
        """The hash of all rows so far and of other contents of the file."""
        total = hashlib.sha256()
        for name in sorted(self._of_column):
            total.update(self._of_column[name].digest() + self._of_lengths[name].digest())
        for other in others:
            total.update(hashlib.sha256(other).digest())
        return total.hexdigest()


def _bytes(piece: pa.Array) -> bytes:
    if pa.types.is_fixed_size_binary(piece.type):
        width = piece.type.byte_width
        return (
            bytes(piece.buffers()[1][piece.offset * width : (piece.offset + len(piece)) * width]) if len(piece) else b""
        )
    return bytes(piece.to_numpy(zero_copy_only=False).tobytes())
