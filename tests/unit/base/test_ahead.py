"""A stream that runs ahead of its use: order, bounds, errors, and no thread left behind. The clock of its stages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fervid.base.threads import ahead
from fervid.observe.stages import WAITING, StageClock

Threads = Callable[[], list[str]]

LONG_SECONDS, SHORT_SECONDS = 0.2, 0.1


def wait_until(condition: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.001)


@pytest.mark.parametrize("n_ahead", [0, 1, 2, 50])
@pytest.mark.parametrize("n_items", [0, 1, 30])
def test_items_come_in_their_order(n_items: int, n_ahead: int, own_threads: Threads) -> None:
    assert list(ahead(iter(range(n_items)), n_items=n_ahead, name="x")) == list(range(n_items))
    assert not own_threads()


@pytest.mark.parametrize("n_ahead", [1, 3])
def test_no_more_items_are_made_than_may_wait(n_ahead: int, own_threads: Threads) -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    stream = ahead(source(), n_items=n_ahead, name="x")
    for n_taken in range(1, 6):
        next(stream)
        wait_until(lambda wanted=n_taken + n_ahead: len(made) >= wanted)
        time.sleep(0.005)
        assert len(made) == n_taken + n_ahead
    stream.close()
    assert len(made) <= 5 + n_ahead
    assert not own_threads()


def test_nothing_runs_before_the_first_item_is_asked_for(own_threads: Threads) -> None:
    made: list[int] = []
    stream = ahead((made.append(n) or n for n in range(3)), n_items=2, name="x")
    time.sleep(0.01)
    assert (made, own_threads()) == ([], [])
    stream.close()


@pytest.mark.parametrize("n_ahead", [0, 1, 5])
def test_an_error_is_the_original_one_and_comes_after_the_items_before_it(n_ahead: int, own_threads: Threads) -> None:
    problem = OSError("the disk is gone")

    def source() -> Iterator[int]:
        yield from (1, 2)
        raise problem

    stream = ahead(source(), n_items=n_ahead, name="x")
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone") as caught:
        next(stream)
    assert caught.value is problem
    assert "source" in [entry.name for entry in caught.traceback]
    assert not own_threads()


@pytest.mark.parametrize("n_taken", [1, 2, 5])
def test_leaving_early_closes_the_source_in_its_own_thread(n_taken: int, own_threads: Threads) -> None:
    closed_in: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed_in.append(threading.current_thread().name)

    stream = ahead(source(), n_items=2, name="decode")
    for _ in range(n_taken):
        next(stream)
    stream.close()
    assert closed_in == ["fervid decode"]
    assert not own_threads()


def test_a_chain_of_streams_ends_when_its_last_one_is_left(own_threads: Threads) -> None:
    first = ahead(iter(range(1000)), n_items=2, name="first")
    second = ahead((n * n for n in first), n_items=2, name="second")
    third = ahead((n + 1 for n in second), n_items=2, name="third")
    assert [next(third), next(third)] == [1, 2]
    assert len(own_threads()) == 3
    third.close()
    del second, first
    wait_until(lambda: not own_threads())
    assert not own_threads()


def test_an_error_of_the_first_stream_of_a_chain_reaches_its_user(own_threads: Threads) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("nothing left")

    def middle(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            yield 10 * item

    stream = ahead(middle(ahead(source(), n_items=3, name="first")), n_items=3, name="second")
    assert next(stream) == 10
    with pytest.raises(ZeroDivisionError, match="nothing left"):
        next(stream)
    assert not own_threads()


def slow(items: Iterator[int], seconds: float) -> Iterator[int]:
    for item in items:
        time.sleep(seconds)
        yield item


@pytest.mark.parametrize("n_ahead", [0, 2])
def test_each_stage_is_charged_for_its_own_work_alone(n_ahead: int) -> None:
    clock = StageClock(["first", "second", "third"])
    first = clock.timed(slow(iter(range(5)), LONG_SECONDS), "first")
    between = clock.timed(ahead(first, n_items=n_ahead, name="first"), WAITING)
    second = clock.timed(slow(between, SHORT_SECONDS), "second")
    third = clock.timed(iter(second), "third")
    assert list(third) == list(range(5))
    # Sleeping lasts longer on a busy machine, never shorter, and half a second of other work may come between. Waiting
    # for the first stage would show as 5 * LONG.
    assert clock.seconds["first"] >= 5 * LONG_SECONDS
    assert 5 * SHORT_SECONDS <= clock.seconds["second"] < 5 * LONG_SECONDS
    assert clock.seconds["third"] < 5 * SHORT_SECONDS


def test_a_clock_that_nothing_ran_under_shows_nothing() -> None:
    clock = StageClock(["first"])
    assert list(clock.timed(iter(()), "first")) == []
    assert clock.seconds["first"] < SHORT_SECONDS
