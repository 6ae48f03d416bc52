"""The second half, from hand-made observations to tables whose numbers can be worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fervid.config import Settings, load_settings
from fervid.emotion.model import Head, Member, ModelInfo
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.observe.observations import SCHEMA, THUMBNAIL_PX
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema

LABELS = ("angry", "happy", "sad")
SHOT = np.tile(np.linspace(20, 220, THUMBNAIL_PX[0]), (THUMBNAIL_PX[1], 1)).astype(np.uint8)
OTHER_SHOT = SHOT[:, ::-1]
PLACE, OTHER_PLACE = (10.0, 20.0, 110.0, 130.0), (400.0, 20.0, 500.0, 130.0)
ANGRY, HAPPY = (0.7, 0.2, 0.1), (0.1, 0.8, 0.1)


def face(
    probabilities: Sequence[float] = HAPPY, box: Sequence[float] = PLACE, quality: float = 1.0
) -> tuple[Sequence[float], Sequence[float], float]:
    return box, probabilities, quality


def observed(
    times: Sequence[float],
    faces: dict[int, list[Any]] | None = None,
    *,
    corrupt: Sequence[int] = (),
    shots: dict[int, np.ndarray] | None = None,
) -> pa.Table:
    """Observations of frames at `times`; `faces` by frame, `shots` by the frame in which one begins."""
    shot = SHOT
    rows = []
    for i, seconds in enumerate(times):
        shot = (shots or {}).get(i, shot)
        found = (faces or {}).get(i, [])
        row = {
            "frame": 5 * i,
            "pts": round(seconds * 1000),
            "time_s": float(seconds),
            "is_corrupt": i in corrupt,
            "boxes": [side for box, _, _ in found for side in box],
            "confidence": [0.9 for _ in found],
            "quality": [quality for _, _, quality in found],
            "looks": [value for _ in found for value in (0.8, 0.5, 0.0, 0.0, 0.0)],
            "landmarks": np.full(10 * len(found), np.nan, np.float16),
            "logits": [float(np.log(p)) for _, probabilities, _ in found for p in probabilities],
            "thumbnail": shot.tobytes(),
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def made_up_model(*heads: Head) -> ModelInfo:
    member = Member("none", tuple(head.name for head in heads), mean=0.5, std=0.25)
    return ModelInfo(
        name="made-up", heads=heads, members=(member,), input_side_px=48,
        weights_sha256="", tflite_sha256="", training_data="", licence="", folder=Path(),
    )  # fmt: skip


def tables(observations: pa.Table, seconds: float, *assignments: str, temperature: float = 1.0) -> Tables:
    """Interpreted without smoothing or a least number of faces, unless `assignments` say so."""
    plain = ["smooth.half_life_seconds=0", "track.min_faces=1"]
    settings: Settings = load_settings(assignments=[*plain, *assignments], environment={})
    model = made_up_model(Head("fer2013", LABELS, temperature, temperature))
    return interpret(observations, settings, model, video_id="v", duration_seconds=seconds)


def column(table: pa.Table, name: str) -> list[Any]:
    return list(table[name].to_pylist())


def scores(table: pa.Table, prefix: str) -> np.ndarray:
    return np.stack([table[f"{prefix}_{label}"].to_numpy() for label in LABELS], axis=1)


def every(n: int, *faces: Any) -> dict[int, list[Any]]:
    return {i: list(faces) for i in range(n)}


def test_without_frames_the_tables_are_empty_and_the_timeline_says_so() -> None:
    found = tables(observed([]), 3.0)
    assert (found.frames.num_rows, found.faces.num_rows, found.tracks.num_rows) == (0, 0, 0)
    assert column(found.timeline, "start_s") == [0, 1, 2]
    assert column(found.timeline, "observed_s") == [0, 0, 0]
    assert column(found.timeline, "coverage") == [None] * 3
    assert found.n_unconfirmed_faces == 0


@pytest.mark.parametrize(
    "observations",
    [observed([]), observed([0.5, 1.5]), observed([0.5, 1.5], every(2, face()))],
    ids=["no frame", "no face", "a face"],
)
def test_tables_have_their_schemas_whatever_was_seen(observations: pa.Table) -> None:
    found = tables(observations, 2.0)
    assert found.frames.schema.equals(frames_schema())
    assert found.faces.schema.equals(faces_schema(LABELS))
    assert found.tracks.schema.equals(tracks_schema(LABELS))
    assert found.timeline.schema.equals(timeline_schema(LABELS))
    for table in (found.frames, found.faces, found.tracks, found.timeline):
        table.validate(full=True)
        assert set(column(table, "video_id")) <= {"v"}


def test_frames_without_faces_are_rows_and_silence_is_not_neutrality() -> None:
    found = tables(observed([0.25, 0.75, 1.25, 1.75]), 2.0)
    assert column(found.frames, "frame") == [0, 5, 10, 15]
    assert column(found.frames, "pts") == [250, 750, 1250, 1750]
    assert column(found.frames, "n_faces") == [0, 0, 0, 0]
    assert column(found.frames, "status") == ["analysed"] * 4
    assert (found.faces.num_rows, found.tracks.num_rows) == (0, 0)
    assert column(found.timeline, "n_analysed") == [2, 2]
    assert column(found.timeline, "observed_s") == [1.0, 1.0]
    assert column(found.timeline, "coverage") == [0.0, 0.0]
    assert column(found.timeline, "mean_faces") == [0.0, 0.0]
    assert column(found.timeline, "n_tracks") == [0, 0]
    for label in LABELS:
        assert column(found.timeline, f"mean_{label}") == [None, None]
        assert column(found.timeline, f"share_{label}") == [None, None]


def test_one_face_fills_every_column() -> None:
    found = tables(observed([0.25, 0.75, 1.25, 1.75], {1: [face(HAPPY)], 2: [face(ANGRY, quality=0.5)]}), 2.0)
    assert column(found.frames, "n_faces") == [0, 1, 1, 0]
    assert column(found.faces, "frame") == [5, 10]
    assert column(found.faces, "pts") == [750, 1250]
    assert column(found.faces, "time_s") == [0.75, 1.25]
    assert column(found.faces, "track_id") == [0, 0]
    assert [column(found.faces, name)[0] for name in "xywh"] == [10, 20, 100, 110]
    np.testing.assert_allclose(column(found.faces, "det_score"), [0.9, 0.9])
    assert column(found.faces, "quality") == [1.0, 0.5]
    np.testing.assert_allclose(scores(found.faces, "p"), [HAPPY, ANGRY], atol=1e-6)
    np.testing.assert_allclose(scores(found.faces, "s"), [HAPPY, ANGRY], atol=1e-6)
    assert column(found.faces, "label") == ["happy", "angry"]
    np.testing.assert_allclose(column(found.faces, "confidence"), [0.8, 0.7])
    np.testing.assert_allclose(column(found.faces, "margin"), [0.7, 0.5], atol=1e-6)
    assert column(found.faces, "abstain") == [None, None]
    assert column(found.tracks, "start_s") == [0.75]
    assert column(found.tracks, "end_s") == [1.25]
    assert column(found.tracks, "n_faces") == [2]
    np.testing.assert_allclose(scores(found.tracks, "mean"), [(0.4, 0.5, 0.1)], atol=1e-6)
    assert column(found.timeline, "coverage") == [0.5, 0.5]
    assert column(found.timeline, "mean_faces") == [0.5, 0.5]
    assert column(found.timeline, "n_tracks") == [1, 1]
    np.testing.assert_allclose(scores(found.timeline, "mean"), [HAPPY, ANGRY], atol=1e-6)
    np.testing.assert_allclose(scores(found.timeline, "share"), [(0, 1, 0), (1, 0, 0)])


def test_means_of_a_track_are_weighted_by_seconds() -> None:
    # The frames stand for 0.0-0.5 s, 0.5-2.0 s and 2.0-4.0 s.
    story = {0: [face(ANGRY)], 1: [face(HAPPY)], 2: [face(ANGRY)]}
    found = tables(observed([0, 1, 3], story), 4.0)
    assert found.tracks.num_rows == 1
    expected = (2.5 * np.array(ANGRY) + 1.5 * np.array(HAPPY)) / 4
    np.testing.assert_allclose(scores(found.tracks, "mean")[0], expected, atol=1e-6)


def test_two_faces_in_a_frame_weigh_the_same() -> None:
    found = tables(observed([0.5], {0: [face(HAPPY), face(ANGRY, OTHER_PLACE)]}), 1.0)
    assert column(found.frames, "n_faces") == [2]
    assert column(found.faces, "track_id") == [0, 1]
    assert column(found.timeline, "mean_faces") == [2.0]
    assert column(found.timeline, "coverage") == [1.0]
    np.testing.assert_allclose(scores(found.timeline, "mean"), [(0.4, 0.5, 0.1)], atol=1e-6)
    np.testing.assert_allclose(scores(found.timeline, "share"), [(0.5, 0.5, 0)])


def test_a_face_seen_too_few_times_is_dropped_and_counted() -> None:
    story = every(5, face(HAPPY, OTHER_PLACE))
    story[1] = story[2] = [face(ANGRY), face(HAPPY, OTHER_PLACE)]
    found = tables(observed([0.1, 0.3, 0.5, 0.7, 0.9], story), 1.0, "track.min_faces=3")
    assert found.n_unconfirmed_faces == 2
    assert column(found.frames, "n_faces") == [1] * 5
    assert column(found.faces, "track_id") == [0] * 5
    assert set(column(found.faces, "x")) == {400.0}
    assert found.tracks.num_rows == 1
    assert column(found.timeline, "share_angry") == [0.0]


def test_a_face_seen_just_often_enough_is_kept() -> None:
    story = {1: [face()], 2: [face()], 3: [face()]}
    found = tables(observed([0.1, 0.3, 0.5, 0.7, 0.9], story), 1.0, "track.min_faces=3")
    assert found.n_unconfirmed_faces == 0
    assert column(found.tracks, "n_faces") == [3]


def test_tracks_are_numbered_without_gaps_after_some_were_dropped() -> None:
    story = {0: [face()], 1: [face(), face(box=OTHER_PLACE)], 2: [face(box=OTHER_PLACE)], 3: [face(box=OTHER_PLACE)]}
    found = tables(observed([0.1, 0.3, 0.5, 0.7], story), 1.0, "track.min_faces=3")
    assert column(found.tracks, "track_id") == [0]
    assert column(found.faces, "track_id") == [0, 0, 0]
    assert found.n_unconfirmed_faces == 2


def test_smoothing_does_not_cross_from_one_face_to_another() -> None:
    found = tables(
        observed([i / 5 for i in range(10)], every(10, face(HAPPY), face(ANGRY, OTHER_PLACE))), 2.0,
        "smooth.half_life_seconds=1",
    )  # fmt: skip
    assert column(found.faces, "track_id") == [0, 1] * 10
    np.testing.assert_allclose(scores(found.faces, "s"), [HAPPY, ANGRY] * 10, atol=1e-6)


def test_smoothing_works_along_a_track_and_leaves_the_raw_scores() -> None:
    story = {0: [face(HAPPY)], 1: [face(ANGRY)], 2: [face(HAPPY)]}
    found = tables(observed([0.0, 0.5, 1.0], story), 1.5, "smooth.half_life_seconds=0.5")
    np.testing.assert_allclose(scores(found.faces, "p"), [HAPPY, ANGRY, HAPPY], atol=1e-6)
    # Half a second away counts half: the middle sees 1/2 happy, 1 angry, 1/2 happy, an end 1, 1/2 and 1/4.
    happy, angry = np.array(HAPPY), np.array(ANGRY)
    end, middle = (1.25 * happy + 0.5 * angry) / 1.75, (happy + angry) / 2
    np.testing.assert_allclose(scores(found.faces, "s"), [end, middle, end], atol=1e-6)


def test_the_label_is_that_of_the_smoothed_scores() -> None:
    story = {0: [face(HAPPY)], 1: [face((0.5, 0.4, 0.1))], 2: [face(HAPPY)]}
    found = tables(observed([0.0, 0.5, 1.0], story), 1.5, "smooth.half_life_seconds=0.5")
    assert column(found.faces, "label") == ["happy"] * 3
    assert scores(found.faces, "p")[1].argmax() == 0


def test_tracks_and_their_smoothing_end_at_a_cut() -> None:
    story = {i: [face(HAPPY if i < 3 else ANGRY)] for i in range(6)}
    times = [i / 5 for i in range(6)]
    plain = "smooth.half_life_seconds=1", "track.min_shot_seconds=0"
    found = tables(observed(times, story, shots={3: OTHER_SHOT}), 1.2, *plain)
    assert column(found.frames, "is_cut") == [False, False, False, True, False, False]
    assert column(found.faces, "track_id") == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(scores(found.faces, "s"), [HAPPY] * 3 + [ANGRY] * 3, atol=1e-6)
    assert column(tables(observed(times, story), 1.2).faces, "track_id") == [0] * 6


def test_faces_of_low_quality_are_kept_and_marked_and_left_out_of_means() -> None:
    story = {0: [face(HAPPY)], 1: [face(ANGRY, quality=0.1)], 2: [face(HAPPY)], 3: [face(ANGRY, quality=0.1)]}
    found = tables(observed([0.25, 0.75, 1.25, 1.75], story), 2.0, "timeline.min_quality=0.2")
    assert column(found.frames, "n_faces") == [1] * 4
    assert column(found.faces, "abstain") == [None, "low_quality", None, "low_quality"]
    assert column(found.tracks, "n_faces") == [4]
    np.testing.assert_allclose(scores(found.tracks, "mean"), [HAPPY], atol=1e-6)
    np.testing.assert_allclose(scores(found.timeline, "mean"), [HAPPY] * 2, atol=1e-6)
    assert column(found.timeline, "coverage") == [0.5, 0.5]


def test_where_all_faces_are_of_low_quality_there_is_no_mean() -> None:
    found = tables(observed([0.5, 1.5], {0: [face(quality=0.1)], 1: [face()]}), 2.0)
    assert column(found.timeline, "mean_happy")[0] is None
    assert column(found.timeline, "coverage") == [0.0, 1.0]
    assert column(found.timeline, "n_tracks") == [0, 1]
    assert column(tables(observed([0.5], every(1, face(quality=0.1))), 1.0).tracks, "mean_happy") == [None]


def test_a_face_between_two_emotions_is_marked_unsure_and_counts() -> None:
    undecided = (0.48, 0.42, 0.1)
    story = every(1, face(undecided), face(undecided, OTHER_PLACE, quality=0.1))
    found = tables(observed([0.5], story), 1.0, "timeline.min_margin=0.1")
    assert column(found.faces, "abstain") == ["unsure", "low_quality"]
    np.testing.assert_allclose(scores(found.timeline, "mean"), [undecided], atol=1e-6)


def test_time_of_corrupt_frames_is_not_observed() -> None:
    story = {0: [face()], 1: [face()], 3: [face()]}
    found = tables(observed([0.25, 0.75, 1.25, 1.75], story, corrupt=[2]), 2.0)
    assert column(found.frames, "status") == ["analysed", "analysed", "corrupt", "analysed"]
    assert column(found.timeline, "observed_s") == [1.0, 0.5]
    assert column(found.timeline, "n_analysed") == [2, 1]
    assert column(found.timeline, "coverage") == [1.0, 1.0]
    assert column(found.faces, "track_id") == [0, 0, 0]


def test_only_corrupt_frames_are_no_observation() -> None:
    found = tables(observed([0.5, 1.5], corrupt=[0, 1]), 2.0)
    assert column(found.timeline, "observed_s") == [0.0, 0.0]
    assert column(found.timeline, "coverage") == [None, None]


def test_the_temperature_of_the_model_divides_its_logits() -> None:
    found = tables(observed([0.5], every(1, face((0.64, 0.32, 0.04)))), 1.0, temperature=2.0)
    roots = np.sqrt([0.64, 0.32, 0.04])
    np.testing.assert_allclose(scores(found.faces, "p"), [roots / roots.sum()], atol=1e-6)


def test_frames_next_to_each_other_connect_however_far_apart_they_are_sampled() -> None:
    found = tables(observed([0, 5, 10, 15], every(4, face())), 20.0, "track.gap_seconds=1")
    assert column(found.faces, "track_id") == [0] * 4


def test_a_face_that_was_gone_for_longer_than_the_gap_is_a_new_track() -> None:
    times = [i / 5 for i in range(20)]
    story = {0: [face()], 5: [face()], 11: [face()]}  # away for 1.0 s, then for 1.2 s
    found = tables(observed(times, story), 4.0, "track.gap_seconds=1")
    assert column(found.faces, "track_id") == [0, 0, 1]
    assert column(found.tracks, "start_s") == [0.0, 2.2]
    assert column(found.tracks, "end_s") == [1.0, 2.2]


def test_a_range_has_the_bins_that_it_overlaps() -> None:
    found = tables(
        observed([2.25, 2.75, 3.25], every(3, face())), 60.0, "video.start_seconds=2", "video.end_seconds=3.5"
    )
    assert column(found.timeline, "start_s") == [2.0, 3.0]
    assert column(found.timeline, "end_s") == [3.0, 3.5]
    assert column(found.timeline, "observed_s") == [1.0, 0.5]


def test_the_last_bin_ends_with_the_video() -> None:
    found = tables(observed([0.25, 0.75], every(2, face())), 1.25)
    assert column(found.timeline, "end_s") == [1.0, 1.25]
    np.testing.assert_allclose(column(found.timeline, "observed_s"), [1.0, 0.25])


def test_observations_in_several_pieces_give_the_same_tables() -> None:
    whole = observed([i / 5 for i in range(10)], every(10, face(), face(ANGRY, OTHER_PLACE)), corrupt=[4])
    pieces = pa.concat_tables([whole.slice(0, 3), whole.slice(3, 0), whole.slice(3)])
    assert tables(pieces, 2.0) == tables(whole, 2.0)


TWO_HEADS = (Head("fer2013", LABELS, 1.0, 1.0), Head("ferplus", ("happy", "contempt", "angry", "sad"), 1.0, 1.0))


@pytest.mark.parametrize(
    ("source", "expected"),
    [("fer2013", (0.7, 0.2, 0.1)), ("ferplus", (0.2, 0.6, 0.2)), ("mean", (0.45, 0.4, 0.15))],
)
def test_labels_choose_the_head_that_answers_from_the_same_observations(
    source: str, expected: tuple[float, ...]
) -> None:
    observations = observed([0.5], {0: [face((*ANGRY, 0.3, 0.5, 0.1, 0.1))]})
    settings = load_settings(assignments=["track.min_faces=1", f"emotion.labels={source}"], environment={})
    found = interpret(observations, settings, made_up_model(*TWO_HEADS), video_id="v", duration_seconds=1.0)
    np.testing.assert_allclose(scores(found.faces, "p"), [expected], atol=1e-6)
    assert found.faces.schema.equals(faces_schema(LABELS))


def test_without_faces_two_heads_leave_empty_tables_too() -> None:
    settings = load_settings(assignments=["emotion.labels=mean"], environment={})
    found = interpret(observed([0.5]), settings, made_up_model(*TWO_HEADS), video_id="v", duration_seconds=1.0)
    assert found.faces.num_rows == 0
