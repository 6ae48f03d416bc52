"""Sums over time bins, weighted by seconds, and the files they are written to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fervid.interpret.build import (
    BinSums,
    FrameIntervals,
    FrameTiming,
    bin_edges,
    frame_intervals,
    shown_time,
    sum_bins,
    weighted_mean,
)
from fervid.run.io import write_table
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema
from fervid.storage.files import file_sha256

NO_FACES = (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))


@pytest.mark.parametrize(
    ("times", "start", "end", "hold", "begins", "ends"),
    [
        ([], 0.0, 10.0, 1.0, [], []),
        ([0.5], 0.0, 1.0, 1.0, [0.0], [1.0]),
        ([0.5], 0.0, 1.0, 0.25, [0.25], [0.75]),
        ([0.0, 0.2, 0.4], 0.0, 0.6, 1.0, [0.0, 0.1, 0.3], [0.1, 0.3, 0.6]),
        ([0.0, 1.0, 4.0], 0.0, 8.0, 10.0, [0.0, 0.5, 2.5], [0.5, 2.5, 8.0]),
        ([0.0, 10.0], 0.0, 20.0, 1.0, [0.0, 9.0], [1.0, 11.0]),  # nothing is known of the middle
        ([5.125], 5.0, 6.0, 1.0, [5.0], [6.0]),
        ([0.0, 1.25], 0.0, 1.0, 1.0, [0.0, 0.625], [0.625, 1.25]),  # a last frame beyond the stated end
    ],
)
def test_a_frame_stands_for_the_time_nearest_to_it(
    times: list[float], start: float, end: float, hold: float, begins: list[float], ends: list[float]
) -> None:
    intervals = frame_intervals(np.array(times), start=start, end=end, max_hold_seconds=hold)
    np.testing.assert_allclose(intervals.begin, begins, atol=1e-12)
    np.testing.assert_allclose(intervals.end, ends, atol=1e-12)
    np.testing.assert_allclose(intervals.seconds, np.array(ends) - begins, atol=1e-12)


PIECES = np.concatenate([np.arange(0, 4, 0.2), np.arange(64, 68, 0.2)])


@pytest.mark.parametrize(
    ("times", "timing", "observed"),
    [
        (PIECES, FrameTiming(0.0, 0.04), 7.9),  # a pause of the recording: 4 s and 4 s, to half a sample
        (PIECES, FrameTiming(0.0, 0.04, holds_frames=True), 68.0),  # a frame that is shown on
        (np.arange(5, 13, 0.2), FrameTiming(5.0, 0.04), 8.0),  # a picture that begins after the sound
        (np.arange(0, 60, 10.0), FrameTiming(0.0, 10.0), 60.0),  # a time lapse
        (np.array([0.0, 0.2, 0.4, 500.0]), FrameTiming(0.0, 0.04, holds_frames=True), 0.5 + 1.0),  # beyond belief
    ],
)
def test_how_long_a_frame_stands_for_follows_the_video(times: np.ndarray, timing: FrameTiming, observed: float) -> None:
    end = 60.0 if timing.spacing_seconds == 10 else float(times[-1]) + 0.2 if times[-1] < 100 else 600.0
    intervals = frame_intervals(times, start=0.0, end=end, max_hold_seconds=1.0, timing=timing)
    assert intervals.seconds.sum() == pytest.approx(observed, abs=0.02)
    assert intervals.begin[0] == timing.first_seconds


def test_the_clock_of_tracks_stands_still_while_a_frame_is_shown_on() -> None:
    shown = shown_time(np.array([0.0, 0.2, 0.4, 10.4, 10.6]), FrameTiming(0.0, 0.04, holds_frames=True))
    np.testing.assert_allclose(shown, [0.0, 0.2, 0.4, 0.6, 0.8])


def test_a_timeline_of_decades_has_bins_where_frames_are() -> None:
    intervals = FrameIntervals(np.array([0.0, 6e8]), np.array([1.5, 6e8 + 0.5]))
    assert bin_edges(0.0, 6e8 + 1, 1.0, intervals).tolist() == [0, 1, 2, 6e8, 6e8 + 1]


@pytest.mark.parametrize(
    ("start", "end", "bin_seconds", "edges"),
    [
        (0.0, 0.0, 1.0, [0, 1]),
        (0.0, 1.0, 1.0, [0, 1]),
        (0.0, 3.0, 1.0, [0, 1, 2, 3]),
        (0.0, 3.04, 1.0, [0, 1, 2, 3, 4]),
        (2.5, 4.5, 1.0, [2, 3, 4, 5]),  # bins of a part are bins of the whole
        (5.0, 5.0, 2.0, [4, 6]),
        (0.3, 0.6, 0.1, [0.3, 0.4, 0.5, 0.6]),  # 0.3 / 0.1 is 2.9999999999999996
        (0.0, 0.5, 60.0, [0, 60]),
    ],
)
def test_bins_lie_at_multiples_of_their_length(
    start: float, end: float, bin_seconds: float, edges: list[float]
) -> None:
    np.testing.assert_allclose(bin_edges(start, end, bin_seconds), edges, atol=1e-12)


@pytest.mark.parametrize("times", [[], [0.25, 1.25]])
def test_without_faces_there_is_only_observed_time(times: list[float]) -> None:
    intervals = frame_intervals(np.array(times), start=0.0, end=2.0, max_hold_seconds=0.25)
    sums = sum_bins(np.array([0.0, 1.0, 2.0]), intervals, np.array(times), *NO_FACES)
    per_bin = len(times) / 2
    assert sums.n_analysed.tolist() == [per_bin, per_bin]
    np.testing.assert_allclose(sums.observed_seconds, [per_bin * 0.5] * 2)
    for nothing in (sums.covered_seconds, sums.face_seconds, sums.n_tracks, sums.score_seconds, sums.label_seconds):
        assert not nothing.any()
    assert sums.score_seconds.shape == sums.label_seconds.shape == (2, 2)


def two_faces() -> tuple[np.ndarray, FrameIntervals, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Four frames of half a second each, with one, two, no and one face; two bins of a second."""
    times = np.array([0.25, 0.75, 1.25, 1.75])
    intervals = frame_intervals(times, start=0.0, end=2.0, max_hold_seconds=1.0)
    face_row, track_ids = np.array([0, 1, 1, 3]), np.array([4, 4, 9, 9])
    scores = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7]])
    return np.array([0.0, 1.0, 2.0]), intervals, times, face_row, track_ids, scores


def test_each_face_counts_by_the_seconds_of_its_frame() -> None:
    sums = sum_bins(*two_faces())
    assert sums.n_analysed.tolist() == [2, 2]
    assert sums.n_tracks.tolist() == [2, 1]
    np.testing.assert_allclose(sums.observed_seconds, [1, 1])
    np.testing.assert_allclose(sums.covered_seconds, [1, 0.5])
    np.testing.assert_allclose(sums.face_seconds, [1.5, 0.5])
    np.testing.assert_allclose(sums.score_seconds, [[0.75, 0.75], [0.15, 0.35]])
    np.testing.assert_allclose(sums.label_seconds, [[1.0, 0.5], [0.0, 0.5]])


def test_the_order_of_faces_does_not_matter() -> None:
    edges, intervals, times, face_row, track_ids, scores = two_faces()
    order = np.array([3, 1, 0, 2])
    shuffled = sum_bins(edges, intervals, times, face_row[order], track_ids[order], scores[order])
    for name in BinSums.__slots__:
        np.testing.assert_allclose(getattr(shuffled, name), getattr(sum_bins(*two_faces()), name))


def test_a_frame_that_crosses_edges_counts_in_each_bin_by_its_seconds() -> None:
    intervals = FrameIntervals(np.array([0.75]), np.array([2.5]))
    face = np.array([0]), np.array([7]), np.array([[0.25, 0.75]])
    sums = sum_bins(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), intervals, np.array([0.875]), *face)
    assert sums.n_analysed.tolist() == [1, 0, 0, 0]
    assert sums.n_tracks.tolist() == [1, 1, 1, 0]
    for seconds in (sums.observed_seconds, sums.covered_seconds, sums.face_seconds, sums.label_seconds[:, 1]):
        np.testing.assert_allclose(seconds, [0.25, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(sums.score_seconds[:, 0], [0.0625, 0.25, 0.125, 0.0])


def test_a_frame_that_ends_at_an_edge_does_not_touch_the_next_bin() -> None:
    intervals = FrameIntervals(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    face = np.array([0]), np.array([7]), np.array([[1.0, 0.0]])
    sums = sum_bins(np.array([0.0, 1.0, 2.0]), intervals, np.array([0.5, 1.5]), *face)
    assert sums.n_tracks.tolist() == [1, 0]
    assert sums.observed_seconds.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(3))
def test_the_bins_together_hold_every_second_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 20, 80))
    intervals = frame_intervals(times, start=0.0, end=20.0, max_hold_seconds=0.2)
    face_row = np.sort(rng.integers(0, 80, 100))
    scores = rng.dirichlet(np.ones(3), 100)
    sums = sum_bins(bin_edges(0.0, 20.0, 0.7), intervals, times, face_row, rng.integers(0, 5, 100), scores)
    assert sums.n_analysed.sum() == 80
    np.testing.assert_allclose(sums.observed_seconds.sum(), intervals.seconds.sum())
    np.testing.assert_allclose(sums.covered_seconds.sum(), intervals.seconds[np.unique(face_row)].sum())
    np.testing.assert_allclose(sums.face_seconds.sum(), intervals.seconds[face_row].sum())
    np.testing.assert_allclose(sums.score_seconds.sum(axis=1), sums.face_seconds)
    np.testing.assert_allclose(sums.label_seconds.sum(axis=1), sums.face_seconds)


@pytest.mark.parametrize("offset", [0.0, 0.033, 0.09])
def test_a_slow_signal_has_the_same_means_at_any_sampling_rate(offset: float) -> None:
    def means(fps: float) -> np.ndarray:
        times = np.arange(offset, 21.0, 1 / fps)
        happy = 0.5 + 0.4 * np.sin(2 * np.pi * times / 7)
        intervals = frame_intervals(times, start=0.0, end=21.0, max_hold_seconds=1.0)
        one_face = np.arange(len(times)), np.zeros(len(times), int), np.stack([1 - happy, happy], axis=1)
        sums = sum_bins(bin_edges(0.0, 21.0, 1.0), intervals, times, *one_face)
        np.testing.assert_allclose(sums.observed_seconds, 1.0)
        return weighted_mean(sums.score_seconds, sums.face_seconds)[:, 1]

    at_5, at_10 = means(5.0), means(10.0)
    edges = np.arange(22.0)
    integral = 0.5 * edges - 0.4 * 7 / (2 * np.pi) * np.cos(2 * np.pi * edges / 7)
    np.testing.assert_allclose(at_5, at_10, atol=0.02)
    np.testing.assert_allclose(at_10, np.diff(integral), atol=0.02)


def test_a_mean_over_nothing_is_not_a_number() -> None:
    means = weighted_mean(np.array([[1.0, 3.0], [0.0, 0.0]]), np.array([2.0, 0.0]))
    np.testing.assert_array_equal(means, [[0.5, 1.5], [np.nan, np.nan]])
    assert weighted_mean(np.zeros((0, 2)), np.zeros(0)).shape == (0, 2)


LABELS = ("angry", "happy")
METADATA = {"video_id": "0123", "schema_version": "1"}


def timeline_table(n: int) -> pa.Table:
    rng = np.random.default_rng(0)
    columns: dict[str, pa.Array] = {}
    for field in timeline_schema(LABELS):
        if pa.types.is_dictionary(field.type):
            columns[field.name] = pa.array(["0123"] * n, pa.string()).dictionary_encode()
        elif pa.types.is_integer(field.type):
            columns[field.name] = pa.array(rng.integers(0, 9, n), field.type)
        else:
            values = rng.random(n)
            values[1::3] = np.nan
            columns[field.name] = pa.array(values, from_pandas=True).cast(field.type)
    return pa.table(columns, schema=timeline_schema(LABELS))


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_a_table_is_read_back_as_it_was_written(tmp_path: Path, n: int) -> None:
    file = tmp_path / "timeline.parquet"
    write_table(file, timeline_table(n), METADATA)
    read = pq.read_table(file)
    assert read.schema.equals(timeline_schema(LABELS))
    assert read.equals(timeline_table(n))
    assert read["coverage"].null_count == len(range(1, n, 3))  # unknown is null, never a number
    assert read.schema.metadata == {b"fervid.video_id": b"0123", b"fervid.schema_version": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["timeline.parquet"]


def test_a_table_written_twice_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_table(first, timeline_table(500), METADATA)
    write_table(second, timeline_table(500), METADATA)
    assert first.read_bytes() == second.read_bytes()
    assert file_sha256(first) == hashlib.sha256(first.read_bytes()).hexdigest()


def test_a_table_replaces_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "timeline.parquet"
    write_table(file, timeline_table(10), METADATA)
    write_table(file, timeline_table(3), {})
    assert pq.read_table(file).num_rows == 3


def test_float_columns_are_compressed_by_split_bytes(tmp_path: Path) -> None:
    file = tmp_path / "timeline.parquet"
    write_table(file, timeline_table(500), METADATA)
    group = pq.read_metadata(file).row_group(0)
    encodings = {group.column(i).path_in_schema: group.column(i).encodings for i in range(group.num_columns)}
    assert "BYTE_STREAM_SPLIT" in encodings["mean_angry"]
    assert "BYTE_STREAM_SPLIT" in encodings["start_s"]
    assert "DELTA_BINARY_PACKED" in encodings["n_tracks"]
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}


@pytest.mark.parametrize("make", [faces_schema, tracks_schema, timeline_schema])
def test_a_schema_has_columns_for_the_labels_of_the_model_in_their_order(make: object) -> None:
    assert callable(make)
    names = make(("b", "a")).names
    of_labels = [name for name in names if name.endswith(("_a", "_b"))]
    assert of_labels
    assert [name[-1] for name in of_labels] == ["b", "a"] * (len(of_labels) // 2)
    assert len(set(names)) == len(names)


def test_frames_are_counted_whatever_the_labels() -> None:
    assert frames_schema().names == [
        "video_id",
        "frame",
        "pts",
        "time_s",
        "n_faces",
        "is_cut",
        "brightness",
        "motion",
        "status",
    ]
