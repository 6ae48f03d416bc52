"""Times as text, for people and in files. Knows no format of a file."""

from __future__ import annotations

from datetime import UTC, datetime


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
