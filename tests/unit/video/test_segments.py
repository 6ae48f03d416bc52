"""Sampling slots and segments: where a video is cut, and that cutting changes no sample."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fervid.base.types import Segment, VideoInfo
from fervid.video.probe import PacketPlan
from fervid.video.sampling import Sampling, sampling_slot
from fervid.video.segments import NO_SLOT, plan_segments
from fervid.video.selection import Selection, select_frames
from paper import paper_info, paper_plan

FRAMES = range(0, 100_000, 40)
"""Times of the 2,500 frames of `paper_info`, in milliseconds."""


def planned(info: VideoInfo, plan: PacketPlan, *, start: float = 0.0, end: float | None = None) -> list[Segment]:
    return plan_segments("v", info, plan, segment_seconds=30.0, fps=5.0, start_seconds=start, end_seconds=end)


@pytest.mark.parametrize(
    ("seconds", "fps", "slot"),
    [
        (0.0, 5.0, 0),
        (0.19, 5.0, 0),
        (0.2, 5.0, 1),
        (1.1 - 1.0, 10.0, 1),  # 0.10000000000000009
        (1.0 - 0.9, 10.0, 1),  # 0.09999999999999998, rounded off on the way
        (0.0999, 10.0, 0),
        (-0.04, 5.0, -1),
        (7.0, 0.5, 3),
    ],
)
def test_the_slot_of_a_time_counts_from_the_start(seconds: float, fps: float, slot: int) -> None:
    assert sampling_slot(seconds, fps) == slot


def test_slots_do_not_drift_over_ten_hours_of_ntsc_video() -> None:
    n_frames = 10 * 3600 * 30_000 // 1001
    for frame in range(0, n_frames, 7):
        assert sampling_slot(frame * 1001 / 30_000, 5.0) == frame * 1001 * 5 // 30_000
    assert sampling_slot((n_frames - 1) * 1001 / 30_000, 5.0) == 5 * 36_000 - 1


@pytest.mark.parametrize("keys", [[], [0], [0, 20_000]])
def test_without_a_key_frame_after_the_first_point_a_video_is_one_segment(keys: list[int]) -> None:
    assert planned(paper_info(), paper_plan(FRAMES, keys)) == [Segment("v", 0, 0.0, 100.0, None, None, NO_SLOT)]


def test_an_unsplittable_video_is_one_segment() -> None:
    plan = paper_plan(FRAMES, range(0, 100_000, 1000), is_splittable=False)
    assert planned(paper_info(), plan) == [Segment("v", 0, 0.0, 100.0, None, None, NO_SLOT)]


def test_segments_begin_at_the_points_where_those_have_key_frames() -> None:
    assert planned(paper_info(), paper_plan(FRAMES, range(0, 100_000, 1000))) == [
        Segment("v", 0, 0.0, 30.0, None, 30_000, NO_SLOT),
        Segment("v", 1, 30.0, 60.0, 30_000, 60_000, 149),  # the frame before is at 29.96 s, 149.8 slots
        Segment("v", 2, 60.0, 90.0, 60_000, 90_000, 299),
        Segment("v", 3, 90.0, 100.0, 90_000, None, 449),
    ]


@pytest.mark.parametrize(
    ("keys", "starts"),
    [
        (range(0, 100_000, 7000), [35_000, 63_000, 91_000]),  # at or after each point
        ([0, 29_960, 30_000, 30_040], [30_000]),
        ([0, 29_960, 30_040, 59_960], [30_040]),
        ([0, 70_000, 75_000, 95_000], [70_000, 95_000]),  # nothing between 30 s and 60 s: no empty segment
        ([0, 40_000, 60_000], [40_000, 60_000]),
        ([0, 99_960], [99_960]),
        ([5_000, 50_000], [50_000]),
    ],
)
def test_a_segment_begins_at_the_first_key_frame_at_or_after_each_point(keys: list[int], starts: list[int]) -> None:
    segments = planned(paper_info(), paper_plan(FRAMES, keys))
    assert [segment.start_pts for segment in segments] == [None, *starts]
    assert [segment.end_pts for segment in segments] == [*starts, None]
    assert [segment.index for segment in segments] == list(range(len(segments)))


def test_no_segment_begins_at_the_very_first_frame() -> None:
    # The picture begins at 31 s of the container's clock, where sound began at 0 s.
    plan = paper_plan(range(31_000, 100_000, 40), range(31_000, 100_000, 1000))
    assert [segment.start_pts for segment in planned(paper_info(), plan)] == [None, 60_000, 90_000]


@pytest.mark.parametrize(
    ("time_base", "start_ticks"),
    [(Fraction(1, 1000), 0), (Fraction(1, 1000), 2001), (Fraction(1, 25), 53), (Fraction(1, 90_000), 126_000),
     (Fraction(1, 24_000), 3), (Fraction(1, 24_000), 1001), (Fraction(1, 90_000), 30_001)],
)  # fmt: skip
def test_a_key_frame_at_a_point_is_not_missed_by_rounding(time_base: Fraction, start_ticks: int) -> None:
    second = int(1 / time_base)
    keys = [start_ticks + k * second for k in range(1000)]
    # Containers state their start in microseconds.
    info = paper_info(
        time_base=time_base, duration_seconds=1000.0, start_time_seconds=round(float(start_ticks * time_base), 6)
    )
    starts = [segment.start_pts for segment in planned(info, paper_plan(keys, keys))]
    assert starts == [None, *(start_ticks + k * second for k in range(30, 1000, 30))]


@pytest.mark.parametrize("segment_seconds", [1.0, 1.1, 7.7, 30.0])
def test_segments_of_any_length_begin_at_multiples_of_it(segment_seconds: float) -> None:
    plan = paper_plan(FRAMES, FRAMES)
    segments = plan_segments("v", paper_info(), plan, segment_seconds=segment_seconds, fps=5.0)
    points = np.arange(1, int(100 / segment_seconds) + 2) * segment_seconds
    expected = np.ceil(np.round(points * 1000 / 40, 6)).astype(int) * 40
    assert [segment.start_pts for segment in segments[1:]] == [key for key in expected if key < 100_000]


@pytest.mark.parametrize(
    ("start", "end", "indices"),
    [
        (0.0, None, [0, 1, 2, 3]),
        (0.0, 0.5, [0]),
        (40.0, 55.0, [1]),
        (29.9, 30.1, [0, 1]),
        (30.0, 60.0, [1]),  # the end is exclusive on both sides
        (60.0, None, [2, 3]),
        (99.0, None, [3]),
        (0.0, 1000.0, [0, 1, 2, 3]),
    ],
)
def test_a_range_chooses_the_segments_that_it_overlaps_and_moves_no_boundary(
    start: float, end: float | None, indices: list[int]
) -> None:
    plan = paper_plan(FRAMES, range(0, 100_000, 1000))
    whole = planned(paper_info(), plan)
    assert planned(paper_info(), plan, start=start, end=end) == [whole[i] for i in indices]


@pytest.mark.parametrize("fps", [0.3, 1.0, 5.0, 7.3, 24.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_segments_sample_the_frames_that_one_pass_would(fps: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pts = np.cumsum(rng.choice([20, 33, 40, 80, 700], size=2000))
    keys = np.sort(rng.choice(pts, size=60, replace=False))
    info = paper_info(duration_seconds=float(pts[-1]) / 1000)
    segments = plan_segments("v", info, paper_plan(pts, keys), segment_seconds=10.0, fps=fps)
    assert len(segments) > 5

    def sampled(begin: float, finish: float, slot: int) -> list[int]:
        taken = []
        for time in pts[(pts >= begin) & (pts < finish)]:
            if sampling_slot(time / 1000, fps) > slot:
                slot = sampling_slot(time / 1000, fps)
                taken.append(int(time))
        return taken

    in_segments = [
        time
        for s in segments
        for time in sampled(s.start_pts or 0, s.end_pts if s.end_pts is not None else np.inf, s.previous_slot)
    ]
    assert in_segments == sampled(0, np.inf, NO_SLOT)


@pytest.mark.parametrize("every", [1, 2, 7, 60, 5000])
@pytest.mark.parametrize("segment_seconds", [1.0, 10.0])
def test_segments_take_every_nth_frame_of_the_whole_video(every: int, segment_seconds: float) -> None:
    rng = np.random.default_rng(0)
    pts = np.cumsum(rng.choice([20, 33, 40, 80, 700], size=2000))
    keys = np.sort(rng.choice(pts, size=60, replace=False))
    info, plan = paper_info(duration_seconds=float(pts[-1]) / 1000), paper_plan(pts, keys)
    segments = plan_segments("v", info, plan, segment_seconds=segment_seconds, fps=5.0, every=every)
    taken = []
    for segment in segments:
        selection = select_frames(
            info, plan, segment, Sampling(5.0, every), start_seconds=0.0, end_seconds=None
        ) or Selection(tuple(p for p in pts.tolist() if _is_within(p, segment)), 0, 0, 0, ())
        taken += selection.wanted
    assert taken == pts[::every].tolist()


def _is_within(pts: int, segment: Segment) -> bool:
    return (segment.start_pts is None or pts >= segment.start_pts) and (
        segment.end_pts is None or pts < segment.end_pts
    )


def test_the_rate_of_sampling_follows_from_what_was_asked_for() -> None:
    assert Sampling(5.0).frames_per_second(25.0) == 5.0
    assert Sampling(0.0).frames_per_second(25.0) == 25.0
    assert Sampling(5.0, every=10).frames_per_second(25.0) == 2.5
    assert [Sampling(0.0).takes_all, Sampling(5.0, 1).takes_all, Sampling(0.0, 2).takes_all] == [True, True, False]
