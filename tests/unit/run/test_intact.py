"""Damage to the files of a run is noticed, whichever bit it is, and nothing that fits is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from alert_runs import face, make_run
from fervid.errors import InputError
from fervid.observe.digest import RowsDigest
from fervid.run.derived import note_hashes, noted_hashes
from fervid.run.files import MANIFEST
from fervid.run.handle import Run, open_run
from fervid.run.manifest import manifest_content, misfits, seal
from fervid.storage.files import file_sha256
from fervid.storage.publish import append_synced


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose manifest is sealed and holds the hashes of its tables."""
    times = np.round(np.arange(0, 20, 0.2), 6)
    made = make_run(tmp_path / "run", [face(t, 0, 0.5) for t in times.tolist()], times)
    files = [made.folder / f"{name}.parquet" for name in ("faces", "frames")]
    content = manifest_content(made.folder) | {
        "outputs": {file.name: file_sha256(file) for file in files},
        "output_bytes": {file.name: file.stat().st_size for file in files},
    }
    (made.folder / MANIFEST).write_text(json.dumps(seal(content)))
    return open_run(made.folder)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.mark.parametrize("table", ["faces", "frames"])
def test_no_bit_of_a_table_changes_unnoticed(run: Run, table: str, rng: Callable[..., int]) -> None:
    path = run.folder / f"{table}.parquet"
    whole = path.read_bytes()
    for _ in range(60):
        flip(path, rng(len(whole) * 8))
        with pytest.raises(InputError):
            getattr(run, table)
        path.write_bytes(whole)
    assert getattr(run, table).num_rows == 100


def test_no_bit_of_a_manifest_changes_unnoticed(run: Run, rng: Callable[..., int]) -> None:
    path = run.folder / MANIFEST
    whole, known = path.read_bytes(), manifest_content(run.folder)
    for _ in range(400):
        flip(path, rng(len(whole) * 8))
        try:
            found = manifest_content(run.folder)
        except InputError:
            continue
        finally:
            path.write_bytes(whole)
        assert found == known  # white space


@pytest.fixture
def rng() -> Callable[..., int]:
    source = np.random.default_rng(20)
    return lambda n: int(source.integers(n))


def test_a_manifest_of_an_earlier_version_has_no_hash_and_is_read(run: Run) -> None:
    content = manifest_content(run.folder)
    for name in ("sha256", "output_bytes", "observations"):
        content.pop(name, None)
    (run.folder / MANIFEST).write_text(json.dumps(content))
    assert open_run(run.folder).faces.num_rows == 100


def test_a_manifest_that_lost_its_hash_is_refused(run: Run) -> None:
    content = manifest_content(run.folder)
    del content["sha256"]
    (run.folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(InputError, match="no hash of its own"):
        open_run(run.folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("video", None),
        ("video", {"duration_seconds": float("nan")}),
        ("video", {"duration_seconds": 1e300}),
        ("results", -1),
        ("ledger", {"frames": "many"}),
        ("model", {"name": "m", "labels": []}),
        ("outputs", {"../../etc/passwd": ""}),
        ("warnings", "none"),
        ("video_path", "a\0b"),
        ("status", "\ud800"),
        ("versions", {"deep": [[[[[[[[[[[[[[]]]]]]]]]]]]]]}),
    ],
)
def test_a_value_that_no_analysis_writes_is_refused_in_words(run: Run, name: str, value: object) -> None:
    content = {key: one for key, one in manifest_content(run.folder).items() if key != "sha256"} | {name: value}
    (run.folder / MANIFEST).write_text(json.dumps({k: v for k, v in content.items() if k != "output_bytes"}))
    with pytest.raises(InputError, match="is damaged or was changed") as caught:
        open_run(run.folder)
    assert "\n" not in str(caught.value)


def test_nesting_without_end_is_refused(run: Run) -> None:
    (run.folder / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read"):
        open_run(run.folder)


def test_files_of_another_size_are_torn(run: Run) -> None:
    content = manifest_content(run.folder)
    sizes = dict(content["output_bytes"])
    assert misfits(content, sizes) == []
    assert misfits(content, sizes | {"faces.parquet": 0}) == ["faces.parquet"]
    assert misfits(content, sizes | {"faces.parquet": sizes["faces.parquet"] - 1}) == ["faces.parquet"]
    assert misfits(content, {"frames.parquet": sizes["frames.parquet"]}) == ["faces.parquet"]
    earlier = content | {"output_bytes": {}}
    assert misfits(earlier, {"faces.parquet": 7, "frames.parquet": 0}) == ["frames.parquet"]


def test_a_line_after_one_that_was_cut_off_is_whole(run: Run) -> None:
    note_hashes(run.folder, {"a": "1"})
    notes = run.folder / "derived.jsonl"
    notes.write_bytes(notes.read_bytes()[:-9])
    note_hashes(run.folder, {"b": "2"})
    assert (noted_hashes(run.folder, "a"), noted_hashes(run.folder, "b")) == (set(), {"2"})
    assert notes.stat().st_mode & 0o777 == 0o600


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        append_synced(tmp_path / "log", "line\n")
    assert not (tmp_path / "elsewhere").exists()


def test_the_hash_of_rows_does_not_depend_on_their_pieces() -> None:
    schema = pa.schema([("time_s", pa.float64()), ("boxes", pa.list_(pa.float32())), ("thumbnail", pa.binary(3))])
    rows = pa.table([[0.5, 1.5, 2.5], [[1.0], [], [2.0, 3.0]], [b"abc", b"def", b"ghi"]], schema=schema)

    def digest(*pieces: pa.Table) -> str:
        made = RowsDigest(schema, schema.names)
        for piece in pieces:
            made.add(piece)
        return made.hexdigest(b"ledger")

    whole = digest(rows)
    assert digest(rows.slice(0, 1), rows.slice(1)) == whole
    assert digest(pa.concat_tables([rows.slice(0, 2), rows.slice(2)])) == whole
    other = rows.set_column(1, schema.field("boxes"), pa.array([[1.0, 2.0], [], [3.0]], pa.list_(pa.float32())))
    assert digest(other) != whole  # the same numbers, parted otherwise
