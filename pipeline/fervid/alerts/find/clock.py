"""When a video was recorded: what the user says, else what the file's name says as cameras write it. Opens no file."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from fervid.errors import ConfigError

_IN_NAME = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])[-_ T.]?"
    r"([01]\d|2[0-3])[-_.:hH]?([0-5]\d)(?:[-_.:mM]?([0-5]\d))?(?!\d)"
)


def parse_start_time(text: str) -> datetime:
    """The local time of recording from `2026-11-20T22:00:00`, `2026-11-20 22:00`. Raises ConfigError."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise ConfigError(f"start time {text!r} is not valid. Write date and time as in 2026-11-20T22:00:00.") from None


def start_time_in_name(name: str) -> datetime | None:
    """The time that a file's name states, such as `cam2_20261120_220000.mp4`; None where it states none, or several."""
    found = set()
    for match in _IN_NAME.finditer(name):
        try:
            found.add(datetime(*(int(part or 0) for part in match.groups())))  # type: ignore[arg-type]
        except ValueError:
            continue  # the 31st of a short month is no date
    return found.pop() if len(found) == 1 else None


def seconds_of_day(moment: datetime) -> float:
    """Seconds since midnight."""
    return (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(seconds=1)
