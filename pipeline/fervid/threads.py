"""The one module with threads: apply a function to a stream of items, several at a time, results in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    make_function: Callable[[], Callable[[Item], Result]], items: Iterator[Item], *, n_threads: int
) -> Iterator[Result]:
    """`function(item)` for each item, in the order of `items`, on `n_threads` threads.

    Every thread makes a function of its own, for workers that are not for two threads at once. At most `n_threads` + 1
    items are under way. An exception of either side ends the stream where it belongs in the order; leaving the stream
    early waits for what is under way and nothing more.
    """
    own = threading.local()

    def call(item: Item) -> Result:
        if not hasattr(own, "function"):
            own.function = make_function()
        result: Result = own.function(item)
        return result

    under_way: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="fervid")
    try:
        for item in items:
            under_way.append(pool.submit(call, item))
            if len(under_way) > n_threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
