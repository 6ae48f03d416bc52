"""A stream through several threads: order kept, errors in their place, no more under way than promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fervid.base.threads import map_in_order


def sleepy_square() -> Callable[[int], int]:
    def square(n: int) -> int:
        time.sleep(0.002 * (n % 3))  # later items overtake earlier ones
        return n * n

    return square


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_items", [0, 1, 30])
def test_results_come_in_the_order_of_the_items(n_items: int, n_threads: int) -> None:
    results = map_in_order(sleepy_square, iter(range(n_items)), n_threads=n_threads)
    assert list(results) == [n * n for n in range(n_items)]


def test_every_thread_makes_a_function_of_its_own() -> None:
    makers = []

    def make() -> Callable[[int], int]:
        makers.append(threading.get_ident())
        return sleepy_square()

    list(map_in_order(make, iter(range(40)), n_threads=3))
    assert len(makers) == len(set(makers)) <= 3


def test_no_more_items_are_taken_than_the_threads_need() -> None:
    taken = []

    def items() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = map_in_order(sleepy_square, items(), n_threads=2)
    for done in range(10):
        next(results)
        assert len(taken) <= done + 3
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 20


def test_an_error_of_the_function_comes_after_the_results_before_it() -> None:
    def make() -> Callable[[int], float]:
        return lambda n: 1 / (n - 5)

    results = map_in_order(make, iter(range(10)), n_threads=3)
    assert [next(results) for _ in range(5)] == [1 / (n - 5) for n in range(5)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_error_of_the_source_is_raised_and_no_thread_stays() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the source broke")

    before = set(threading.enumerate())
    with pytest.raises(OSError, match="the source broke"):
        list(map_in_order(sleepy_square, items(), n_threads=2))
    assert not set(threading.enumerate()) - before
