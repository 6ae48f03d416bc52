"""The observations of one segment of a video: written atomically, and verified when read.

One row per sampled frame, with its faces as lists. Knows nothing of how they were seen.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fervid.base.types import FACE_QUALITY, FaceScores
from fervid.errors import InputError
from fervid.observe.digest import RowsDigest
from fervid.storage.place import Place, read_bytes
from fervid.storage.publish import written_whole
from fervid.video.ledger import Ledger

log = logging.getLogger(__name__)

ROWS_PER_GROUP = 512
LEDGER_KEY, OBSERVE_KEY = b"fervid.ledger", b"fervid.observe_key"

THUMBNAIL, THUMBNAIL_PX = "thumbnail", (32, 18)
FLOW = "flow"
ROWS_KEY, THUMBNAILS_KEY = b"fervid.rows_sha256", b"fervid.thumbnails_sha256"

SCHEMA = pa.schema(
    [
        ("frame", pa.int64()),
        ("pts", pa.int64()),
        ("time_s", pa.float64()),
        ("is_corrupt", pa.bool_()),
        ("boxes", pa.list_(pa.float32())),
        ("confidence", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.float32())),
        ("looks", pa.list_(pa.float32())),
        ("landmarks", pa.list_(pa.float16())),
        ("logits", pa.list_(pa.float32())),
        (THUMBNAIL, pa.binary(THUMBNAIL_PX[0] * THUMBNAIL_PX[1])),
    ]
)
FLOW_FIELD = pa.field(FLOW, pa.list_(pa.float16()))
"""The column of motion statistics, of observations that measured them; a list is empty where that was not possible."""
WITH_FLOW = SCHEMA.append(FLOW_FIELD)
ROWS = [name for name in SCHEMA.names if name != THUMBNAIL]


def write_observations(
    path: Place, scored: Iterator[FaceScores], ledger: Ledger, *, observe_key: str, has_flow: bool = False
) -> int:
    """Write a segment's observations to `path` in one atomic step; returns the rows written.

    The ledger, complete only when the last frame has passed, goes into a footer of the file. `has_flow` stores how the
    image moves, too.
    """
    n_rows = 0
    schema, names = (WITH_FLOW, [*ROWS, FLOW]) if has_flow else (SCHEMA, ROWS)
    rows_digest, thumbnails_digest = RowsDigest(schema, names), RowsDigest(schema, [THUMBNAIL])
    with (
        written_whole(path) as partial,
        pq.ParquetWriter(partial, schema, compression="zstd", write_page_checksum=True) as writer,
    ):

        def write(rows: list[FaceScores]) -> None:
            table = _table(rows, schema)
            rows_digest.add(table)
            thumbnails_digest.add(table)
            writer.write_table(table)

        rows: list[FaceScores] = []
        for scores in scored:
            rows.append(scores)
            if len(rows) == ROWS_PER_GROUP:
                n_rows += len(rows)
                write(rows)
                rows = []
        n_rows += len(rows)
        write(rows)
        about = {LEDGER_KEY: json.dumps(asdict(ledger)).encode(), OBSERVE_KEY: observe_key.encode()}
        hashes = {ROWS_KEY: rows_digest.hexdigest(*about.values()), THUMBNAILS_KEY: thumbnails_digest.hexdigest()}
        writer.add_key_value_metadata(about | {key: value.encode() for key, value in hashes.items()})
    return n_rows


def read_observations(path: Place) -> tuple[pa.Table, Ledger, str]:
    """The rows that `write_observations` stored, without their thumbnails, the ledger, and the file's SHA-256.

    Raises InputError for a file that does not hold what was written.
    """
    content = read_bytes(path)
    rows, about = _checked(path, content, ROWS, ROWS_KEY)
    return rows, Ledger(**json.loads(about[LEDGER_KEY])), hashlib.sha256(content).hexdigest()


def read_thumbnails(paths: Iterable[Place]) -> Iterator[pa.Array]:
    """The thumbnails of observations, a file at a time: they are most of what those of a long video weigh.

    Raises InputError as `read_observations`.
    """
    for path in paths:
        yield from _checked(path, read_bytes(path), [THUMBNAIL], THUMBNAILS_KEY)[0][THUMBNAIL].chunks


def thumbnail_near(paths: Sequence[Place], seconds: float) -> tuple[np.ndarray, np.ndarray] | None:
    """The thumbnail uint8 (18, 32) of the frame nearest to a moment, and its boxes (n, 4): left, top, right, bottom in
    pixels of the video. `paths` are in the order of time.

    None where there is none that can be read: it is something to look at until there is a picture.
    """
    try:
        files = [pq.ParquetFile(pa.BufferReader(read_bytes(path))) for path in _around(paths, seconds)]  # noqa: TID251
        rows = pa.concat_tables([file.read(["time_s", "boxes", THUMBNAIL], use_threads=False) for file in files])
        rows = rows.filter(pc.greater(pc.binary_length(rows[THUMBNAIL]), 0))
        nearest = int(np.abs(rows["time_s"].to_numpy() - seconds).argmin())
        pixels = np.frombuffer(rows[THUMBNAIL][nearest].as_py(), np.uint8)
        return pixels.reshape(THUMBNAIL_PX[::-1]), np.array(rows["boxes"][nearest].as_py(), float).reshape(-1, 4)
    except (OSError, ValueError, KeyError, IndexError, TypeError, pa.ArrowException):
        return None


def _around(paths: Sequence[Place], seconds: float) -> Sequence[Place]:
    """The file whose first frame is the last one before a moment, found by halves."""
    low, high = 0, len(paths)
    while high - low > 1:
        middle = (low + high) // 2
        file = pq.ParquetFile(pa.BufferReader(read_bytes(paths[middle])))  # noqa: TID251 (observations)
        times = file.read_row_group(0, ["time_s"], use_threads=False)["time_s"]
        low, high = (middle, high) if times[0].as_py() <= seconds else (low, middle)
    return paths[low:high]


def is_observed(path: Place, observe_key: str) -> bool:
    """Whether `path` holds observations made with the same video, settings and model, complete and as they were."""
    try:
        content = read_bytes(path)
        _, about = _checked(path, content, ROWS, ROWS_KEY)
        _checked(path, content, [THUMBNAIL], THUMBNAILS_KEY)
    except FileNotFoundError:
        return False
    except InputError as problem:
        log.info("observed again: %s", problem)
        return False
    return ROWS_KEY in about and about[OBSERVE_KEY] == observe_key.encode()


def _checked(path: Place, content: bytes, columns: list[str], key: bytes) -> tuple[pa.Table, dict[bytes, bytes]]:
    """Columns of observations and what the footer says; files of earlier versions name no hash of them."""
    try:
        stored = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)  # noqa: TID251 (observations)
        if key == ROWS_KEY and FLOW in stored.schema_arrow.names:
            columns = [*columns, FLOW]
        rows, about = stored.read(columns, use_threads=False), dict(stored.metadata.metadata or {})
        digest = RowsDigest(WITH_FLOW, columns)
        digest.add(rows)
        others = (about[LEDGER_KEY], about[OBSERVE_KEY]) if key == ROWS_KEY else ()
        is_as_written = rows.schema.remove_metadata() == pa.schema([WITH_FLOW.field(name) for name in columns])
        is_as_written &= about.get(key, digest.hexdigest(*others).encode()) == digest.hexdigest(*others).encode()
    except (OSError, ValueError, KeyError, pa.ArrowException) as problem:
        raise _not_as_written(path, str(problem)) from None
    if not is_as_written:
        raise _not_as_written(path, "its values do not match its hash")
    return rows, about


def _not_as_written(path: Place, fault: str) -> InputError:
    reason = fault.partition("\n")[0]
    return InputError(f"{path} is damaged ({reason}). Analyse its video again: damaged parts are observed again.")


def _table(rows: list[FaceScores], schema: pa.Schema = SCHEMA) -> pa.Table:
    found = [scores.detections for scores in rows]
    columns = {
        "frame": [d.frame_index for d in found],
        "pts": [d.pts for d in found],
        "time_s": [d.pts_seconds for d in found],
        "is_corrupt": [d.is_corrupt for d in found],
        "boxes": [d.boxes.ravel() for d in found],
        "confidence": [d.confidence for d in found],
        "quality": [scores.quality for scores in rows],
        "looks": [scores.face_quality.ravel() for scores in rows],
        "landmarks": [_shares_of_box(d.landmarks, d.boxes) for d in found],
        "logits": [scores.logits.ravel() for scores in rows],
        THUMBNAIL: [scores.thumbnail.tobytes() for scores in rows],
        FLOW: [scores.flow for scores in rows],
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _shares_of_box(landmarks: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Landmarks (n, 5, 2) as shares of their boxes (n, 4), float16 (n * 10,): exact to a thousandth of a face."""
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    shares: np.ndarray = ((landmarks - boxes[:, None, :2]) / sides).astype(np.float16)
    return shares.ravel()


def flow_arrays(table: pa.Table) -> list[np.ndarray]:
    """The flow statistics of each frame of observations, float16 (k,), empty where they could not be measured."""
    return [row for piece in table[FLOW].chunks for row in _lists(piece)]


def _lists(piece: pa.ListArray) -> list[np.ndarray]:
    """The rows of a list array as views."""
    values = piece.values.to_numpy(zero_copy_only=False)
    return [values[begin:end] for begin, end in pairwise(piece.offsets.to_pylist())]


def face_arrays(table: pa.Table) -> dict[str, np.ndarray]:
    """The faces of observations as columns, one row per face; `row` is the row of its frame."""
    counts = pc.list_value_length(table["confidence"]).to_numpy()
    n = int(counts.sum())

    def flat(name: str) -> np.ndarray:
        pieces = [piece.flatten().to_numpy() for piece in table[name].chunks]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    boxes = flat("boxes").reshape(n, 4)
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    return {
        "row": np.repeat(np.arange(table.num_rows), counts),
        "boxes": boxes,
        "confidence": flat("confidence"),
        "quality": flat("quality"),
        "looks": flat("looks").reshape(n, len(FACE_QUALITY)),
        "landmarks": boxes[:, None, :2] + sides * flat("landmarks").reshape(n, 5, 2),
        "logits": flat("logits").reshape(n, -1) if n else np.zeros((0, 0), np.float32),
    }
