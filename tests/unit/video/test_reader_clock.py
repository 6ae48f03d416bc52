"""The clock that repairs times, and the ledger of frames."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from fervid.video.clock import FrameClock
from fervid.video.ledger import Ledger
from paper import paper_info

STEP = 40


def stamped(times: list[int | None], **changes: Any) -> tuple[list[int], list[float], int]:
    """The pts and the milliseconds that a clock gives to `times`, and how many jumps it counted."""
    info = paper_info(**changes)
    counts = info.time_source == "assumed_fps"
    clock = FrameClock(info.time_base, info.start_time_seconds, STEP, counts=counts)
    stamps = [clock.stamp(time) for time in times]
    return [pts for pts, _ in stamps], [round(seconds * 1000, 6) for _, seconds in stamps], clock.jumps


@pytest.mark.parametrize("times", [[], [0], [0, 40, 80], [7, 8, 900, 901], [-80, -40, 0]])
def test_sound_times_pass_unchanged(times: list[int | None]) -> None:
    assert stamped(times) == (times, times, 0)


def test_seconds_count_from_the_start_of_the_container() -> None:
    assert stamped([1400, 1440], start_time_seconds=1.4) == ([1400, 1440], [0, 40], 0)


@pytest.mark.parametrize(
    ("times", "pts", "milliseconds", "jumps"),
    [
        ([None], [0], [0], 1),
        ([None, None, 100], [0, 40, 100], [0, 40, 100], 2),
        ([0, None, 80], [0, 40, 80], [0, 40, 80], 1),
        ([0, None, None, 500], [0, 40, 80, 500], [0, 40, 80, 500], 2),
        ([500, 0, None, 80], [500, 0, 40, 80], [500, 540, 580, 620], 2),  # carried on from the repaired time
    ],
)
def test_a_missing_time_follows_the_frame_before_by_one_step(
    times: list[int | None], pts: list[int], milliseconds: list[float], jumps: int
) -> None:
    assert stamped(times) == (pts, milliseconds, jumps)


@pytest.mark.parametrize(
    ("times", "milliseconds", "jumps"),
    [
        ([0, 40, 80, 0, 40, 80], [0, 40, 80, 120, 160, 200], 1),  # two recordings joined
        ([0, 40, 40, 80], [0, 40, 80, 120], 1),
        ([100, 0, 0, 0], [100, 140, 180, 220], 3),
        ([0, 1000, 0, 5000, 10], [0, 1000, 1040, 5000, 5040], 2),  # one bad time shifts no other
    ],
)
def test_time_never_runs_backwards_and_each_jump_counts_once(
    times: list[int | None], milliseconds: list[float], jumps: int
) -> None:
    assert stamped(times) == (times, milliseconds, jumps)


def test_a_time_that_repeats_the_one_given_to_a_frame_without_is_moved_on() -> None:
    assert stamped([0, None, 40]) == ([0, 40, 40], [0, 40, 80], 2)


def test_a_file_without_times_counts_frames_at_its_assumed_rate() -> None:
    changes: dict[str, Any] = {"time_source": "assumed_fps", "time_base": Fraction(1, 25)}
    assert stamped([None, 500, 3, None], **changes) == ([0, 1, 2, 3], [0, 40, 80, 120], 0)


@pytest.mark.parametrize(
    ("ledger", "balances"),
    [
        (Ledger(), True),
        (Ledger(frames=10, decoded=10, analysed=2, skipped=7, failed=1), True),
        (Ledger(frames=15, left_out=3, undecoded=2, decoded=10, analysed=2, skipped=7, failed=1), True),
        (Ledger(frames=10, decoded=10, analysed=2, skipped=7, failed=1, packets=3, bad_packets=3, clock_jumps=3), True),
        (Ledger(frames=10, decoded=10, analysed=2, skipped=7), False),
        (Ledger(frames=9, decoded=9, analysed=2, skipped=7, failed=1), False),
        (Ledger(frames=15, decoded=10, analysed=2, skipped=7, failed=1), False),
    ],
)
def test_a_ledger_balances_when_every_frame_is_accounted_for(ledger: Ledger, balances: bool) -> None:
    assert ledger.balance() is balances


def test_adding_ledgers_adds_every_entry() -> None:
    total = Ledger()
    total.add(Ledger(frames=10, decoded=10, analysed=2, skipped=7, failed=1, packets=12, bad_packets=2, clock_jumps=3))
    total.add(Ledger(frames=9, left_out=5, undecoded=3, decoded=1, analysed=1, packets=1))
    assert total == Ledger(
        frames=19, left_out=5, undecoded=3, decoded=11, analysed=3, skipped=7, failed=1, packets=13, bad_packets=2,
        clock_jumps=3,
    )  # fmt: skip
