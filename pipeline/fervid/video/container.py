"""Containers: where the versions of PyAV differ, packets that can be relied on, and when a container was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import av

LEAST_EPOCH_SECONDS, MOST_EPOCH_SECONDS = 946_684_800, 4_102_444_800
"""Stamps from 2000 to 2099 as seconds since 1970 are a clock; smaller ones count from when a camera was switched on."""
LEAST_YEAR = 2000
"""Clocks that were never set begin in 1904, 1970 or 1980."""
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
        except IndexError:  # a packet of a stream that appeared after the container was opened
            packets = container.demux(*streams)
            continue
        yield packet


def as_fraction(value: Any) -> Fraction:
    """An exact number of PyAV as a Fraction. From PyAV 19 on they are of a kind of its own, which prints otherwise."""
    return Fraction(value.numerator, value.denominator)


def container_time(container: Any, stream: Any) -> tuple[str | None, str | None]:
    """When the container says that it was recorded, ISO 8601, and by what."""
    start = (container.start_time or 0) / av.time_base
    if LEAST_EPOCH_SECONDS < start < MOST_EPOCH_SECONDS:
        moment = datetime.fromtimestamp(start, UTC)
        # Dahua's recorders count the seconds of their local time.
        return (moment.replace(tzinfo=None) if container.format.name == "dhav" else moment).isoformat(), "clock"
    text = container.metadata.get("creation_time") or (stream.metadata or {}).get("creation_time") or ""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None, None
    return (moment.isoformat(), "creation_time") if moment.year >= LEAST_YEAR else (None, None)
