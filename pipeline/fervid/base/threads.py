"""Take items from a stream ahead of their use, in a thread. Knows nothing of what the items are."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(source: Iterator[Item], *, n_items: int, name: str) -> Generator[Item, None, None]:
    """The items of `source`, which runs in a thread of its own up to `n_items` ahead of the caller; 0: without one.

    At most `n_items` items are ready or being made besides the one that the caller holds. An exception of the source is
    raised here, after the items before it. Leaving the stream early closes the source in its own thread, after the item
    that is being made, and waits for that. The thread begins with the first item that is asked for.
    """
    if n_items == 0:
        yield from source
        return
    ready: SimpleQueue[tuple[str, Item | BaseException | None]] = SimpleQueue()
    room = threading.Semaphore(n_items)
    is_left = threading.Event()

    def run() -> None:
        try:
            while True:
                room.acquire()
                if is_left.is_set():
                    break
                ready.put(("item", next(source)))
        except StopIteration:
            ready.put(("end", None))
        except BaseException as problem:
            ready.put(("problem", problem))
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=run, name=f"fervid {name}", daemon=True)
    thread.start()
    try:
        while True:
            kind, content = ready.get()
            if kind == "end":
                return
            if kind == "problem":
                raise content  # type: ignore[misc]
            room.release()
            yield content  # type: ignore[misc]
            del content  # a large item is released before waiting for the next one
    finally:
        is_left.set()
        room.release()
        thread.join()


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
