"""When a video was recorded: what the user says, else what the file's name says as cameras write it. Opens no file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from fervid.errors import ConfigError

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


def parse_start_time(text: str) -> datetime:
    """The local time of recording from `2026-11-20T22:00:00`, `2026-11-20 22:00`. Raises ConfigError."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise ConfigError(f"start time {text!r} is not valid. Write date and time as in 2026-11-20T22:00:00.") from None


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
        return None  # the 31st of a short month is no date


def seconds_of_day(moment: datetime) -> float:
    """Seconds since midnight."""
    return (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(seconds=1)
