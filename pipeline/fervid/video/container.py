"""Where the versions of PyAV that fervid runs on differ, so that nothing else needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

READS_ANY_TITLE = int(av.__version__.split(".")[0]) >= 19
"""From PyAV 19 on titles and comments that are not UTF-8 do no harm, and there is no option about them any more."""


def open_container(source: Any, *, options: dict[str, str], timeout: tuple[float, float]) -> Any:
    """An input container. `timeout` is seconds to open and to read. Raises what PyAV raises."""
    if READS_ANY_TITLE:
        return av.open(source, options=options, timeout=timeout)
    return av.open(source, options=options, timeout=timeout, metadata_errors="replace")


def demuxed(container: Any, *streams: Any) -> Iterator[Any]:
    """The packets of streams. One that appears while packets are read, and was not known before, is left out."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:  # a packet of a stream that came up since the container was opened
            packets = container.demux(*streams)
            continue
        yield packet


def as_fraction(value: Any) -> Fraction:
    """An exact number of PyAV as a Fraction. From PyAV 19 on they are of a kind of its own, which prints otherwise."""
    return Fraction(value.numerator, value.denominator)
