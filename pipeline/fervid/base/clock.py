"""Times and time zones as text, for people and in files. Knows no format of a file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fervid.errors import ConfigError

WIDEST_OFFSET = timedelta(hours=14)
"""No time zone is further from UTC."""


def clock(seconds: float, *, decimals: int = 1, mark: str = ".", hides_hours: bool = False) -> str:
    """Seconds as hours, minutes and seconds: 00:01:02.5. `hides_hours` leaves hours out while there are none."""
    scale = 10**decimals
    total = round(max(0.0, seconds) * scale)
    whole, rest = divmod(total, scale)
    hours = "" if hides_hours and whole < 3600 else f"{whole // 3600}:" if hides_hours else f"{whole // 3600:02d}:"
    fraction = f"{mark}{rest:0{decimals}d}" if decimals else ""
    return f"{hours}{whole // 60 % 60:02d}:{whole % 60:02d}{fraction}"


def utc_now() -> str:
    """The time now in UTC, to the second, as every file of fervid has it."""
    return utc_text(datetime.now(UTC))


def utc_text(when: datetime) -> str:
    """A time in UTC, to the second."""
    return when.isoformat(timespec="seconds")


def parse_zone(text: str) -> tzinfo:
    """A time zone by its name (`Europe/Berlin`), `UTC`, or its offset (`+02:00`). Raises ConfigError."""
    if text.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if match := re.fullmatch(r"([+-])(\d{1,2})(?::?(\d{2}))?", text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset <= WIDEST_OFFSET:
            return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"time zone {text!r} does not exist. Give a name such as Europe/Berlin, or +02:00.") from None
