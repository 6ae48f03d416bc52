"""When a video was recorded: what its name says as cameras write it, else what its container says. Opens no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from fervid.base.clock import parse_zone

_TIME = (
    r"(?P<hour>\d{1,2})[-_.:hH]?(?P<minute>[0-5]\d)(?:[-_.:mM]?(?P<second>[0-5]\d))?"
    r"(?:s|[-_.]?(?P<milli>\d{3}))?(?!\d)(?:[\s\u202f_]*(?P<half>[AaPp])\.?[Mm]\b\.?)?"
    r"(?:(?P<utc>Z)(?![A-Za-z])|[\s\u202f_]*(?P<mark>GMT|UTC)(?P<zone>[+-]\d{1,2}(?::?\d{2})?(?!\d))?)?"
)
_BETWEEN = r"(?:[-_ T.,]|[\s_]*(?:at|um|a|à|alle|às|kl\.?|-)[\s_]+|,\s*)?"
_YEAR_FIRST = re.compile(
    r"(?<!\d)(?P<year>20\d\d)[-_.]?(?P<month>0[1-9]|1[0-2])[-_.]?(?P<day>0[1-9]|[12]\d|3[01])" + _BETWEEN + _TIME
)
_YEAR_LAST = re.compile(
    r"(?<!\d)(?P<first>\d{1,2})(?P<mark_between>[-_./])(?P<other>\d{1,2})(?P=mark_between)(?P<year>20\d\d)"
    r"(?:,?[\s_-]+(?:at\s+)?)" + _TIME
)
_SHORT_YEAR = re.compile(
    r"FILE(?P<year>\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])-(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
)
"""Names of dash cameras."""
_EPOCH = re.compile(r"(?<![\d.])(1[5-9]\d{8})(?:\.\d+|(\d{3}))?(?!\d)")
_IN_UTC = re.compile(r"(?:^|[^A-Za-z])(?:PXL_|GMT)(?=20\d\d)")
"""What the names of Pixel phones and of Zoom begin with: their times are UTC."""
LONGEST_RECORDING = timedelta(days=1)
"""A name with two times states begin and end if they are no further apart."""


def start_time_in_name(name: str) -> datetime | None:
    """The time that a file's name states, such as `cam2_20261120_220000.mp4`; None where it states none, or several.

    It has a time zone where the name tells one (GMT, UTC, seconds since 1970, and makers that are known to write UTC).
    Of two times less than LONGEST_RECORDING apart the first is the begin. A date that may be read in two ways is none.
    """
    found: list[datetime] = []
    for pattern in (_YEAR_FIRST, _YEAR_LAST, _SHORT_YEAR):
        for match in pattern.finditer(name):
            moment = _moment(match.groupdict(), is_utc=bool(_IN_UTC.search(name)))
            if moment is not None and moment not in found:
                found.append(moment)
        if found:
            break
    if not found:
        for match in _EPOCH.finditer(name):
            moment = datetime.fromtimestamp(int(match[1]), UTC)
            if moment not in found:
                found.append(moment)
    if (
        len(found) == 2
        and found[0].tzinfo == found[1].tzinfo
        and timedelta(0) < found[1] - found[0] < LONGEST_RECORDING
    ):
        return found[0]
    return found[0] if len(found) == 1 else None


def _moment(parts: dict[str, str | None], *, is_utc: bool) -> datetime | None:
    """The moment that the parts of a match state; None where they are no time, or may be read in two ways."""
    year = int(parts["year"] or 0)
    if "first" in parts:
        first, other = int(parts["first"] or 0), int(parts["other"] or 0)
        is_american = parts["half"] is not None  # who writes AM and PM writes the month first
        if first <= 12 and other <= 12 and first != other and not is_american and parts["mark_between"] != ".":
            return None
        month, day = (first, other) if is_american or other > 12 else (other, first)
    else:
        month, day = int(parts["month"] or 0), int(parts["day"] or 0)
    hour, half = int(parts["hour"] or 0), (parts.get("half") or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    elif len(parts["hour"] or "") == 1:
        return None
    zone: timezone | None = UTC if is_utc or parts.get("utc") or parts.get("mark") else None
    if text := parts.get("zone"):
        digits = text[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:-2] if len(digits) > 2 else digits), minutes=int(digits[2:] or 0))
        zone = timezone(-offset if text[0] == "-" else offset)
    try:
        return datetime(
            year if year > 99 else 2000 + year, month, day, hour, int(parts["minute"] or 0),
            int(parts["second"] or 0), tzinfo=zone,
        )  # fmt: skip
    except ValueError:
        return None  # not a date, such as the 31st of a short month


SOURCES = {
    "start_time": "given start time",
    "name": "name",
    "clock": "container's clock",
    "creation_time": "creation_time",
}
CLOSE = timedelta(minutes=1)
"""Clocks of cameras agree to this."""
WIDEST_ZONE = timedelta(hours=15)
"""A local time and one in UTC of the same moment are no further apart."""


def is_contradicted(given: str, other: datetime | None) -> bool:
    """Whether a time that is known otherwise is not a given one, by a minute or more.

    A given time with a zone and one without are compared by the clock: both are local times of the place, as far as is
    known.
    """
    if other is None:
        return False
    stated = datetime.fromisoformat(given)
    if stated.tzinfo is None or other.tzinfo is None:
        stated, other = stated.replace(tzinfo=None), other.replace(tzinfo=None)
    return abs(stated - other) >= CLOSE


def recorded_entry(
    name: str,
    container_time: str | None,
    source: str | None,
    *,
    given: str | None = None,
    zone: str | None = None,
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """A manifest's entries about when a video was recorded, and what is doubtful about them.

    `recorded` is ISO 8601, with a zone where one is known; `recorded_utc` the same in UTC, None where none is known;
    `recorded_source` is `start_time` (as `given`), `name`, `clock` (of the container) or `creation_time`. `zone` is
    that of times that tell none. All are None where nothing states a time. Raises ConfigError for an unknown zone.
    """
    named, stated = start_time_in_name(name), datetime.fromisoformat(container_time) if container_time else None
    sources = {"start_time": datetime.fromisoformat(given) if given else None, "name": named, source or "": stated}
    by, moment = next(((by, moment) for by, moment in sources.items() if moment is not None), (None, None))
    if moment is None:
        return {"recorded": None, "recorded_utc": None, "recorded_source": None}, ()
    doubts = []
    for other, value in sources.items():
        if value is None or other == by or (by == "start_time" and other == "creation_time"):
            continue
        if abs(value.replace(tzinfo=None) - moment.replace(tzinfo=None)) > WIDEST_ZONE:
            doubts.append(
                f"recorded at {moment.isoformat()} by its {SOURCES[by or '']}, at {value.isoformat()} by its "
                f"{SOURCES[other]}: the former is taken"
            )
    return _entry(moment, by, zone), tuple(doubts)


def _entry(moment: datetime, by: str | None, zone: str | None) -> dict[str, str | None]:
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=parse_zone(zone))
    utc = moment.astimezone(UTC).isoformat() if moment.tzinfo is not None else None
    return {"recorded": moment.isoformat(), "recorded_utc": utc, "recorded_source": by}


def restated(video: Mapping[str, Any], *, given: str | None, zone: str | None) -> dict[str, str | None]:
    """What of a finished run's entry of its video changes by a given start time or zone; empty where nothing does."""
    recorded, by = (given, "start_time") if given else (video.get("recorded"), video.get("recorded_source"))
    if not recorded or not (given or zone):
        return {}
    entry = _entry(datetime.fromisoformat(recorded), by, zone)
    return {name: value for name, value in entry.items() if video.get(name) != value}


def recorded_time(video: Mapping[str, Any], name: str) -> datetime | None:
    """When a run's video was recorded, by its manifest's entry of the video, else by the name."""
    stored = video.get("recorded")
    return datetime.fromisoformat(stored) if stored else start_time_in_name(name)
