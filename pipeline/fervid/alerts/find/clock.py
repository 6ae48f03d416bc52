"""Times of day for rules, and the time of recording that a user gives. Opens no file."""

from __future__ import annotations

from datetime import datetime, timedelta

from fervid.errors import ConfigError


def parse_start_time(text: str) -> datetime:
    """The local time of recording from `2026-11-20T22:00:00`, `2026-11-20 22:00`. Raises ConfigError."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise ConfigError(f"start time {text!r} is not valid. Write date and time as in 2026-11-20T22:00:00.") from None


def seconds_of_day(moment: datetime) -> float:
    """Seconds since midnight."""
    return (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(seconds=1)
